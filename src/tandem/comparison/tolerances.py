"""How far two engines' answers may be apart: what their solvers leave, by grid point.

In closed form that is rounding; iterations stop at a tolerance, and leave more.
"""

from dataclasses import dataclass

import numpy as np

from tandem.comparison.answers import Answer
from tandem.records import Array, GridPoint

SCANS = frozenset({"scan", "distributed_scan"})
ROUNDING = 1e-9  # relative, of what is solved in closed form
# A step of OWLQN or L-BFGS that gains less than tol ends it; the answer is then off by about the
# square root, in units of the target's spread. Seen on flights: 1.1 times it; 5 leaves room.
_SPARK_STEPS = 5.0
_TOL = {"sequential": 1e-4, "distributed": 1e-6}  # the libraries' own defaults
_NORMAL_FEATURES = 4096  # Spark ML solves ridge in closed form up to here


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Allowed difference of an RMSE: `relative` of itself + `of_spread` of the target's deviation.

    Both 0: identical bits.
    """

    relative: float
    of_spread: float

    def allowed(self, rmse: Array, spread: Array) -> Array:
        """In units of the target, for RMSEs and standard deviations of the target."""
        return self.relative * rmse + self.of_spread * spread


def tolerance(left: Answer, right: Answer, point: GridPoint) -> Tolerance:
    """What the two solvers together leave at `point`."""
    if {left.engine, right.engine} <= SCANS or (
        left.engine == right.engine and left.engine != "distributed"
    ):
        return Tolerance(0.0, 0.0)
    left_over = sum(_of_spread(answer, point) for answer in (left, right))
    return Tolerance(ROUNDING, left_over)


def _of_spread(answer: Answer, point: GridPoint) -> float:
    """How far iterations leave predictions from the optimum's, in deviations of the target."""
    if answer.engine in SCANS:
        return 0.0
    tol = _TOL[answer.engine] if answer.tol is None else answer.tol
    if answer.engine == "sequential":
        # The duality gap, at most tol * sum(y^2), bounds half the squared distance of predictions.
        ridge = point.elastic_net_param == 0 or point.reg_param == 0
        return 0.0 if ridge else float(np.sqrt(2.0 * tol))
    closed = point.elastic_net_param == 0 and len(answer.model.coefficients) <= _NORMAL_FEATURES
    # Without a penalty and with collinear columns Spark falls back to L-BFGS.
    return 0.0 if closed and point.reg_param > 0 else _SPARK_STEPS * float(np.sqrt(tol))


def stated(left: Answer, right: Answer) -> str:
    """The tolerances of the pair in words."""
    found = {tolerance(left, right, point) for point in left.grid}
    if found == {Tolerance(0.0, 0.0)}:
        return "identical bits"
    texts = sorted(
        f"{t.relative:.0e} of the RMSE"
        + (f" + {t.of_spread:.2g} of the target's deviation" if t.of_spread else "")
        for t in found
    )
    return "; ".join(texts)
