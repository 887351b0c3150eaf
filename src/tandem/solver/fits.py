"""From one split to the errors on its held-out rows, at every grid point, and to a model.

SSE = yy - 2 w'q + w'Qw, with the held-out rows' moments centred at the training means.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tandem.model_keys import GridPoint
from tandem.records import Array
from tandem.results import Design
from tandem.solver.double_double import DoubleDouble
from tandem.solver.objective import penalty
from tandem.solver.relations import freed
from tandem.solver.solve import Solution, solve
from tandem.solver.splits import Normal, Split
from tandem.solver.standard import Standard

# Below this share of the sums that cancel in an SSE, it is summed again in double-double ...
_SUM_AGAIN = 1e-3
# ... and below this one the moments of arbitrary floats no longer hold twelve digits of it: they
# are rounded by up to 3e-16 of what cancels (2,000 to 1,000,000 rows, 3 and 20 columns).
LOST = 3e-4


@dataclass(frozen=True, slots=True)
class Fitted:
    """`slopes`: shape (points, p), coefficients of every grid point in raw units; how they came."""

    slopes: DoubleDouble
    solution: Solution
    design: Design
    standard: Standard


def fit(train: Normal, grid: Sequence[GridPoint]) -> Fitted:
    """The minimiser of the objective (objective.py) at every grid point, on one training set."""
    standard = Standard.of(train)
    points = [penalty(point, standard.target_deviation) for point in grid]
    weakest = min((point.l2 for point in points), default=0.0)
    standard = freed(standard, train, weakest)
    solution = solve(standard.xx, standard.xy, points, standard.rank)
    groups = tuple(tuple(standard.varies[[*group]].tolist()) for group in solution.groups)
    groups = tuple(group for group in groups if not _of_one(group, train.sets))
    features = len(standard.varies) - len(standard.rank.sets)
    design = Design(features, solution.rank, solution.condition, groups)
    return Fitted(standard.raw(solution.weights), solution, design, standard)


def errors(test: Normal, slopes: Array) -> tuple[Array, Array]:
    """SSE = r'M r with r = [-b, 1], for every row b of `slopes`, and its share of what cancels.

    `test`: the held-out rows, M = `test.gram`; `slopes`: shape (points, p), raw units. Both
    answers have shape (points,); SSE is in squared units of the target. What cancels counts as
    much as it was when it was summed. A share below LOST says that the sum holds fewer than twelve
    digits; sums that were not rounded hold them all.
    """
    residual = np.column_stack([-slopes, np.ones(len(slopes))])
    gram = test.gram.hi
    sse = np.sum(residual @ gram * residual, axis=1)
    squares = gram.diagonal()
    away = np.divide(test.squares, squares, out=np.ones_like(squares), where=squares > 0)
    summed = np.abs(residual) * np.sqrt(np.maximum(away, 1.0))
    size = np.sum(summed @ np.abs(gram) * summed, axis=1)
    share = np.divide(sse, size, out=np.ones_like(sse), where=size > 0)
    for index in np.flatnonzero(share < _SUM_AGAIN):
        sse[index] = _exact(test.gram, residual[index])
    return np.maximum(sse, 0.0), np.full_like(share, np.inf) if test.exact else share


def _of_one(group: Sequence[int], sets: Sequence[slice]) -> bool:
    """Whether all features of `group` are of one of `sets`."""
    return any(one.start <= min(group) and max(group) < one.stop for one in sets)


def intercept(split: Split, slopes: DoubleDouble) -> float:
    """b0 = mean of y - b' mean of x, over the training set.

    `slopes`: b, shape (p,), raw units, not rounded yet; the answer is in units of the target.
    """
    centre = split.centre
    return float((centre[-1] - (centre[:-1] * slopes).sum(axis=0)).rounded())


def _exact(gram: DoubleDouble, residual: Array) -> float:
    inner = (gram * residual[None, :]).sum(axis=1) * residual
    return float(inner.sum(axis=0).rounded())
