"""A path of penalties: the same points and the same truth in every engine."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tandem.dataset.target import target_deviation
from tandem.engines.sklearn_fits import Fits
from tandem.model_keys import GridPoint, Solver
from tandem.reporting import grid
from tests.engines.test_answers import SOLVED, check, no_spark, protocol, table
from tests.tasks import drive, make_task, synthetic, truth_of

EXCLUDE = "dataset.exclude=[packed,constant with gaps]"  # as in test_ridge


def test_every_engine_finds_the_truth_along_a_path(engine: str, tmp_path: Path) -> None:
    synthetic(tmp_path, rows=300, seed=4, files=2)
    shares = "model.elastic_net_param=[0]" if engine == "distributed" else ""
    words = ("model.path=5", "model.choose=one_standard_error", EXCLUDE, *filter(None, [shares]))
    task = table(tmp_path, *protocol(), *words)
    largest = 10.0 * target_deviation(task.dataset)
    assert [p.reg_param for p in task.grid[:: len(task.grid) // 5]] == [
        pytest.approx(largest * step, rel=1e-3) for step in np.logspace(0, -5, 5)
    ]
    found = drive(engine, task)
    check(found, truth_of(task))
    smallest = int(np.argmin(found.scores.rmse_mean))
    assert found.best.reg_param >= task.grid[smallest].reg_param


def test_a_path_is_drawn_as_curves_over_the_penalty(tmp_path: Path) -> None:
    synthetic(tmp_path, rows=300, seed=4, files=2)
    found = drive("scan", table(tmp_path, *protocol(), "model.path=6"))
    (axes,) = grid(found).axes
    lines = {str(line.get_label()): line for line in axes.get_lines()}
    assert [*lines] == [*(f"elastic_net_param {share}" for share in ("0", "0.5", "1")), "chosen"]
    for place, line in enumerate([*lines.values()][:3]):
        means = found.scores.rmse_mean[place::3][::-1]
        np.testing.assert_array_equal(line.get_ydata(), means)
    assert lines["chosen"].get_xdata() == [found.best.reg_param]


def test_nothing_is_left_of_a_lasso_at_the_beginning(tmp_path: Path) -> None:
    synthetic(tmp_path, rows=300, seed=4, files=2)
    words = ("model.path=5", "model.elastic_net_param=[0.2,1]")
    found = drive("scan", table(tmp_path, *protocol(), *words))
    assert found.sums.slopes is not None
    assert not found.sums.slopes[:, :2].any()
    assert found.sums.slopes[:, -1].any()


@pytest.mark.parametrize("precompute", [True, False])
def test_along_a_path_or_one_by_one(*, precompute: bool) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 9))
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    y = x @ rng.normal(size=9) + rng.normal(size=200)
    points = [GridPoint(r, a) for r in (0.03, 1.0, 0.2) for a in (0.0, 0.5, 1.0)]
    fits = Fits(x, y, Solver(1e-12, 100_000, precompute=precompute))
    along = dict(fits.along(points))
    assert sorted(along) == [*range(9)]
    for place, point in enumerate(points):
        one = fits.at(point)
        np.testing.assert_allclose(along[place].weights, one.weights, atol=1e-7)
        assert along[place].intercept == pytest.approx(one.intercept, abs=1e-9)
        assert np.isnan(along[place].gap) == (point.elastic_net_param == 0.0)


def test_fits_that_stop_too_early_are_counted_on_a_path() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 5)) + 3.0 * rng.normal(size=(50, 1))
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    points = [GridPoint(r, 1.0) for r in (1e-3, 1e-4, 1e-5)]
    fits = Fits(x, x @ rng.normal(size=5), Solver(1e-14, 2, precompute=False))
    assert len([*fits.along(points)]) == 3
    assert fits.unconverged == 3


@no_spark
def test_a_table_in_another_unit_has_the_same_path(engine: str, tmp_path: Path) -> None:
    """RMSE in cents is a hundred times that in euros: penalties go by the target."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.normal(size=(120, 3)), columns=[*"abc"])
    frame["y"] = frame.sum(axis=1) + rng.normal(size=120)
    found = []
    for name, unit in (("euros", 1.0), ("cents", 100.0)):
        frame.assign(y=unit * frame.y).to_parquet(tmp_path / f"{name}.parquet")
        place = f"dataset.path={tmp_path / name}.parquet"
        task = make_task("dataset=files", place, "dataset.target=y", "model.path=4", *SOLVED)
        found.append(drive(engine, task).scores.rmse / unit)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-3)
