"""Every grid point of the objective from one Gram matrix, to the last digits.

For features standardised over n rows, G = Z'Z/n and c = Z'y/n:

    minimise over w:  w'Gw/2 - c'w + l1 sum |w_j| + l2/2 sum w_j^2        (see objective.py)

- l1 = 0: by the eigenvalues of G, then refined against the residual in double-double. Of several
  minimisers (l2 = 0, collinear columns) the one of smallest norm: eigenvalues of G + l2 below
  RANK_CUTOFF * p * the largest of G count as 0. Where G was summed exactly, and its eigenvalues are
  further apart than float64 can tell, by its factors in double-double (factor.py), unless the
  small ones are 0 by more digits (positive.py).
- l1 > 0: an active set is solved exactly, so that no tolerance shows. It starts from the answer at
  the next larger penalty; of many features, from where proximal gradients lead from there
  (descent.py). With l2 = 0 and collinear columns the minimiser of smallest norm is taken where it
  keeps the signs; predictions are unique either way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tandem.model_keys import GridPoint
from tandem.records import Array
from tandem.solver.active_set import ActiveSet
from tandem.solver.collinear import Groups
from tandem.solver.descent import Descent
from tandem.solver.double_double import DoubleDouble, stacked
from tandem.solver.objective import Penalty
from tandem.solver.optimality import violations
from tandem.solver.positive import MANY
from tandem.solver.spectrum import TRIDIAGONAL
from tandem.solver.standard import ROUNDED, Rank
from tandem.solver.system import System

KKT_TOLERANCE = 1e-12  # of max |c|


@dataclass(frozen=True, slots=True)
class Solution:
    """`weights[g]`: minimiser at grid point g, shape (points, p), for standardised features.

    `kkt[g]`: largest violation of the optimality conditions, relative to the largest number that
    cancels in them, max |c| or max |G| |w|, apart from what lies along eigenvectors that are taken
    as collinear; `rounding[g]`: share of the weights that rounding in G and c may move, the
    condition number of the system that was solved times eps, 0 where these were summed exactly;
    `rank`: of G; `condition`: ratio of the largest to the smallest singular value of Z that is not
    taken as 0; `groups`: features that follow from one another, or nearly so.
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
    grid: Sequence[Penalty],
    rank: Rank = ROUNDED,
) -> Solution:
    """The minimiser at every point of `grid`.

    `gram`: G, shape (p, p), of columns that vary; `xy`: c, shape (p,); `rank`: what is known of
    that of G.
    """
    if len(xy.hi) == 0 or not grid:
        none = DoubleDouble.of(np.zeros((len(grid), len(xy.hi))))
        return Solution(none, np.zeros(len(grid)), np.zeros(len(grid)), 0, 1.0)
    system = System.of(gram, rank)
    lassos = [one for one in grid if one.l1 > 0.0]
    found = _paths(system, xy.hi, lassos) if lassos else {}
    ridges = system.ridges(xy, [p.l2 for p in grid if p.l1 == 0.0])
    points = [next(ridges) if p.l1 == 0.0 else system.settled(xy, p, found[p]) for p in grid]
    weights = stacked(points)
    away = [system.spectrum.lowest(0) if p.l1 else system.away(p.l2) for p in grid]
    kkt = violations(gram.hi, xy.hi, grid, weights.hi, away)
    moves = np.zeros(len(grid))  # by sums that are exact
    if rank.least is None:
        moves = system.roundings([*zip(grid, weights.hi, strict=True)])
    return Solution(weights, kkt, moves, *system.facts())


def make_ready(grid: Sequence[GridPoint], features: int) -> None:
    """Import what the points of `grid` take, before anything is timed."""
    lassos = any(point.reg_param * point.elastic_net_param > 0.0 for point in grid)
    if features >= TRIDIAGONAL or (lassos and features > MANY):
        import scipy.linalg  # noqa: F401, PLC0415 - slow


def _paths(system: System, xy: Array, grid: Sequence[Penalty]) -> dict[Penalty, Array]:
    """The minimiser at every point, l1 > 0; along each l1 ratio from the largest penalty on."""
    gram, null = system.gram.hi, system.null
    descent = Descent(gram, xy, float(system.values[-1])) if len(xy) > MANY else None
    found: dict[Penalty, Array] = {}
    ratios: dict[float, set[Penalty]] = {}
    for penalty in grid:
        ratio = round(penalty.l1 / (penalty.l1 + penalty.l2), 12)  # its last digits are rounding
        ratios.setdefault(ratio, set()).add(penalty)
    for penalties in ratios.values():
        weights = np.zeros_like(xy)
        for penalty in sorted(penalties, key=lambda p: -(p.l1 + p.l2)):
            start = descent.run(penalty, weights) if descent else weights
            weights = found[penalty] = ActiveSet(gram, xy, penalty, null).run(start)
    return found
