"""Coefficients settled against the rows: what rounding in the moments has moved, moved back.

The moments square the condition number. Where its square times eps would show, the residual of
every row under the coefficients at hand is summed against every feature, in one more scan; what
does not balance there is solved for by the same moments. That leaves rounding as least squares on
the rows themselves would (iterative refinement of the normal equations: Bjorck 1996, 6.6).
"""

import math
from collections.abc import Callable

from tandem.moments import Residual, RowVector
from tandem.records import Array
from tandem.settings import GridPoint
from tandem.solver.active_set import EPSILON
from tandem.solver.double_double import DoubleDouble
from tandem.solver.fits import fit
from tandem.solver.objective import Penalty, penalty
from tandem.solver.residuals import pull, residual
from tandem.solver.solve import solve
from tandem.solver.standard import Standard
from tandem.solver.training_sets import Split

# Coefficients are settled to this share of their size ...
_WANTED = 1e-10
# ... and to the last digit where the rows are so few that one more scan takes no time.
_FEW_ROWS = 20_000


def settled(
    split: Split, vector: RowVector, point: GridPoint, products: Callable[[Residual], Array]
) -> Array:
    """Slopes of `point` in raw units, shape (1, p), after as many scans as it takes, mostly none.

    `products(model)`: one scan, the sums of `scan.error_sums.products` over all rows, shape
    (width + C,), of rows in `vector`, which is about `split.shift`. Moments that hold no rounding
    leave nothing to settle; with l1 > 0, or a penalty that makes the system well conditioned,
    coefficients stay as they are.
    """
    fitted = fit(split.train, [point])
    slopes = fitted.slopes
    if vector.exact or point.reg_param * point.elastic_net_param > 0.0:
        return slopes
    for _ in range(scans(float(fitted.solution.rounding[0]), split.train.rows)):
        sums = products(residual(split, slopes, vector))
        slopes = _moved(split, point, slopes, pull(split, vector, sums))
    return slopes


def scans(lost: float, rows: int) -> int:
    """Scans until lost**(1 + scans) no longer shows; `lost` is `Solution.rounding`."""
    wanted = EPSILON if rows <= _FEW_ROWS else _WANTED
    return math.ceil(math.log(wanted) / math.log(lost)) - 1 if lost > wanted else 0


def _moved(split: Split, point: GridPoint, slopes: Array, pulls: Array) -> Array:
    """slopes + (G + l2)^-1 (pulls / n - l2 slopes), in standardised units."""
    standard = Standard.of(split.train)
    varies, scale = standard.varies, standard.scale
    l2 = penalty(point, standard.target_deviation).l2
    left = pulls[varies] / scale / split.train.rows - l2 * slopes[0, varies] * scale
    step = solve(standard.xx, DoubleDouble.of(left), standard.yy, [Penalty(0.0, l2)])
    moved: Array = slopes + standard.raw(step.weights)
    return moved
