"""The scan engine against the slow truth, to the last digits, however its rows come."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tandem.checks import remarks
from tandem.dataset.samples import sample
from tandem.errors import DataError
from tandem.moments import tiling
from tandem.oracle import OracleResult
from tandem.oracle_folds import folds_of
from tandem.records import Task
from tandem.results import Result
from tandem.scan import arrow as columns_module
from tandem.scan import row_groups
from tandem.scan.pieces import Piece
from tandem.tracking.record import describe
from tests.tasks import drive, make_task, synthetic, truth_of

MSE_RTOL = 1e-10
COEFFICIENT_TOL = 1e-9  # of the largest
EXACT = ("model.tol=1e-13", "model.max_iter=1000000", "model.precompute=true")

LEDGER = ("rows_in", "rows_used", "rows_dropped_target", "rows_dropped_missing", "cells_imputed")


def table_task(folder: Path, *overrides: str) -> Task:
    overrides = ("dataset=files", f"dataset.path={folder}", "dataset.target=y", *overrides)
    return make_task("engine=scan", *overrides)


def check(result: Result, truth: OracleResult, *, unique: bool = True) -> None:
    """Same decisions, rows, errors and, where the minimiser is `unique`, the same model."""
    assert {d.column.name: d.action.value for d in result.plan.decisions} == truth.actions
    for name in LEDGER:
        assert getattr(result.ledger, name) == getattr(truth, name)
    assert result.sums.unconverged == 0  # KKT residual <= 1e-12 at every point
    n_test = np.array(result.sums.n_test)[:, None]
    assert_allclose(result.sums.sse / n_test, truth.rmse**2, rtol=MSE_RTOL, atol=1e-25)
    assert_allclose(1.0 - result.scores.r2, 1.0 - truth.r2, rtol=MSE_RTOL, atol=1e-25)
    if unique:
        expected = truth.coefficients[result.scores.best]
        assert [*result.model.coefficients] == [*expected]
        slopes = np.array([*expected.values()])
        largest = float(np.max(np.abs(slopes)))
        found = [*result.model.coefficients.values()]
        assert_allclose(found, slopes, rtol=0, atol=COEFFICIENT_TOL * largest)
        ours, offset = result.model.intercept, truth.intercepts[result.scores.best]
        for name, effects in truth.effects[result.scores.best].items():
            # Those of a lasso are unique up to a constant, which the intercept takes.
            found, wanted = (
                np.array(result.model.encodings[name][: len(effects)]),
                np.array(effects),
            )
            away = (found - found[0]) - (wanted - wanted[0])
            assert_allclose(away, 0.0, atol=COEFFICIENT_TOL * max(abs(wanted)))
            ours, offset = ours + found[0], offset + wanted[0]
        assert ours == pytest.approx(offset, rel=COEFFICIENT_TOL, abs=1e-9)


def identical(left: Result, right: Result) -> None:
    """Bit for bit."""
    assert_array_equal(left.sums.sse, right.sums.sse)
    assert_array_equal(left.sums.sst, right.sums.sst)
    assert left.model == right.model
    assert left.ledger == right.ledger


@pytest.mark.parametrize("k", [3, 20])
def test_flights(k: int) -> None:
    """With hour and minute, of which sched_dep_time is a sum, and with ordinary least squares."""
    grid = "model.reg_param=[0,0.001,0.1,5]"
    task = make_task("engine=scan", "dataset.rows=800", f"folds.k={k}", grid)
    check(drive("scan", task), truth_of(task))


def write(folder: Path, columns: dict[str, Any], row_group: int = 10_000) -> None:
    pq.write_table(pa.table(columns), folder / "a.parquet", row_group_size=row_group)


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("reg_param", [0.0, 0.1])
def test_collinear_duplicate_and_constant_columns(
    tmp_path: Path, reg_param: float, ratio: float
) -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 500))
    y = a - 2 * b + 0.5 * c + rng.normal(size=500)
    columns = {"a": a, "b": b, "sum": a + b, "again": 3 * a, "seven": np.full(500, 7.1), "c": c}
    write(tmp_path, {**columns, "y": y})
    grid = (f"model.reg_param=[{reg_param}]", f"model.elastic_net_param=[{ratio}]")
    task = table_task(tmp_path, *grid)
    result = drive("scan", task)
    lasso = ratio == 1.0 and reg_param > 0  # its predictions are unique, its weights are not
    check(result, truth_of(task), unique=not lasso)
    assert result.model.coefficients["seven"] == 0.0
    # the smallest norm in standardised units shares between equals
    assert result.model.coefficients["a"] == pytest.approx(3 * result.model.coefficients["again"])


@pytest.mark.engines("scan", "sequential")
def test_rank_and_condition_are_those_of_the_rows_and_are_logged(
    tmp_path: Path, engine: str
) -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 300))
    features = {"a": a, "b": b, "sum": a + 1e-3 * b + 5, "near": a + 1e-2 * c}
    write(tmp_path, {**features, "constant": np.full(300, 3.0), "y": b + rng.normal(size=300)})
    task = table_task(tmp_path, "model.reg_param=[0,0.1]")
    result = drive(engine, task)
    for fold, design in enumerate(result.sums.designs):
        train = [of != fold for of in folds_of(300, task.folds)]
        z = np.column_stack([x[train] for x in features.values()])
        singular = np.linalg.svd((z - z.mean(axis=0)) / z.std(axis=0))[1]
        assert (design.features, design.rank) == (4, 3)
        assert design.condition == pytest.approx(singular[0] / singular[2], rel=1e-9)
    worst = max(design.condition for design in result.sums.designs)
    values = describe(result, {}, "").metrics
    assert ("cv/rank_min", 3.0, 0) in values
    assert ("cv/condition_max", worst, 0) in values
    assert [step for key, _, step in values if key == "fold/rank"] == [0, 1, 2]
    assert [v for key, v, _ in values if key == "fold/condition"] == [
        design.condition for design in result.sums.designs
    ]
    rows = sample(task.dataset, ["y", *result.model.coefficients])
    (told,) = [line for line in remarks(result, rows) if "rank 3 of 4 features" in line]
    assert told.startswith("a and sum: they follow from one another")


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    rows = draw(st.integers(40, 90))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    columns: dict[str, Any] = {}
    for j in range(draw(st.integers(1, 4))):
        scale, offset = 10.0 ** rng.integers(-3, 4, 2)
        values = offset * rng.integers(-1, 2) + scale * rng.normal(size=rows)
        if draw(st.booleans()):
            values = np.rint(values)
        gaps = rng.random(rows) < draw(st.sampled_from([0.0, 0.03, 0.3]))
        columns[f"n{j}"] = pa.array(values, mask=gaps)
    for j in range(draw(st.integers(0, 3))):
        levels = np.array(["a", "b", "", "\U0001f600", "c", "\uff5e", "zz"])[: rng.integers(1, 8)]
        gaps = rng.random(rows) < draw(st.sampled_from([0.0, 0.2]))
        columns[f"c{j}"] = pa.array(rng.choice(levels, rows).astype(object), mask=gaps)
    columns |= draw(st.sampled_from(DEPENDENT))(columns["n0"], rng)
    columns["y"] = 10 * rng.normal(size=rows) + np.arange(rows)
    return columns


def scaled_copy(first: pa.Array, _: np.random.Generator) -> dict[str, pa.Array]:
    """A column again, gaps and all, in other units."""
    return {"copy": pc.multiply(first, -4.0)}


def parts_and_sum(first: pa.Array, rng: np.random.Generator) -> dict[str, pa.Array]:
    left, right = rng.integers(-9, 9, (2, len(first)))
    return {"left": pa.array(left), "right": pa.array(right), "sum": pa.array(left + right)}


def constants(first: pa.Array, rng: np.random.Generator) -> dict[str, pa.Array]:
    gaps = rng.random(len(first)) < 0.2
    same = np.full(len(first), 0.1)
    return {"constant": pa.array(same), "with gaps": pa.array(same, mask=gaps)}


DEPENDENT = (lambda *_: {}, scaled_copy, parts_and_sum, constants)


@given(
    tables(),
    st.sampled_from(["train", "all"]),
    st.sampled_from(["keep", "drop"]),
    st.sampled_from([2, 3, 5, 20]),
    st.sampled_from([7, 33, 1000]),
    st.sampled_from(["[0.01,0.5]", "[0]"]),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_any_table(  # noqa: PLR0917 - one strategy each
    tmp_path_factory: pytest.TempPathFactory,
    columns: dict[str, Any],
    fit_on: str,
    missing_category: str,
    k: int,
    row_group: int,
    reg_param: str,
) -> None:
    folder = tmp_path_factory.mktemp("table")
    write(folder, columns, row_group)
    protocol = (f"cleaning.fit_on={fit_on}", f"cleaning.missing_category={missing_category}")
    task = table_task(folder, f"folds.k={k}", *protocol, f"model.reg_param={reg_param}")
    try:
        result = drive("scan", task)
    except DataError as error:
        assert "is empty" in str(error)  # noqa: PT017 - with k=20 there may be such a fold
        reject()
    # Of a lasso the weights are not unique where columns are equal.
    check(result, truth_of(task), unique=reg_param == "[0]")


@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_a_grid_of_a_hundred_points(tmp_path: Path, fit_on: str) -> None:
    synthetic(tmp_path, rows=300, seed=6)
    strengths = ",".join(f"{x:.3g}" for x in np.geomspace(1e-4, 30, 25))
    grid = (f"model.reg_param=[{strengths}]", "model.elastic_net_param=[0,0.2,0.9,1]")
    task = table_task(tmp_path, *grid, f"cleaning.fit_on={fit_on}")
    assert len(task.grid) == 100
    check(drive("scan", task), truth_of(task))


def test_any_number_of_threads_is_the_same(tmp_path: Path) -> None:
    synthetic(tmp_path, rows=3000, seed=1, files=3)
    for path in sorted(tmp_path.glob("*.parquet")):
        pq.write_table(pq.read_table(path), path, row_group_size=170)
    one, two, many = (
        drive("scan", table_task(tmp_path, f"engine.threads={threads}")) for threads in (1, 2, 5)
    )
    identical(one, two)
    identical(one, many)


def whole_numbers(rows: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    x = rng.integers(-50, 50, (3, rows))
    columns = {f"x{j}": pa.array(x[j], mask=rng.random(rows) < 0.1 * j) for j in range(3)}
    y = x[0] + rng.integers(0, 99, rows)
    return {**columns, "c": rng.choice(["u", "v", "w"], rows), "y": y}


def test_whole_numbers_in_any_layout_and_tile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = whole_numbers(2000)
    results = []
    for row_group, tile in ((2000, 8192), (300, 8192), (2000, 64), (77, 100)):
        monkeypatch.setattr(tiling.Workplace.__init__, "__defaults__", (tile,))
        write(tmp_path, columns, row_group)
        results.append(drive("scan", table_task(tmp_path)))
    for result in results[1:]:
        identical(result, results[0])


def test_a_large_row_group_is_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, whole_numbers(30_000), 30_000)
    pieces: list[int] = []
    whole = drive("scan", table_task(tmp_path))
    monkeypatch.setattr(row_groups, "BATCH_CELLS", 1)
    original = columns_module.batch

    def counted(piece: Piece, *rest: Any) -> tiling.Batch:
        pieces.append(piece.rows)
        return original(piece, *rest)

    monkeypatch.setattr("tandem.scan.work.batch", counted)
    parts = drive("scan", table_task(tmp_path))
    assert sum(pieces) == 30_000
    assert len(pieces) == -(-30_000 // tiling.TILE)
    identical(parts, whole)


def test_a_fold_of_one_row_or_one_value_has_no_r2(tmp_path: Path) -> None:
    """Whatever rounding leaves of its spread."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=23)
    write(tmp_path, {"x": rng.normal(size=23), "y": y})
    folds = np.array(folds_of(23, table_task(tmp_path, "folds.k=12").folds))
    alone = int(np.argmin(np.bincount(folds)))
    assert np.bincount(folds)[alone] == 1
    y[folds == folds[-1]] = 0.1
    write(tmp_path, {"x": rng.normal(size=23), "y": y})
    result = drive("scan", table_task(tmp_path, "folds.k=12"))
    assert np.isnan(result.scores.r2[[alone, folds[-1]]]).all()
    check(result, truth_of(table_task(tmp_path, "folds.k=12")))


def test_nan_is_missing_even_where_the_row_is_dropped(tmp_path: Path) -> None:
    """Footers count nulls only; the plan must be the one that counts NaN too."""
    rng = np.random.default_rng(0)
    x, z, y = rng.normal(size=(3, 200))
    y[:60] = np.nan  # a target that is missing by NaN
    x[:30] = np.nan  # only in rows without a target
    z[150:] = np.nan
    mostly = np.where(rng.random(200) < 0.5, np.nan, 1.0)
    mostly_null = pa.array(mostly, mask=rng.random(200) < 0.7)
    write(tmp_path, {"x": x, "z": z, "mostly": mostly_null, "y": y}, 50)
    task = table_task(tmp_path)
    result = drive("scan", task)
    check(result, truth_of(task))
    assert result.plan == drive("sequential", task).plan


def test_an_infinite_value_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"x": [1.0, np.inf, 2.0, 5.0], "y": [1.0, 2.0, 3.0, 4.0]})
    with pytest.raises(DataError, match="column 'x': 1 infinite value"):
        drive("scan", table_task(tmp_path))


def test_files_without_statistics(tmp_path: Path) -> None:
    synthetic(tmp_path, rows=300, seed=2)
    with_statistics = drive("scan", table_task(tmp_path))
    path = tmp_path / "00.parquet"
    pq.write_table(pq.read_table(path), path, write_statistics=False)
    identical(drive("scan", table_task(tmp_path)), with_statistics)


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    write(tmp_path, whole_numbers(300))
    task = table_task(tmp_path)
    write(tmp_path, whole_numbers(200))
    with pytest.raises(DataError, match="200 rows read, 300 expected"):
        drive("scan", task)


def test_number_and_text_types(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 100, (4, 300))
    text = pa.array(rng.choice(["p", "q", "r"], 300))
    columns = {
        "int8": pa.array(x[0], pa.int8()),
        "uint64": pa.array(x[1], pa.uint64()),
        "decimal": pa.array(x[2], pa.int32()).cast(pa.decimal128(12, 2)),
        "float32": pa.array(x[3] / 7, pa.float32()),
        "large": text.cast(pa.large_string()),
        "dictionary": text.take(pa.array(rng.permutation(300))).dictionary_encode(),
        "flag": pa.array(rng.random(300) < 0.5),
        "y": pa.array(x.sum(axis=0) + rng.normal(size=300)),
    }
    write(tmp_path, columns)
    task = table_task(tmp_path)
    check(drive("scan", task), truth_of(task))


def test_unknown_levels_get_the_next_index(tmp_path: Path) -> None:
    """Every row its own level: all of the held-out ones are unseen."""
    rng = np.random.default_rng(0)
    write(
        tmp_path,
        {"id": [f"row {i}" for i in range(120)], "x": rng.normal(size=120), "y": np.arange(120.0)},
        50,
    )
    task = table_task(tmp_path)
    check(drive("scan", task), truth_of(task))


def test_sequential_is_the_same_on_real_flights() -> None:
    """With hour and minute, of which sched_dep_time is a sum: of smallest norm in both."""
    task = make_task("dataset.rows=50000", "model.reg_param=[0,0.01,1]", *EXACT)
    ours, theirs = drive("scan", task), drive("sequential", task)
    assert ours.plan == theirs.plan
    assert ours.ledger == theirs.ledger
    assert_allclose(ours.sums.sse, theirs.sums.sse, rtol=MSE_RTOL)
    assert_allclose(ours.sums.sst, theirs.sums.sst, rtol=MSE_RTOL)
    assert ours.model.levels == theirs.model.levels
    for mine, known in zip(ours.sums.designs, theirs.sums.designs, strict=True):
        assert (mine.features, mine.rank) == (known.features, known.rank) == (27, 26)
        assert mine.condition == pytest.approx(known.condition, rel=1e-9)


@pytest.mark.engines("scan", "sequential")
def test_least_squares_of_collinear_flights_has_the_smallest_norm(engine: str) -> None:
    ols = ("model.reg_param=[0]", "model.elastic_net_param=[0]", "dataset.rows=2000")
    task = make_task(f"engine={engine}", *ols)
    check(drive(engine, task), truth_of(task))


@pytest.mark.parametrize("block", [1, 256])
def test_the_second_scan_finds_the_same_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    synthetic(tmp_path, rows=1500, seed=2, files=2)
    monkeypatch.setattr("tandem.solver.cross_validation.LOST", np.inf)
    task = table_task(tmp_path, f"folds.block={block}")
    check(drive("scan", task), truth_of(task))


def test_an_error_that_the_moments_have_lost_is_summed_from_rows(tmp_path: Path) -> None:
    """R2 = 1 - 1e-16: the sum of squares of the residuals is below the Gram's last digits."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 1000))
    y = np.pi * x[0] + np.e * x[1] + 1e-8 * rng.normal(size=1000)
    write(tmp_path, {"a": x[0], "b": x[1], "y": y}, 300)
    grid = ("model.reg_param=[0]", "model.elastic_net_param=[0]")
    task = table_task(tmp_path, *grid)
    result, truth = drive("scan", task), truth_of(task)
    mse = result.sums.sse / np.array(result.sums.n_test)[:, None]
    assert_allclose(mse, truth.rmse**2, rtol=1e-6)
