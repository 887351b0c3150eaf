"""How many times an engine goes through the input rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tandem.cleaning import decide
from tandem.engines.base import Engine
from tandem.engines.creation import create
from tandem.records import Task
from tandem.settings import ScoreKeys
from tandem.tracking.record import describe
from tests.tasks import drive, make_task, synthetic


def table(folder: Path, *overrides: str) -> Task:
    return make_task("dataset=files", f"dataset.path={folder}", "dataset.target=y", *overrides)


def write(folder: Path, x: np.ndarray, *, statistics: bool = True) -> None:
    y = np.arange(len(x)) % 7 + np.nan_to_num(x)
    columns = {"x": x, "y": y}
    path = folder / "a.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=50, write_statistics=statistics)


def test_one_scan_and_one_more_for_absolute_errors(tmp_path: Path) -> None:
    write(tmp_path, np.random.default_rng(0).normal(size=300))
    task = table(tmp_path)
    result = drive("scan", task)
    assert result.facts.scans == 1
    assert describe(result, {}, "").values()["data/scans"] == 1
    assert drive("scan", replace(task, scores=ScoreKeys(mae=True))).facts.scans == 2


@pytest.mark.parametrize("mae", [False, True])
def test_digits_that_are_lost_take_one_scan_absolute_errors_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, mae: bool
) -> None:
    write(tmp_path, np.random.default_rng(0).normal(size=300))
    monkeypatch.setattr("tandem.solver.cross_validation.LOST", np.inf)
    assert drive("scan", replace(table(tmp_path), scores=ScoreKeys(mae=mae))).facts.scans == 2


def test_without_statistics_the_rows_are_counted_first(tmp_path: Path) -> None:
    write(tmp_path, np.random.default_rng(0).normal(size=300), statistics=False)
    assert drive("scan", table(tmp_path)).facts.scans == 2


def test_nan_cuts_a_scan_short_and_costs_two(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=300)
    x[200:] = np.nan
    write(tmp_path, x)
    assert drive("scan", table(tmp_path)).facts.scans == 3


def test_a_second_look_reads_nothing_or_what_is_new(tmp_path: Path) -> None:
    write(tmp_path, np.random.default_rng(0).normal(size=300))
    kept = "cache.moments=true"
    assert drive("scan", table(tmp_path, kept)).facts.scans == 1
    assert drive("scan", table(tmp_path, kept, "model.reg_param=[7]")).facts.scans == 0
    assert drive("scan", table(tmp_path, kept, "scores.mae=true")).facts.scans == 1
    (tmp_path / "b.parquet").write_bytes((tmp_path / "a.parquet").read_bytes())
    assert drive("scan", table(tmp_path, kept)).facts.scans == 1


@contextmanager
def cleaned(name: str, task: Task) -> Iterator[Engine]:
    """An engine whose input files are gone after `load`."""
    engine = create(name, task)
    try:
        engine.start()
        engine.load()
        for file in task.dataset.files:
            Path(file.path).unlink()
        data = task.dataset
        engine.prepare(partial(decide, data.target, data.features, cleaning=task.cleaning))
        yield engine
    finally:
        engine.close()


@pytest.mark.parametrize(
    "name", ["sequential", pytest.param("distributed", marks=pytest.mark.slow)]
)
def test_one_pass_is_all_that_the_others_take(tmp_path: Path, name: str) -> None:
    synthetic(tmp_path, rows=300, seed=1, files=2)
    grid = ("model.reg_param=[0.1]", "model.elastic_net_param=[0]", "folds.k=2")
    with cleaned(name, table(tmp_path, *grid, "scores.mae=true")) as engine:
        sums = engine.cross_validate()
        assert np.isfinite(sums.by_row["mae"]).all()
        engine.refit(engine.task.grid[0])
        assert engine.facts().scans == 1
