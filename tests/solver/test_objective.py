"""scikit-learn's solution is the minimum of the documented objective."""

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, LinearRegression, Ridge

from tandem.model_keys import GridPoint, Solver
from tandem.records import Array
from tandem.solver.active_set import ActiveSet, violation
from tandem.solver.objective import Penalty, penalty, sklearn_estimator

EXACT = Solver(tol=1e-14, max_iter=1_000_000, precompute=False)

POINTS = {
    "ridge": GridPoint(0.3, 0.0),
    "lasso": GridPoint(0.3, 1.0),
    "elastic net": GridPoint(0.3, 0.5),
    "ols": GridPoint(0.0, 0.0),
    "ols of a lasso": GridPoint(0.0, 1.0),
}
every_point = pytest.mark.parametrize("point", POINTS.values(), ids=POINTS.keys())


def data() -> tuple[Array, Array]:
    """Few rows; features of unlike scale, two of them correlated, one without effect."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(25, 4)) * [1.0, 30.0, 0.02, 5.0] + [0.0, 100.0, 7.0, -3.0]
    x[:, 3] += 4 * x[:, 0]
    y = 10 + 2 * x[:, 0] - 0.1 * x[:, 1] + 90 * x[:, 2] + rng.normal(size=25)
    return x, y


def objective(intercept: float, slopes: Array, x: Array, y: Array, point: GridPoint) -> float:
    """The formula of `tandem.elastic_net`, term by term, in raw units."""
    n, a = len(y), point.elastic_net_param
    loss = sum((y[i] - intercept - x[i] @ slopes) ** 2 for i in range(n)) / (2 * n)
    l1 = sum(x[:, j].std() * abs(slopes[j]) for j in range(x.shape[1]))
    l2 = sum((x[:, j].std() * slopes[j]) ** 2 for j in range(x.shape[1]))
    return float(loss + point.reg_param * (a * l1 + (1 - a) / (2 * y.std()) * l2))


def slow_minimum(x: Array, y: Array, point: GridPoint) -> tuple[float, Array]:
    """Coordinate descent on `objective`, in raw units: one slope after another set to its best."""
    n, a, s = len(y), point.elastic_net_param, x.std(axis=0)
    centred, residual = x - x.mean(axis=0), y - y.mean()
    slopes = np.zeros(x.shape[1])
    for _ in range(3000):
        for j in range(x.shape[1]):
            column = centred[:, j]
            residual = residual + column * slopes[j]
            pull = column @ residual / n
            shrunk = np.sign(pull) * max(abs(pull) - point.reg_param * a * s[j], 0.0)
            curvature = column @ column / n + point.reg_param * (1 - a) / y.std() * s[j] ** 2
            slopes[j] = shrunk / curvature
            residual = residual - column * slopes[j]
    return float(y.mean() - x.mean(axis=0) @ slopes), slopes


def fitted(x: Array, y: Array, point: GridPoint, solver: Solver) -> tuple[float, Array]:
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    estimator = sklearn_estimator(point, x.shape, float(y.std()), solver)
    estimator.fit((x - mean) / deviation, y)
    slopes: Array = estimator.coef_ / deviation
    return float(estimator.intercept_ - slopes @ mean), slopes


@pytest.mark.parametrize(
    ("point", "l1", "l2"),
    [
        (GridPoint(0.1, 0.25), 0.025, 0.1 * 0.75 / 4.0),
        (GridPoint(0.1, 0.0), 0.0, 0.1 / 4.0),
        (GridPoint(0.1, 1.0), 0.1, 0.0),
        (GridPoint(0.0, 0.5), 0.0, 0.0),
    ],
)
def test_the_ridge_term_alone_is_divided_by_the_targets_deviation(
    point: GridPoint, l1: float, l2: float
) -> None:
    assert penalty(point, 4.0) == pytest.approx((l1, l2), rel=1e-15)


@every_point
@pytest.mark.parametrize("precompute", [False, True])
def test_the_solution_is_that_of_slow_coordinate_descent(
    point: GridPoint, *, precompute: bool
) -> None:
    x, y = data()
    solver = Solver(EXACT.tol, EXACT.max_iter, precompute)
    intercept, slopes = fitted(x, y, point, solver)
    slow_intercept, slow_slopes = slow_minimum(x, y, point)
    # A slope matters by what it moves the prediction: its size times the feature's deviation.
    assert slopes * x.std(axis=0) == pytest.approx(slow_slopes * x.std(axis=0), rel=1e-7, abs=1e-9)
    assert intercept == pytest.approx(slow_intercept, rel=1e-7)


@every_point
def test_no_step_from_the_solution_lowers_the_objective(point: GridPoint) -> None:
    x, y = data()
    intercept, slopes = fitted(x, y, point, EXACT)
    least = objective(intercept, slopes, x, y, point)
    rng = np.random.default_rng(0)
    for size in (1e-1, 1e-3):
        for _ in range(200):
            step = rng.normal(size=4) * size / x.std(axis=0)
            # The intercept follows, so that the step is not wasted on the mean.
            moved = intercept - x.mean(axis=0) @ step + rng.normal() * size
            assert objective(moved, slopes + step, x, y, point) > least


def test_lasso_sets_slopes_to_zero_and_ridge_does_not() -> None:
    x, y = data()
    assert (fitted(x, y, GridPoint(1.5, 1.0), EXACT)[1] == 0.0).any()
    assert (fitted(x, y, GridPoint(1.5, 0.0), EXACT)[1] != 0.0).all()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ridge", Ridge),
        ("lasso", ElasticNet),
        ("elastic net", ElasticNet),
        ("ols", LinearRegression),
        ("ols of a lasso", LinearRegression),
    ],
)
def test_every_point_gets_the_solver_made_for_it(name: str, kind: type) -> None:
    assert type(sklearn_estimator(POINTS[name], (25, 4), 2.0, EXACT)) is kind


def test_what_is_not_asked_for_is_left_to_scikit_learn() -> None:
    point, default = GridPoint(0.3, 0.5), ElasticNet().get_params()
    chosen = sklearn_estimator(
        point, (25, 4), 2.0, Solver(None, None, precompute=False)
    ).get_params()
    assert (chosen["tol"], chosen["max_iter"]) == (default["tol"], default["max_iter"])
    asked = sklearn_estimator(point, (25, 4), 2.0, Solver(1e-9, 7, precompute=True)).get_params()
    assert (asked["tol"], asked["max_iter"], asked["precompute"]) == (1e-9, 7, True)


def test_least_squares_survives_nearly_collinear_features() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    x[:, 1] = x[:, 0] + 1e-8 * x[:, 1]
    y = x @ [1.0, 2.0]
    estimator = sklearn_estimator(POINTS["ols"], x.shape, float(y.std()), EXACT).fit(x, y)
    assert estimator.coef_ == pytest.approx([1.0, 2.0], rel=1e-4)


def test_of_features_of_which_one_is_1_a_lasso_leaves_one_out() -> None:
    """Also where its penalty is nothing against what pulls: from least squares, of all of them."""
    rng = np.random.default_rng(0)
    z = np.column_stack([rng.normal(size=60), np.eye(4)[rng.integers(0, 4, 60)]])
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    y = 1e5 * rng.normal(size=60)
    gram, xy = z.T @ z / 60, z.T @ (y - y.mean()) / 60
    null = np.linalg.eigh(gram)[1][:, :1]
    start, tiny = np.linalg.pinv(gram) @ xy, Penalty(1e-5, 0.0)
    found = ActiveSet(gram, xy, tiny, null).run(start)
    assert np.count_nonzero(found[1:]) == 3
    assert violation(gram, xy, tiny, found) <= 1e-14 * np.abs(xy).max()
