"""The objective, and what it is called in scikit-learn.

For a training set of n rows with population standard deviations s_j of the features and s_y of
the target, and a = elastic_net_param:

    1/(2n) * sum_i (y_i - b0 - x_i'b)^2
    + reg_param * [a * sum_j s_j |b_j| + (1 - a)/(2 s_y) * sum_j (s_j b_j)^2]

This is Spark ML's LinearRegression with standardization=True, and glmnet's. The factor 1/s_y of
the ridge term is theirs: both standardise the target too, and scale only the l1 term back.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tandem.model_keys import GridPoint, Solver

if TYPE_CHECKING:
    from sklearn.linear_model import ElasticNet, LinearRegression, Ridge


class Penalty(NamedTuple):
    """Weights of sum |w| and of sum w^2 / 2, for features standardised by s_j."""

    l1: float
    l2: float


def penalty(point: GridPoint, target_deviation: float) -> Penalty:
    """l1 = reg_param * a and l2 = reg_param * (1 - a) / s_y.

    Spark ML's convention to scikit-learn's: alpha = l1 + l2, l1_ratio = l1 / alpha.
    `target_deviation` is s_y, in units of the target; it must not be 0.
    """
    ratio = point.elastic_net_param
    return Penalty(point.reg_param * ratio, point.reg_param * (1.0 - ratio) / target_deviation)


def sklearn_estimator(
    point: GridPoint,
    shape: tuple[int, int],
    target_deviation: float,
    solver: Solver,
    rows: float | None = None,
) -> "ElasticNet | Ridge | LinearRegression":
    """The unfitted scikit-learn estimator of the objective, for standardised features of `shape`.

    Without a penalty: ordinary least squares, of smallest norm where features are collinear. Its
    tol, since scikit-learn 1.9, is the share of the largest singular value below which one
    counts as 0: the default ruins ill-conditioned fits, 0 takes rounding for a direction, so it
    is the rounding of a matrix of that shape, as in numpy. With l2 alone: Ridge, whose loss is not
    divided by 2n. Else ElasticNet. `rows`: n, each as often as it counts; None: as `shape` says.
    """
    from sklearn.linear_model import ElasticNet, LinearRegression, Ridge  # noqa: PLC0415 - slow

    l1, l2 = penalty(point, target_deviation)
    if l1 == 0.0 and l2 == 0.0:
        return LinearRegression(tol=max(shape) * float(np.finfo(np.float64).eps))
    if l1 == 0.0:
        return Ridge(alpha=(shape[0] if rows is None else rows) * l2)
    asked = {"tol": solver.tol, "max_iter": solver.max_iter}
    return ElasticNet(
        alpha=l1 + l2,
        l1_ratio=l1 / (l1 + l2),
        precompute=solver.precompute,
        **{name: value for name, value in asked.items() if value is not None},
    )
