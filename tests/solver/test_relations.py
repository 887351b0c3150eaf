"""What follows exactly from other columns of whole numbers: one scan tells, and nothing is lost."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose

from tandem.results import Result
from tandem.solver import cross_validation
from tests.engines.test_scan import table_task
from tests.solver.test_many_features import towns
from tests.tasks import drive

GRID = ("model.reg_param=[0, 1e-4, 0.1]", "model.elastic_net_param=[0, 0.5, 1]")


def clocks(rows: int = 2_000) -> dict[str, Any]:
    """A time is 100 times its hour and its minute; beside it stands a number with fractions."""
    rng = np.random.default_rng(0)
    hour, minute, x = rng.integers(0, 24, rows), rng.integers(0, 60, rows), rng.normal(size=rows)
    y = hour / 7 + x + rng.normal(size=rows)
    return {"x": x, "hour": hour, "minute": minute, "time": 100 * hour + minute, "y": y}


def both(
    folder: Path, monkeypatch: pytest.MonkeyPatch, columns: dict[str, Any], *words: str
) -> tuple[Result, Result]:
    """From sums that are rounded where they may be; from exact ones, as of few rows."""
    pq.write_table(pa.table(columns), folder / "a.parquet")
    task = table_task(folder, *GRID, "folds.k=3", *words)
    with monkeypatch.context() as patch:
        patch.setattr(cross_validation, "_FEW_FEATURES", 1_000)
        patch.setattr(cross_validation, "_LAST_DIGITS", 0.0)
        exact = drive("scan", task)
    with monkeypatch.context() as patch:
        patch.setattr(cross_validation, "_FEW_ROWS", 0)
        rounded = drive("scan", task)
    assert exact.facts.scans == 2
    return rounded, exact


def same(rounded: Result, exact: Result, scans: int) -> None:
    assert rounded.facts.scans == scans
    assert_allclose(rounded.sums.sse, exact.sums.sse, rtol=1e-13)
    found, expected = rounded.sums.slopes, exact.sums.slopes
    assert found is not None
    assert expected is not None
    assert np.abs(found - expected).max() <= 1e-11 * np.abs(expected).max()
    one, other = rounded.sums.designs, exact.sums.designs
    assert [d.rank for d in one] == [d.rank for d in other]
    assert [d.groups for d in one] == [d.groups for d in other]


def test_a_time_that_follows_from_its_hour_and_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same(*both(tmp_path, monkeypatch, clocks()), scans=1)


def test_one_row_that_is_off_is_no_relation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By so little that float64 could not tell."""
    columns = clocks()
    columns["time"] = 300 * columns["time"]
    columns["time"][5] += 1
    same(*both(tmp_path, monkeypatch, columns), scans=2)


@pytest.mark.parametrize("encoding", ["index", "one_hot"])
def test_a_column_that_is_there_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """Its code, and its name: of either encoding a relation."""
    columns = clocks()
    del columns["time"]
    code = np.random.default_rng(1).geometric(0.3, 2_000).clip(max=6)
    columns |= {
        "code": np.char.add("c", code.astype(str)),
        "name": np.char.add("n", code.astype(str)),
    }
    same(*both(tmp_path, monkeypatch, columns, f"cleaning.encoding={encoding}"), scans=1)


def test_hundreds_of_levels_of_which_many_follow_from_one_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("cleaning.encoding=one_hot", "cleaning.max_levels=300")
    same(*both(tmp_path, monkeypatch, towns(5_000), *words), scans=1)
