"""Whatever the first rows hold: fill values, other years, rows that are dropped or held out."""

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tandem.oracle_folds import folds_of
from tandem.records import Task
from tandem.results import Result
from tests.engines.test_distributed_scan import identical
from tests.engines.test_scan import check
from tests.rational import held_out
from tests.tasks import drive, make_task, synthetic, truth_of

FILLS = (0.0, -999.0, -99999.0, 1e10, 9.96921e36)
RIDGE = ("model.elastic_net_param=[0]",)


def table_task(folder: Path, *overrides: str) -> Task:
    return make_task("dataset=files", f"dataset.path={folder}", "dataset.target=y", *overrides)


def exact(task: Task) -> list[Fraction]:
    """The held-out MSE of every fold at the only grid point, of numeric features."""
    table = pq.read_table([file.path for file in task.dataset.files])
    rows = [i for i, cell in enumerate(table["y"].to_pylist()) if cell is not None]
    columns = {
        name: [_fraction(table[name][i].as_py()) for i in rows] for name in table.column_names
    }
    of = folds_of(table.num_rows, task.folds)
    folds = [of[i] for i in rows]
    (point,) = task.grid
    features = [columns[column.name] for column in task.dataset.features]
    return held_out(features, columns["y"], folds, Fraction(point.reg_param))  # type: ignore[arg-type]  # no None in y


def _fraction(cell: float | None) -> Fraction | None:
    return None if cell is None else Fraction(cell)


def worst(result: Result, truth: list[Fraction]) -> float:
    """The largest relative error of a fold's MSE."""
    found = (result.sums.sse[:, 0] / np.array(result.sums.n_test)).tolist()
    return max(float(abs(Fraction(a) - b) / b) for a, b in zip(found, truth, strict=True))


def write(folder: Path, rows_a_group: int | None = None, **columns: Any) -> None:
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), folder / "a.parquet", row_group_size=rows_a_group)


def without(values: np.ndarray, gone: slice) -> pa.Array:
    mask = np.zeros(len(values), dtype=bool)
    mask[gone] = True
    return pa.array(values, mask=mask)


def gap(folder: Path, rows: int, first: int) -> None:
    """The `first` rows have no target yet, x is 0 there; then x is 1e8 and something."""
    rng = np.random.default_rng(5)
    x = 1e8 + rng.normal(size=rows)
    y = 2 * (x - 1e8) + rng.normal(size=rows)
    x[:first] = 0.0
    write(folder, x=x, y=without(y, slice(first)))


@pytest.mark.parametrize(("rows", "first", "scans"), [(600, 150, 1), (6000, 5000, 2)])
def test_rows_without_a_target_come_first(
    tmp_path: Path, rows: int, first: int, scans: int
) -> None:
    """In the rows that suggest a shift, or before them: then the sums say that it is wrong."""
    gap(tmp_path, rows, first)
    task = table_task(tmp_path, "model.reg_param=[0.1]", *RIDGE)
    result = drive("scan", task)
    assert worst(result, exact(task)) < 1e-13
    assert result.facts.scans == scans
    assert result.model.coefficients["x"] == pytest.approx(1.93, abs=0.05)


def test_a_fill_value_in_the_rows_of_one_fold(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=400) * 0.1
    y = 20 * x + rng.normal(size=400)
    x[200:300] = 9.96921e36
    write(tmp_path, x=x, y=y)
    task = table_task(tmp_path, "folds.k=4", "folds.block=100", "model.reg_param=[0.1]", *RIDGE)
    for engine in ("scan", "sequential"):
        assert worst(drive(engine, task), exact(task)) < 1e-13


def test_two_folds_that_no_shift_serves(tmp_path: Path) -> None:
    """Each is the other's training set, and 1e12 deviations away."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=200) * 1e-4
    x[100:] += 1e8
    write(tmp_path, x=x, y=rng.normal(size=200) + 1e4 * x % 7)
    task = table_task(tmp_path, "folds.k=2", "folds.block=100", "model.reg_param=[1]", *RIDGE)
    assert {*folds_of(200, task.folds)[::100]} == {0, 1}
    assert worst(drive("scan", task), exact(task)) < 1e-12


def test_seconds_since_1970_after_zeros(tmp_path: Path) -> None:
    """Whole numbers whose squares are beyond 2**53."""
    rng = np.random.default_rng(1)
    seconds = 1_700_000_000 + rng.integers(0, 100_000, 6000)
    y = seconds % 1000 + rng.normal(size=6000)
    seconds[:5000] = 0
    write(tmp_path, seconds=seconds, y=without(y, slice(5000)))
    task = table_task(tmp_path, "model.reg_param=[0.1]", *RIDGE)
    assert worst(drive("scan", task), exact(task)) < 1e-13


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """One or two columns, far from 0, with fill values in some rows, dropped or not; with gaps."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = draw(st.integers(30, 80))
    columns: dict[str, Any] = {}
    y, no_target = (
        rng.normal(size=rows) * draw(st.sampled_from([0.1, 1.0, 30.0])),
        np.zeros(rows, bool),
    )
    for name in ("a", "b")[: draw(st.integers(1, 2))]:
        x = rng.normal(size=rows)
        y += draw(st.integers(-3, 3)) * x
        deviation = 10.0 ** draw(st.integers(-3, 3))
        x = x * deviation + draw(st.sampled_from([-1, 0, 1])) * deviation * 10.0 ** draw(
            st.integers(0, 12)
        )
        for begin, length, fill, dropped in draw(st.lists(stretches(rows), max_size=2)):
            x[begin : begin + length] = fill
            no_target[begin : begin + length] |= dropped
        if draw(st.booleans()):
            x = np.rint(np.clip(x, -(2.0**52), 2.0**52)).astype(np.int64)
        gaps = rng.random(rows) < draw(st.sampled_from([0, 0, 0.3]))
        columns[name] = pa.array(x, mask=gaps & (gaps.mean() > 0.1))
    y += draw(st.sampled_from([0.0, 0.0, 1e3, 1e9])) * y.std()
    columns["y"] = pa.array(y, mask=no_target)
    return columns


def stretches(rows: int) -> st.SearchStrategy[tuple[int, int, float, bool]]:
    """First row, rows, fill value, whether the rows have no target."""
    begins = st.one_of(st.just(0), st.integers(0, rows - 1), st.integers(rows // 2, rows - 1))
    return st.tuples(begins, st.integers(1, rows // 2), st.sampled_from(FILLS), st.booleans())


@settings(max_examples=60)
@given(tables(), st.integers(2, 4), st.sampled_from([1, 3, 10, 25]), st.sampled_from([0.1, 1.0]))
def test_any_fill_values_and_offsets(
    tmp_path_factory: pytest.TempPathFactory,
    columns: dict[str, Any],
    k: int,
    block: int,
    reg_param: float,
) -> None:
    """Every fold's MSE to 12 digits."""
    folder = tmp_path_factory.mktemp("table")
    write(folder, 40, **columns)
    shape = (f"folds.k={k}", f"folds.block={block}", f"model.reg_param=[{reg_param}]")
    task = table_task(folder, *shape, *RIDGE)
    there = {
        name: ~np.isnan(column.to_numpy(zero_copy_only=False)) for name, column in columns.items()
    }
    folds = np.array(folds_of(len(columns["y"]), task.folds))
    for fold in range(k):
        assume(np.any(there["y"] & (folds == fold)))
        assume(all(np.any(cells & there["y"] & (folds != fold)) for cells in there.values()))
    truth = exact(task)
    assume(all(truth))
    assert worst(drive("scan", task), truth) < 1e-12


@pytest.mark.parametrize("fit_on", ["train", "all"])
@pytest.mark.parametrize("fill", [1e10, 9.96921e36])
def test_a_dirty_table_behind_rows_that_are_dropped(
    tmp_path: Path, fit_on: str, fill: float
) -> None:
    """Categories, gaps, constants: what is imputed, indexed and solved is about centres too."""
    synthetic(tmp_path / "plain", rows=500, seed=3)
    table = pq.read_table(tmp_path / "plain" / "00.parquet")
    first = table.slice(0, 500).to_pylist() * 9  # more rows than suggest a shift
    for row in first:
        row["y"] = None
        for name in ("a", "rows.dropped", "imputed"):
            row[name] = fill
    before = pa.Table.from_pylist(first, table.schema)
    path = tmp_path / "plain" / "00.parquet"
    pq.write_table(pa.concat_tables([before, table]), path, row_group_size=700)
    words = (f"cleaning.fit_on={fit_on}", "scores.mae=true", "folds.block=7")
    task = table_task(tmp_path / "plain", *words)
    result = drive("scan", task)
    truth = truth_of(task)
    check(result, truth)
    assert_allclose(result.scores.others["mae"], truth.mae, rtol=1e-10)


def test_a_column_is_constant_where_its_range_is_0(tmp_path: Path) -> None:
    """In the training set without a fold, where it varies: far away, or by the least there is."""
    rng = np.random.default_rng(3)
    rows = np.arange(300)
    y = rng.normal(size=300)
    least = np.where(rows == 250, np.nextafter(0.1, 1), 0.1)
    once = np.where(rows < 100, rng.normal(size=300), 0.1)
    write(tmp_path, once=once, least=least, z=y + rng.normal(size=300), y=y)
    task = table_task(tmp_path, "folds.block=100", "folds.seed=1", "model.reg_param=[0]", *RIDGE)
    assert folds_of(300, task.folds)[::100] == [0, 2, 1]
    result = drive("scan", task)
    assert [design.features for design in result.sums.designs] == [2, 2, 3]
    assert [design.rank for design in result.sums.designs] == [2, 2, 3]
    assert worst(result, exact(task)) < 1e-10


def test_tidy_data_take_one_scan(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = np.arange(45_000)
    write(
        tmp_path,
        5000,
        sorted=np.sort(rng.normal(size=45_000)) + 1e6,
        time=1.7e9 + 60.0 * rows,
        skewed=np.exp(2 * rng.normal(size=45_000)),
        year=np.full(45_000, 2013.0),
        y=rng.normal(size=45_000),
    )
    for block in (1, 5000):
        assert drive("scan", table_task(tmp_path, f"folds.block={block}")).facts.scans == 1


def test_kept_sums_are_about_their_centres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / "cache"))
    gap(tmp_path / "data", 9000, 5000)
    kept = table_task(tmp_path / "data", "cache.moments=true")
    first, second = drive("scan", kept), drive("scan", kept)
    assert (first.facts.scans, second.facts.scans) == (2, 0)
    identical(first, second)
    assert_allclose(
        drive("scan", table_task(tmp_path / "data")).sums.sse, first.sums.sse, rtol=1e-12
    )
    shutil.copy(tmp_path / "data" / "a.parquet", tmp_path / "data" / "b.parquet")
    grown = table_task(tmp_path / "data", "cache.moments=true", "model.reg_param=[0.1]", *RIDGE)
    assert worst(drive("scan", grown), exact(grown)) < 1e-12
