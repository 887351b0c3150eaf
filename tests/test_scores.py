"""The judge against explicit loops."""

import math

import numpy as np
import pytest

from tandem.model_keys import Choose, GridPoint
from tandem.records import Array
from tandem.results import ErrorSums
from tandem.scores import judge, largest_relative_difference, standard_error, with_medians


def sums(sse: Array, sst: Array | None = None, n_test: tuple[int, ...] | None = None) -> ErrorSums:
    rows = n_test or (4,) * len(sse)
    spread = np.ones(len(sse)) if sst is None else sst
    return ErrorSums(sse, spread, tuple(sum(rows) - n for n in rows), rows)


def test_the_metrics_are_those_of_explicit_loops() -> None:
    rng = np.random.default_rng(0)
    n_test = (10, 7, 31)
    sse, sst = rng.uniform(1, 9, (3, 4)), rng.uniform(5, 20, 3)
    scores = judge(sums(sse, sst, n_test))
    means, deviations = [], []
    for point in range(4):
        column = []
        for fold in range(3):
            rmse = math.sqrt(sse[fold, point] / n_test[fold])
            assert scores.rmse[fold, point] == pytest.approx(rmse, rel=1e-14)
            r2 = 1 - sse[fold, point] / sst[fold]
            assert scores.r2[fold, point] == pytest.approx(r2, rel=1e-14)
            column.append(rmse)
        mean = sum(column) / 3
        means.append(mean)
        deviations.append(math.sqrt(sum((x - mean) ** 2 for x in column) / 3))
    assert scores.rmse_mean.tolist() == pytest.approx(means, rel=1e-14)
    assert scores.rmse_std.tolist() == pytest.approx(deviations, rel=1e-12)
    assert scores.best == means.index(min(means))


def test_the_mean_absolute_error_is_that_of_explicit_loops() -> None:
    sae, n_test = np.array([[3.0, 1.0], [8.0, 2.0]]), (4, 5)
    asked = ErrorSums(np.ones((2, 2)), np.ones(2), (5, 4), n_test, by_row={"mae": sae})
    expected = [[sae[fold, point] / n_test[fold] for point in range(2)] for fold in range(2)]
    assert judge(asked).others["mae"].tolist() == expected
    assert not judge(sums(np.ones((2, 2)))).others


def test_a_median_is_of_the_chosen_point_alone() -> None:
    scores = with_medians(judge(sums(np.array([[2.0, 1.0], [2.0, 1.0]]))), np.array([3.0, 4.0]))
    assert scores.chosen["median_ae"].tolist() == [3.0, 4.0]
    assert np.isnan(scores.others["median_ae"][:, 0]).all()


def test_the_best_point_has_the_smallest_mean_of_the_folds_rmse() -> None:
    # By pooled squared errors the second point would win: 16 + 16 < 0 + 36.
    assert judge(sums(np.array([[0.0, 16.0], [36.0, 16.0]]))).best == 0


@pytest.mark.parametrize(
    ("row", "best"), [((2.0, 1.0, 1.0), 1), ((1.0, 1.0, 1.0), 0), ((3.0, 2.0, 1.0), 2)]
)
def test_the_first_of_equals_is_chosen(row: tuple[float, ...], best: int) -> None:
    assert judge(sums(np.array([row, row]))).best == best


def test_a_fold_with_a_constant_target_has_no_r2() -> None:
    scores = judge(sums(np.array([[1.0, 2.0], [1.0, 2.0]]), np.array([0.0, 4.0])))
    assert np.isnan(scores.r2[0]).all()
    assert scores.r2[1].tolist() == [0.75, 0.5]
    assert np.isfinite(scores.rmse).all()


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.0], [1.0, 4.0], 0.5),
        ([1.0, -1.0], [1.0, 1.0], 2.0),
        ([0.0], [0.0], 0.0),
        ([0.0], [1e-300], 1.0),
        ([math.nan, 1.0], [math.nan, 1.25], 0.2),
        ([], [], 0.0),
    ],
)
def test_the_difference_is_relative_to_the_larger(
    left: list[float], right: list[float], expected: float
) -> None:
    pair = np.array(left), np.array(right)
    assert largest_relative_difference(*pair) == pytest.approx(expected, rel=1e-15)
    assert largest_relative_difference(*pair[::-1]) == pytest.approx(expected, rel=1e-15)


def test_one_nan_is_not_called_equal() -> None:
    difference = largest_relative_difference(np.array([math.nan, 1.0]), np.array([1.0, 1.0]))
    assert not difference < 1.0


GRID = tuple(GridPoint(r, a) for r in (0.1, 10.0, 1.0) for a in (0.0, 1.0))


@pytest.mark.parametrize(
    ("means", "place"),
    [
        # The best, 0.1 and ridge; of ridge 1.0 is within the error, of the lasso all are.
        ((5.0, 5.1, 6.1, 5.1, 5.9, 5.1), 4),
        ((5.0, 9.0, 5.9, 9.0, 5.2, 9.0), 2),  # 10 is the largest, though it stands in between
        ((5.0, 9.0, 6.1, 9.0, 6.2, 9.0), 0),
    ],
)
def test_the_largest_penalty_within_one_standard_error(
    means: tuple[float, ...], place: int
) -> None:
    spread = np.array([-2.0, 0.0, 0.0, 2.0]) * math.sqrt(6) / 2  # one standard error is 1
    rmse = np.array(means) + spread[:, None]
    error = math.sqrt(sum(x * x for x in spread) / 3) / math.sqrt(4)
    assert standard_error(rmse[:, 0]) == pytest.approx(error)
    assert error == pytest.approx(1.0)
    assert judge(sums(4 * rmse**2), GRID, Choose.ONE_STANDARD_ERROR).best == place
    assert judge(sums(4 * rmse**2), GRID).best == 0
