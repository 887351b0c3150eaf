"""Every grid point of the objective from one Gram matrix, to the last digits.

For features standardised over n rows, G = Z'Z/n and c = Z'y/n:

    minimise over w:  w'Gw/2 - c'w + l1 sum |w_j| + l2/2 sum w_j^2        (see objective.py)

- l1 = 0: by the eigenvalues of G, then refined against the residual in double-double. Of several
  minimisers (l2 = 0, collinear columns) the one of smallest norm: eigenvalues of G + l2 below
  RANK_CUTOFF * p * the largest of G count as 0. Where G was summed exactly, and its eigenvalues are
  further apart than float64 can tell, by its factors in double-double (factor.py).
- l1 > 0: an active set is solved exactly, so that no tolerance shows. It starts from the answer at
  the next larger penalty; of many features, from that of scikit-learn's coordinate descent on p + 1
  rows that have the same Gram matrix. With l2 = 0 and collinear columns the minimiser of smallest
  norm is taken where it keeps the signs; predictions are unique either way.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from tandem.model_keys import GridPoint
from tandem.records import Array
from tandem.solver.active_set import EPSILON, RANK_CUTOFF, ActiveSet, violation
from tandem.solver.collinear import NEARLY, Groups, groups
from tandem.solver.double_double import DoubleDouble, stacked
from tandem.solver.factor import Factor
from tandem.solver.objective import Penalty
from tandem.solver.splits import FEW
from tandem.solver.standard import ROUNDED, Rank

KKT_TOLERANCE = 1e-12  # of max |c|
_ILL_CONDITIONED = 1e4  # ratio of eigenvalues from which double-double residuals pay
_REFINEMENTS = 8
_APART = 1e10  # ratio of eigenvalues from which factors in double-double pay
SHOWS = 1e-10  # share of the weights from which it shows that rounding moved them
_MANY = 100  # features from which scikit-learn's start is worth its import, half a second

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Solution:
    """`weights[g]`: minimiser at grid point g, shape (points, p), for standardised features.

    `kkt[g]`: largest violation of the optimality conditions, relative to the largest number that
    cancels in them, max |c| or max |G| |w|, apart from what lies along eigenvectors that are taken
    as collinear; `rounding[g]`: share of the weights that rounding in G and c may move, the
    condition number of the system that was solved times eps; `rank`: of G; `condition`: ratio of
    the largest to the smallest singular value of Z that is not taken as 0; `groups`: features that
    follow from one another, or nearly so.
    """

    weights: DoubleDouble
    kkt: Array
    rounding: Array
    rank: int
    condition: float
    groups: Groups = ()


def solve(
    gram: DoubleDouble,
    xy: DoubleDouble,
    yy: float,
    grid: Sequence[Penalty],
    rank: Rank = ROUNDED,
) -> Solution:
    """The minimiser at every point of `grid`.

    `gram`: G, shape (p, p), of columns that vary; `xy`: c, shape (p,); `yy`: y'y/n; `rank`: what
    is known of that of G.
    """
    if len(xy.hi) == 0 or not grid:
        none = DoubleDouble.of(np.zeros((len(grid), len(xy.hi))))
        return Solution(none, np.zeros(len(grid)), np.zeros(len(grid)), 0, 1.0)
    system = _System.of(gram, rank)
    lassos = [one for one in grid if one.l1 > 0.0]
    found = _paths(gram.hi, xy.hi, yy, lassos, rank if system.full else None)
    points = [
        system.ridge(xy, p.l2) if p.l1 == 0.0 else system.settled(xy, p, found[p]) for p in grid
    ]
    pairs = [*zip(grid, (point.hi for point in points), strict=True)]
    kkt = np.array([system.violation(xy.hi, penalty, weights) for penalty, weights in pairs])
    moves = system.roundings(pairs)
    return Solution(stacked(points), kkt, moves, *system.facts())


@dataclass(frozen=True, slots=True)
class _System:
    """G by its eigenvalues, and, where these do not tell enough, by its factors."""

    gram: DoubleDouble
    values: Array
    vectors: Array
    zero: float  # eigenvalues up to it count as 0
    factor: Factor | None
    rank: Rank

    @classmethod
    def of(cls, gram: DoubleDouble, rank: Rank) -> "_System":
        values, vectors = np.linalg.eigh(gram.hi)
        zero = RANK_CUTOFF * len(values) * float(np.max(values, initial=0.0))
        if rank.least is None:
            return cls(gram, values, vectors, zero, None, rank)
        # Where there are fewer rows than features, the others are 0 whatever their digits say.
        sure = np.count_nonzero(values * _APART > values[-1]) >= min(len(values), rank.most)
        factor = None if sure else Factor.of(gram, rank.least)
        return cls(gram, values, vectors, zero, factor, rank)

    def kept(self, l2: float = 0.0) -> Mask:
        """Which eigenvalues of G + l2 are not taken as 0."""
        return self.values + l2 > self.zero

    @property
    def full(self) -> bool:
        """Whether features follow from one another by design alone."""
        rank = self.factor.rank if self.factor else np.count_nonzero(self.kept())
        return bool(rank >= len(self.values) - len(self.rank.sets))

    def facts(self) -> tuple[int, float, Groups]:
        """Rank, condition number, and the features that (nearly) follow from one another."""
        if self.factor:
            rank, condition = self.factor.rank, float(np.sqrt(self.factor.condition()))
            vectors = self.vectors if self.factor.full else self.factor.null_space()
        else:
            rank, vectors = int(np.count_nonzero(self.kept())), self.vectors
            condition = float(np.sqrt(self.condition()))
        missing = len(self.values) - rank
        if missing > len(self.rank.sets):
            return rank, condition, groups(vectors, missing)
        nearly = condition > NEARLY
        return rank, condition, groups(self.vectors[:, missing:], 0) if nearly else ()

    def condition(self, l2: float = 0.0) -> float:
        """Largest over smallest eigenvalue of G + l2 that is not taken as 0."""
        kept = self.values[self.kept(l2)] + l2
        return float(kept[-1] / kept[0]) if len(kept) else 1.0

    def roundings(self, pairs: Sequence[tuple[Penalty, Array]]) -> Array:
        """As `Solution.rounding` says, shape (points,).

        Of many features, one bound for all lassos where it is small: the eigenvalues of the
        features that are in any of them enclose those of each.
        """
        lassos = [weights for penalty, weights in pairs if penalty.l1 > 0.0]
        if len(self.values) > FEW and lassos:
            together = np.any(lassos, axis=0).astype(np.float64)
            bound = self.rounding(Penalty(1.0, 0.0), together)
            if bound <= SHOWS:
                found = [bound if p.l1 > 0.0 else self.rounding(p, w) for p, w in pairs]
                return np.array(found)
        return np.array([self.rounding(penalty, weights) for penalty, weights in pairs])

    def rounding(self, penalty: Penalty, weights: Array) -> float:
        """Of one; without a bound where an eigenvalue was taken as 0."""
        values, known = self.values + penalty.l2, len(self.rank.sets)
        if penalty.l1 > 0.0 and values[-1] * EPSILON > SHOWS * values[0]:
            on = np.flatnonzero(weights)
            values = np.asarray(np.linalg.eigvalsh(self.gram.hi[np.ix_(on, on)])) + penalty.l2
            known = self.rank.within(on)
        values = values[known if penalty.l2 == 0.0 else 0 :]
        if len(values) == 0:
            return 0.0
        return EPSILON * float(values[-1] / values[0]) if values[0] > self.zero else np.inf

    def ridge(self, xy: DoubleDouble, l2: float) -> DoubleDouble:
        """w = V (D + l2)^-1 V'c over the eigenvalues that are not 0, refined; or by factors."""
        if self.factor and self.values[0] + l2 <= self.values[-1] / _APART:
            return self._factor(np.arange(len(self.values)), l2).solve(xy)
        kept, inverse = self.kept(l2), np.zeros_like(self.values)
        inverse[kept] = 1.0 / (self.values[kept] + l2)
        weights = DoubleDouble.of(self.vectors @ (inverse * (self.vectors.T @ xy.hi)))
        hard = np.max(inverse, initial=0.0) > _ILL_CONDITIONED * np.min(
            inverse, initial=np.inf, where=kept
        )
        for _ in range(_REFINEMENTS if hard else 1):
            if (hard and np.any(self.gram.lo)) or self.rank.least is not None:
                products = self.gram * weights[None, :]
                left = (xy - products.sum(axis=1) - weights * l2).rounded()
            else:
                left = xy.hi - self.gram.hi @ weights.hi - l2 * weights.hi
            step = self.vectors @ (inverse * (self.vectors.T @ left))
            weights = weights + step
            if np.max(np.abs(step), initial=0.0) <= 1e-16 * np.max(np.abs(weights.hi), initial=0.0):
                break
        return weights

    def settled(self, xy: DoubleDouble, penalty: Penalty, weights: Array) -> DoubleDouble:
        """A lasso's or elastic net's `weights`, solved for once more for their signs."""
        on = np.flatnonzero(weights)
        if self.rank.least is None or len(on) == 0:
            return DoubleDouble.of(weights)
        signs = np.sign(weights[on])
        right = xy[on] - signs * penalty.l1
        if self.factor:
            factor = self._factor(on, penalty.l2)
            solved, unique = factor.solve(right), factor.full
        else:
            matrix = self.gram[np.ix_(on, on)] + penalty.l2 * np.eye(len(on))
            unique = penalty.l2 > 0.0 or not self.rank.within(on)
            if not unique:
                return DoubleDouble.of(weights)
            left = right - (matrix * weights[on][None, :]).sum(axis=1)
            try:
                step = np.asarray(np.linalg.solve(matrix.hi, left.rounded()))
            except np.linalg.LinAlgError:  # several weights are the minimum
                return DoubleDouble.of(weights)
            solved = DoubleDouble.of(weights[on]) + step
        if not unique or np.any(np.sign(solved.hi) != signs):
            return DoubleDouble.of(weights)
        found = DoubleDouble.of(np.zeros_like(weights))
        found.hi[on], found.lo[on] = solved.hi, solved.lo
        return found

    def _factor(self, on: NDArray[np.int64], l2: float) -> Factor:
        """Of G + l2 for the features `on`."""
        assert self.factor is not None
        assert self.rank.least is not None
        if l2 == 0.0 and len(on) == len(self.values):
            return self.factor
        return Factor.of(self.gram[np.ix_(on, on)] + l2 * np.eye(len(on)), self.rank.least)

    def violation(self, xy: Array, penalty: Penalty, weights: Array) -> float:
        """As `Solution.kkt` says."""
        if penalty.l1 == 0.0:
            basis = self.vectors[:, self.kept(penalty.l2)]
            left = xy - self.gram.hi @ weights - penalty.l2 * weights
            beyond = float(np.max(np.abs(basis @ (basis.T @ left)), initial=0.0))
        else:
            beyond = violation(self.gram.hi, xy, penalty, weights)
        cancels = np.abs(self.gram.hi) @ np.abs(weights)
        scale = max(float(np.max(np.abs(xy))), float(np.max(cancels)))
        return beyond / (scale or 1.0)


def make_ready(grid: Sequence[GridPoint], features: int) -> None:
    """Import what the points of `grid` take, before anything is timed."""
    if features > _MANY and any(p.reg_param * p.elastic_net_param > 0.0 for p in grid):
        import sklearn.linear_model  # noqa: F401, PLC0415 - slow


def _paths(
    gram: Array, xy: Array, yy: float, grid: Sequence[Penalty], rank: Rank | None
) -> dict[Penalty, Array]:
    """The minimiser at every point, l1 > 0; along each l1 ratio from the largest penalty on."""
    found: dict[Penalty, Array] = {}
    ratios: dict[float, set[Penalty]] = {}
    for penalty in grid:
        ratios.setdefault(penalty.l1 / (penalty.l1 + penalty.l2), set()).add(penalty)
    for ratio, penalties in ratios.items():
        strongest_first = sorted(penalties, key=lambda p: -(p.l1 + p.l2))
        many = len(xy) > _MANY
        starts = _descend(gram, xy, yy, ratio, strongest_first) if many else ()
        weights = np.zeros_like(xy)
        for penalty, start in zip_longest(strongest_first, starts):
            begin = weights if start is None else start
            weights = found[penalty] = ActiveSet(gram, xy, penalty, rank).run(begin)
    return found


def _descend(
    gram: Array, xy: Array, yy: float, ratio: float, penalties: Sequence[Penalty]
) -> Array:
    """Coordinate descent's answer at every penalty, shape (penalties, p), by warm starts."""
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 - few features need none
    from sklearn.linear_model import enet_path  # noqa: PLC0415

    root = _root(gram, xy, yy)
    rows = len(root)
    with warnings.catch_warnings():
        # Where it stops short, the active set goes on.
        warnings.simplefilter("ignore", ConvergenceWarning)
        _, path, _ = enet_path(
            np.asfortranarray(root[:, :-1]),
            root[:, -1].copy(),
            l1_ratio=ratio,
            alphas=[p.l1 + p.l2 for p in penalties],
            precompute=np.ascontiguousarray(gram * rows),
            Xy=xy * rows,
            tol=1e-4,
            max_iter=100,
            check_input=False,
        )
    found: Array = path.T
    return found


def _root(gram: Array, xy: Array, yy: float) -> Array:
    """R with R'R / rows = [[G, c], [c', y'y/n]]: as many rows as columns, the same problem."""
    joint = np.block([[gram, xy[:, None]], [xy[None, :], np.array([[yy]])]])
    values, vectors = np.linalg.eigh(joint)
    root: Array = np.sqrt(np.maximum(values, 0.0) * len(joint))[:, None] * vectors.T
    return root
