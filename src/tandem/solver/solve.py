"""Every grid point of the objective from one Gram matrix, to the last digits.

For features standardised over n rows, G = Z'Z/n and c = Z'y/n:

    minimise over w:  w'Gw/2 - c'w + l1 sum |w_j| + l2/2 sum w_j^2        (see objective.py)

- l1 = 0: by the eigenvalues of G, then refined against the residual in double-double. Of several
  minimisers (l2 = 0, collinear columns) the one of smallest norm: eigenvalues of G + l2 below
  RANK_CUTOFF * p * the largest of G count as 0.
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

from tandem.records import Array
from tandem.settings import GridPoint
from tandem.solver.active_set import EPSILON, RANK_CUTOFF, ActiveSet, violation
from tandem.solver.collinear import NEARLY, Groups, groups
from tandem.solver.double_double import DoubleDouble
from tandem.solver.objective import Penalty

KKT_TOLERANCE = 1e-12  # of max |c|
_ILL_CONDITIONED = 1e4  # ratio of eigenvalues from which double-double residuals pay
_REFINEMENTS = 8
_MANY = 100  # features from which scikit-learn's start is worth its import, half a second

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Solution:
    """`weights[g]`: minimiser at grid point g, shape (points, p), for standardised features.

    `kkt[g]`: largest violation of the optimality conditions, relative to the largest number that
    cancels in them, max |c| or max |G| |w|, apart from what lies along eigenvectors that are taken
    as collinear; `rounding[g]`: share of the weights that rounding in G and c may move, the
    condition number of G + l2 times eps; `rank`: of G; `condition`: ratio of the largest to the
    smallest singular value of Z that is not taken as 0; `groups`: features that follow from one
    another, or nearly so.
    """

    weights: Array
    kkt: Array
    rounding: Array
    rank: int
    condition: float
    groups: Groups = ()


def solve(gram: DoubleDouble, xy: DoubleDouble, yy: float, grid: Sequence[Penalty]) -> Solution:
    """The minimiser at every point of `grid`.

    `gram`: G, shape (p, p), of columns that vary; `xy`: c, shape (p,); `yy`: y'y/n.
    """
    points = np.zeros((len(grid), len(xy.hi)))
    if points.size == 0:
        return Solution(points, np.zeros(len(grid)), np.zeros(len(grid)), 0, 1.0)
    spectrum = _Spectrum.of(gram)
    for index, penalty in enumerate(grid):
        if penalty.l1 == 0.0:
            points[index] = spectrum.ridge(xy, penalty.l2)
    found = _paths(gram.hi, xy.hi, yy, [one for one in grid if one.l1 > 0.0], full=spectrum.full)
    for index, penalty in enumerate(grid):
        if penalty.l1 > 0.0:
            points[index] = found[penalty]
    kkt = np.array([spectrum.violation(xy.hi, p, w) for p, w in zip(grid, points, strict=True)])
    moves = EPSILON * np.array([spectrum.condition(penalty.l2) for penalty in grid])
    condition = float(np.sqrt(spectrum.condition()))
    return Solution(points, kkt, moves, spectrum.rank, condition, spectrum.groups)


@dataclass(frozen=True, slots=True)
class _Spectrum:
    gram: DoubleDouble
    values: Array
    vectors: Array
    zero: float  # eigenvalues up to it count as 0

    @classmethod
    def of(cls, gram: DoubleDouble) -> "_Spectrum":
        values, vectors = np.linalg.eigh(gram.hi)
        largest = float(np.max(values, initial=0.0))
        return cls(gram, values, vectors, RANK_CUTOFF * len(values) * largest)

    def kept(self, l2: float = 0.0) -> Mask:
        """Which eigenvalues of G + l2 are not taken as 0."""
        return self.values + l2 > self.zero

    @property
    def rank(self) -> int:
        return int(np.count_nonzero(self.kept()))

    @property
    def full(self) -> bool:
        return bool(self.kept().all())

    @property
    def groups(self) -> Groups:
        """Features that follow from one another, or nearly so; none where all is well."""
        if self.full and self.condition() <= NEARLY**2:
            return ()
        return groups(self.vectors, len(self.values) - self.rank)

    def condition(self, l2: float = 0.0) -> float:
        """Largest over smallest eigenvalue of G + l2 that is not taken as 0."""
        kept = self.values[self.kept(l2)] + l2
        return float(kept[-1] / kept[0]) if len(kept) else 1.0

    def ridge(self, xy: DoubleDouble, l2: float) -> Array:
        """w = V (D + l2)^-1 V'c over the eigenvalues that are not 0, refined."""
        kept, inverse = self.kept(l2), np.zeros_like(self.values)
        inverse[kept] = 1.0 / (self.values[kept] + l2)
        weights: Array = self.vectors @ (inverse * (self.vectors.T @ xy.hi))
        hard = np.max(inverse, initial=0.0) > _ILL_CONDITIONED * np.min(
            inverse, initial=np.inf, where=kept
        )
        for _ in range(_REFINEMENTS if hard else 1):
            if hard:
                products = self.gram * weights[None, :]
                left = (xy - products.sum(axis=1) - DoubleDouble.of(weights) * l2).rounded()
            else:
                left = xy.hi - self.gram.hi @ weights - l2 * weights
            step = self.vectors @ (inverse * (self.vectors.T @ left))
            weights = weights + step
            if np.max(np.abs(step), initial=0.0) <= 1e-16 * np.max(np.abs(weights), initial=0.0):
                break
        return weights

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
    gram: Array, xy: Array, yy: float, grid: Sequence[Penalty], *, full: bool
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
            weights = found[penalty] = ActiveSet(gram, xy, penalty, full=full).run(begin)
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
