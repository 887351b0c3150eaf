"""How far two engines' answers may be apart: what their solvers leave, by grid point.

In closed form that is rounding; iterations stop at a tolerance, and leave more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from tandem.answers import Answer
from tandem.model_keys import GridPoint
from tandem.records import Array
from tandem.registry import ENGINES

ROUNDING = 1e-9  # relative, of what is solved in closed form


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What an RMSE may differ by: `relative` of itself + `of_deviation` of the target's deviation.

    Both 0: identical bits.
    """

    relative: float
    of_deviation: float

    def widened(self, promised: float) -> "Tolerance":
        """Where both are so near the minimum, as each promises; identical bits stay identical."""
        if self == Tolerance(0.0, 0.0):
            return self
        return replace(self, of_deviation=max(self.of_deviation, promised))

    def allowed(self, rmse: Array, deviation: Array) -> Array:
        """In units of the target, for RMSEs and standard deviations of the target."""
        return self.relative * rmse + self.of_deviation * deviation


def tolerance(one: Answer, other: Answer, point: GridPoint) -> Tolerance:
    """What the two solvers together leave at `point`."""
    bits = ENGINES[one.engine].bits
    if bits is not None and bits == ENGINES[other.engine].bits:
        return Tolerance(0.0, 0.0)
    return Tolerance(ROUNDING, left(one, point) + left(other, point))


def left(answer: Answer, point: GridPoint, *, unique: bool = True) -> float:
    """How far iterations leave predictions from the optimum's, in deviations of the target.

    An engine that stalls where features follow from one another, not `unique`, is held to the
    same share of the objective there, which is of second order: d^2 / 2 in place of d.
    """
    engine = ENGINES[answer.engine]
    tol = engine.tol if answer.tol is None else answer.tol
    found = engine.left(point, sum(answer.features), tol)
    return found if unique or not engine.stalls else max(found, sqrt(2.0 * found))


def stated(one: Answer, other: Answer) -> str:
    """The tolerances of the pair in words."""
    found = {tolerance(one, other, point) for point in one.grid}
    if found == {Tolerance(0.0, 0.0)}:
        return "nothing: identical bits"
    most = max(t.of_deviation for t in found)
    if not most:
        return "rounding: a billionth of the RMSE"
    return (
        f"where a solver iterates, {100 * most:.2g} % of the target's standard deviation, "
        "elsewhere a billionth of the RMSE"
    )


def allowed_of(name: str, left: Answer, right: Answer) -> Array:
    """Allowed difference of metric `name`, shape (folds, grid points), in its units."""
    rmse = np.maximum(left.metrics["rmse"], right.metrics["rmse"])
    deviation = left.target_deviation[:, None]
    tolerances = [tolerance(left, right, point) for point in left.grid]
    columns = [t.allowed(rmse[:, g : g + 1], deviation) for g, t in enumerate(tolerances)]
    return in_units(name, np.concatenate(columns, axis=1), left, right)


def reach(name: str, rows: Sequence[float], inverse_squares: float) -> Array:
    """What metric `name` of every fold may differ by, shape (folds, 1), where predictions do by 1.

    A root mean square of n differences, it bounds their mean (MAE); sqrt(n) of it, the largest, and
    so a median; and sqrt(sum 1 / y^2 / n) of it, their mean as shares of y (Cauchy and Schwarz).
    """
    n: Array = np.array(rows)[:, None]
    found: Array = np.sqrt({"median_ae": n, "mape": inverse_squares / n}.get(name, np.ones_like(n)))
    return found


def in_units(name: str, room: Array, left: Answer, right: Answer) -> Array:
    """What metric `name` may differ by where RMSE may by `room`."""
    if name != "r2":
        return room * reach(name, left.test_rows, left.inverse_squares)
    rmse, deviation = np.maximum(left.metrics["rmse"], right.metrics["rmse"]), left.target_deviation
    variance = np.where(deviation > 0, deviation**2, np.inf)[:, None]
    rounding: Array = np.where(room > 0, 1e-15, 0.0)
    return (2.0 * rmse * room + room**2) / variance + rounding
