"""The problem of one training set, standardised."""

from dataclasses import dataclass

import numpy as np

from tandem.moments import Integers
from tandem.records import Array
from tandem.solver.double_double import DoubleDouble, strips
from tandem.solver.positive import within
from tandem.solver.splits import CONSTANT, Normal, twice_the_digits

_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Rank:
    """What is known of the rank of G.

    `sets`: positions of features of which one is 1 in every row: each makes an eigenvalue 0;
    `null`: shape (q, any), orthonormal, directions along which G and c are free of rounding, and 0
    (relations.py). Where G was summed exactly, `least`: the share of its largest pivot up to which
    one is rounding of the numbers alone, and `most`: its rank at most, by its rows.
    """

    sets: tuple[Integers, ...] = ()
    least: float | None = None
    most: int = 0
    null: Array | None = None

    def within(self, on: Integers) -> int:
        """How many of `sets` are in the features `on` as a whole."""
        return sum(bool(np.isin(one, on).all()) for one in self.sets)

    def free(self, on: Integers | None = None) -> int:
        """Dimensions of `null`; of those that are 0 but for the features `on`."""
        if self.null is None:
            return 0
        return len((self.null if on is None else within(self.null, on)).T)


ROUNDED = Rank()


def least_pivot(rows: float, features: int) -> float:
    """Share of the largest pivot up to which one is 0, as least squares on the rows has it."""
    return (max(rows, features) * _EPSILON) ** 2


@dataclass(frozen=True, slots=True)
class Standard:
    """G = Z'Z/n, c = Z'y/n and y'y/n, Z being the centred features that vary over their deviations.

    `features`: p; `varies`: shape (q,), positions of those that vary; `scale`: shape (q,), their
    population deviations s_j, in raw units; `xx`: shape (q, q), G; `xy`: shape (q,), c, in units
    of the target; `yy`: in squared ones. Of a constant target both are 0, and its deviation is 1.
    """

    features: int
    varies: Integers
    scale: Array
    target_deviation: float
    xx: DoubleDouble
    xy: DoubleDouble
    yy: float
    rank: Rank

    @classmethod
    def of(cls, train: Normal) -> "Standard":
        """The problem of one training set; what is constant is left out."""
        gram, rows = train.gram, train.rows
        variance = gram.hi.diagonal() / rows
        constant = variance <= CONSTANT * train.squares / rows
        deviation = np.sqrt(np.where(constant, 1.0, variance))
        varies = np.flatnonzero(~constant[:-1])
        scale = deviation[varies]
        signal = 0.0 if constant[-1] else 1.0
        own = np.ix_(varies, varies)
        if train.exact or twice_the_digits(train.whole):
            per = DoubleDouble.of(1.0) / scale  # a rounded factor would be another matrix
            xx = gram[own] * (per[:, None] * per[None, :] / rows)
        else:
            xx = DoubleDouble.of(gram.hi[own])
            for some in strips(len(scale)):
                xx.hi[some] /= np.outer(scale[some], scale)
                xx.hi[some] /= rows
        xy = gram[varies, -1] / scale / rows * signal
        yy = float(variance[-1]) * signal
        least = least_pivot(train.rows, len(varies))
        sets = [np.flatnonzero((varies >= s.start) & (varies < s.stop)) for s in train.sets]
        sets = [one for one in sets if len(one)]
        most = min(int(rows) - 1, len(varies) - len(sets))
        rank = Rank(tuple(sets), least, most) if train.exact else Rank(tuple(sets))
        return cls(len(constant) - 1, varies, scale, float(deviation[-1]), xx, xy, yy, rank)

    def raw(self, weights: DoubleDouble) -> DoubleDouble:
        """b_j = w_j / s_j, 0 for what is constant: (points, q) `weights` to shape (points, p)."""
        slopes = DoubleDouble.of(np.zeros((len(weights.hi), self.features)))
        divided = weights / self.scale
        slopes.hi[:, self.varies], slopes.lo[:, self.varies] = divided.hi, divided.lo
        return slopes
