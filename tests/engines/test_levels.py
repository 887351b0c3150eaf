"""Levels that only some rows have: those that are dropped, those of the hold-out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tandem.checks import remarks
from tandem.dataset import fold_of_rows, sample
from tandem.records import Task
from tandem.reporting.run_texts import coefficients
from tests.engines.test_answers import SOLVED
from tests.tasks import drive, make_task, truth_of


def asked(folder: Path, frame: pd.DataFrame, *words: str) -> Task:
    frame.to_parquet(folder / "t.parquet")
    data = ("dataset=files", f"dataset.path={folder}/t.parquet", "dataset.target=y")
    grid = ("model.reg_param=[0.1]", "model.elastic_net_param=[0]")
    return make_task(*data, *grid, *SOLVED, "cleaning.encoding=one_hot", *words)


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    city = rng.choice(["Bern", "Basel", "Chur"], 120)
    a, b = rng.normal(size=(2, 120))
    y = a - 2.0 * b + 3.0 * (city == "Bern") + rng.normal(size=120)
    return pd.DataFrame({"city": city, "a": a, "b": b, "y": y})


def agrees(engine: str, task: Task, levels: int) -> None:
    found, truth = drive(engine, task), truth_of(task)
    within = 1e-6 if engine == "distributed" else 1e-9
    np.testing.assert_allclose(found.scores.rmse, truth.rmse, rtol=within)
    assert found.sums.features == (levels, 1, 1)
    table = coefficients(found).set_index("feature")
    known = truth.coefficients[0]
    for name in ("a", "b"):
        assert table.coefficient[name] == pytest.approx(known[name], rel=1e-5)
        spread = table.loc[name, ["fold_0", "fold_1", "fold_2"]].to_numpy(float)
        assert spread == pytest.approx(np.full(3, known[name]), abs=0.4)
    effects = dict(zip(found.model.levels["city"], truth.effects[0]["city"], strict=False))
    assert [*table.index] == [*(f"city={level}" for level in effects), "a", "b"]
    for level, effect in effects.items():
        assert table.coefficient[f"city={level}"] == pytest.approx(effect, rel=1e-5)
    if "partial_r2" in table:
        assert table.partial_r2.a == pytest.approx(
            coefficients(drive("scan", task)).set_index("feature").partial_r2.a
        )


def test_dropped_rows_have_levels_of_their_own(
    engine: str, tmp_path: Path, frame: pd.DataFrame
) -> None:
    gone = frame.city.where(frame.index % 7 > 0, [f"none {row}" for row in frame.index])
    y = frame.y.where(frame.index % 7 > 0)
    agrees(engine, asked(tmp_path, frame.assign(city=gone, y=y)), 3)


@pytest.mark.parametrize("most", [100, 2])
def test_the_hold_out_has_levels_of_its_own(
    engine: str, tmp_path: Path, frame: pd.DataFrame, most: int
) -> None:
    words = ("folds.holdout=0.3", f"cleaning.max_levels={most}")
    task = asked(tmp_path, frame, *words)
    held_out = fold_of_rows(task.dataset, task.folds) == 3
    city = np.where(held_out & (np.arange(120) % 2 > 0), "Zug", frame.city)
    task = asked(tmp_path, frame.assign(city=city), *words)
    found = drive(engine, task)
    assert found.sums.features == (min(4, most + 1), 1, 1)
    assert "city=Zug" not in [*coefficients(found).feature]
    assert len(coefficients(found)) == 2 + 3
    wanted = drive("sequential", task)
    np.testing.assert_allclose(found.scores.rmse, wanted.scores.rmse, rtol=1e-6)


def test_what_is_collinear_is_named_all_the_same(tmp_path: Path, frame: pd.DataFrame) -> None:
    """Where features of dropped rows once moved the names: this was an IndexError."""
    gone = frame.city.where(frame.index % 7 > 0, [f"none {row}" for row in frame.index])
    y = frame.y.where(frame.index % 7 > 0)
    task = asked(tmp_path, frame.assign(city=gone, y=y, twice=2.0 * frame.b), "model.reg_param=[0]")
    found = drive("scan", task)
    said = remarks(found, sample(task.dataset, ["y", *found.model.coefficients]))
    assert any(line.startswith("b and twice: they follow from one another") for line in said)
