"""Folds that go by a column: every engine against the slow truth, and against scikit-learn."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import PredefinedSplit, TimeSeriesSplit, cross_val_score

from tandem.comparison.spot import spot_check
from tandem.dataset import fold_of_rows
from tandem.errors import DataError
from tandem.folds import ROW_ID, Assignment
from tandem.oracle import FOLD_CELL, read_rows
from tandem.oracle_folds import HELD_OUT, parts_of
from tandem.records import Task
from tandem.scores import judge
from tandem.spark.frames import fold_of_row, read_frame
from tests.engines.test_answers import SOLVED, check, no_spark
from tests.tasks import drive, make_task, truth_of

RIDGE = ("model.elastic_net_param=[0]", "model.reg_param=[0.01,1]")
ROWS = 240
NO_COLUMN = "no column"


def tables(folder: Path, label: pa.Array | None = None) -> pa.Table:
    """Two files of different sizes: a target, numbers with gaps, a category, `label`."""
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(2, ROWS))
    city = rng.choice(["a", "b", "c"], ROWS)
    y = 5 + 2 * x - z + (city == "a") + rng.normal(size=ROWS)
    gaps = pa.array(np.where(rng.random(ROWS) < 0.2, np.nan, z))
    label = groups() if label is None else label
    other = pa.array(np.arange(ROWS) // 8)
    given = pa.array(np.arange(ROWS) % 5 - 1)
    columns = {"y": y, "x": x, "z": gaps, "city": city}
    table = pa.table({**columns, "label": label, "other": other, "given": given})
    write(table, folder)
    return table


def write(table: pa.Table, folder: Path) -> None:
    for number, (begin, end) in enumerate(((0, 100), (100, ROWS))):
        pq.write_table(table.slice(begin, end - begin), folder / f"{number}.parquet")


def groups() -> pa.Array:
    """17 texts and a gap, some beyond ASCII."""
    of = np.random.default_rng(2).integers(0, 18, ROWS)
    return pa.array([None if g == 17 else f"N\u00e9{g}" for g in of.tolist()], pa.string())


def task_of(folder: Path, *words: str) -> Task:
    source = ("dataset=files", f"dataset.path={folder}", "dataset.target=y")
    by = () if NO_COLUMN in words else ("folds.column=label",)
    words = tuple(word for word in words if word != NO_COLUMN)
    return make_task(*source, *RIDGE, *SOLVED, *by, *words)


def numbers(kind: pa.DataType) -> pa.Array:
    return pa.array(np.random.default_rng(3).integers(0, 20, ROWS)).cast(kind)


LABELS: dict[str, Callable[[], pa.Array]] = {
    "text": groups,
    "codes": lambda: groups().dictionary_encode(),
    "int16": lambda: numbers(pa.int16()),
    "uint64": lambda: numbers(pa.uint64()),
    "whole float64": lambda: numbers(pa.float64()),
    "float64 with gaps": lambda: pa.array([np.nan, None, *numbers(pa.float64()).to_pylist()[2:]]),
    "dates": lambda: pa.array(
        [date(2020, 1, 1) + timedelta(days=int(n)) for n in numbers(pa.int64()).to_pylist()]
    ),
}


@no_spark
@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_groups(engine: str, tmp_path: Path, fit_on: str) -> None:
    tables(tmp_path)
    task = task_of(tmp_path, "folds=group", f"cleaning.fit_on={fit_on}", "folds.seed=1")
    assert "label" not in [column.name for column in task.dataset.features]
    check(drive(engine, task), truth_of(task))


@no_spark
@pytest.mark.parametrize("label", LABELS)
def test_groups_of_every_type(engine: str, tmp_path: Path, label: str) -> None:
    tables(tmp_path, LABELS[label]())
    task = task_of(tmp_path, "folds=group", "model.reg_param=[0.1]")
    check(drive(engine, task), truth_of(task))


@no_spark
def test_a_group_that_is_a_feature_too(engine: str, tmp_path: Path) -> None:
    tables(tmp_path, LABELS["int16"]())
    task = task_of(tmp_path, "folds=group", "dataset.include='*'")
    assert "label" in [column.name for column in task.dataset.features]
    check(drive(engine, task), truth_of(task))


@no_spark
def test_groups_of_cells_that_csv_has(engine: str, tmp_path: Path) -> None:
    """Whole numbers, of which a CSV file makes float64."""
    table = tables(tmp_path, LABELS["int16"]()).to_pandas()
    table.to_csv(tmp_path / "t.csv", index=False)
    of_csv = task_of(tmp_path / "t.csv", "folds=group")
    [(tmp_path / f"{number}.parquet").unlink() for number in (0, 1)]
    tables(tmp_path, LABELS["int16"]())
    found = drive(engine, of_csv).sums.n_test
    assert found == drive(engine, task_of(tmp_path / "*.parquet", "folds=group")).sums.n_test


GIVEN: dict[str, Callable[[], pa.Array]] = {
    "numbers": lambda: pa.array(np.arange(ROWS) % 11 * 5),
    "texts": lambda: pa.array([f"{n % 3}\uff5e" for n in range(ROWS)]),
    "two": lambda: pa.array(np.arange(ROWS) < 50),
    "always": lambda: pa.array(np.arange(ROWS) % 4 - 1.0),
}


@no_spark
@pytest.mark.parametrize("label", GIVEN)
@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_folds_that_a_column_has(engine: str, tmp_path: Path, label: str, fit_on: str) -> None:
    tables(tmp_path, GIVEN[label]())
    task = task_of(tmp_path, "folds=column", f"cleaning.fit_on={fit_on}", "model.reg_param=[0.1]")
    check(drive(engine, task), truth_of(task))


@no_spark
@pytest.mark.parametrize("label", GIVEN)
def test_the_folds_of_a_column_are_those_of_scikit_learn(
    engine: str, tmp_path: Path, label: str
) -> None:
    """Its own splits of the same column, and its own scores of each."""
    table = tables(tmp_path, GIVEN[label]()).to_pandas()
    values, codes = np.unique(table["label"], return_inverse=True)
    split = PredefinedSplit(codes - (values[0] == -1.0))
    words = ("folds=column", "dataset.include=x", "model.reg_param=[0]")
    found = drive(engine, task_of(tmp_path, *words))
    sizes = [(len(train), len(test)) for train, test in split.split()]
    assert [*zip(found.sums.n_train, found.sums.n_test, strict=True)] == sizes
    scores = cross_val_score(LinearRegression(), table[["x"]], table["y"], cv=split)
    np.testing.assert_allclose(found.scores.r2[:, 0], scores, rtol=1e-9)


GAPS = pa.array([None, *["a", "b"] * 119, "a"])
NO_FOLDS = {
    "gaps": (GAPS, "0.parquet: column 'label': a missing value: folds.column has the fold of"),
    "one": (pa.array(["one"] * ROWS), "'label' has 1 value.s. that make a fold: 2 are needed"),
    "only always": (pa.array([-1] * ROWS), "'label' has 0 value.s. that make a fold"),
    "fractions": (pa.array(np.arange(ROWS) / 2), "column 'label': 0.5: folds.column takes whole"),
}


@no_spark
def test_a_fold_whose_rows_are_all_dropped_is_refused(engine: str, tmp_path: Path) -> None:
    table = tables(tmp_path, pa.array(np.arange(ROWS) // 100))
    y = pa.array([None if n < 100 else value for n, value in enumerate(table["y"].to_pylist())])
    write(table.set_column(0, "y", y), tmp_path)
    with pytest.raises(DataError, match="fold 0 is empty with 140 rows used -> every value of"):
        drive(engine, task_of(tmp_path, "folds=column"))


DAYS = np.random.default_rng(4).permutation(ROWS)
STAMPS = pa.array(DAYS * 10**11 + 123_456, pa.timestamp("us"))
TIMES: dict[str, Callable[[], pa.Array]] = {
    "whole numbers": lambda: pa.array(DAYS - 100),
    "fractions with ties": lambda: pa.array(np.floor(DAYS / 7) / 10),
    "float32": lambda: pa.array((DAYS / 10).astype(np.float32)),
    "dates": lambda: pa.array(DAYS.astype(np.int32), pa.date32()),
    "time stamps": lambda: STAMPS,
    "of a zone": lambda: STAMPS.cast(pa.timestamp("ms"), safe=False).cast(
        pa.timestamp("ms", "Europe/Zurich")
    ),
    "texts": lambda: pa.array([str(date(1999, 12, 1) + timedelta(int(n))) for n in DAYS]),
}


@no_spark
@pytest.mark.parametrize("label", TIMES)
@pytest.mark.parametrize("holdout", [0, 0.2])
def test_time(engine: str, tmp_path: Path, label: str, holdout: float) -> None:
    tables(tmp_path, TIMES[label]())
    task = task_of(tmp_path, "folds=time", f"folds.holdout={holdout}", "model.reg_param=[0.1]")
    check(drive(engine, task), truth_of(task))


@no_spark
@pytest.mark.parametrize("encoding", ["index", "target", "one_hot"])
@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_time_beside_encodings(engine: str, tmp_path: Path, encoding: str, fit_on: str) -> None:
    tables(tmp_path, TIMES["dates"]())
    words = ("folds=time", f"cleaning.fit_on={fit_on}", f"cleaning.encoding={encoding}")
    task = task_of(tmp_path, *words)
    check(drive(engine, task), truth_of(task))


@no_spark
def test_times_of_files_of_two_types(engine: str, tmp_path: Path) -> None:
    table = tables(tmp_path, pa.array(DAYS - 100.0 + (DAYS > 100) / 4))
    order = np.argsort(DAYS > 100, kind="stable")
    write(table.take(pa.array(order)), tmp_path)
    first = pq.read_table(tmp_path / "0.parquet")
    whole = first.set_column(4, "label", first["label"].cast(pa.int32()))
    pq.write_table(whole, tmp_path / "0.parquet")
    task = task_of(tmp_path, "folds=time")
    check(drive(engine, task), truth_of(task))


@no_spark
@pytest.mark.parametrize("k", [2, 6, 40])
def test_folds_of_time_are_those_of_scikit_learn(engine: str, tmp_path: Path, k: int) -> None:
    table = tables(tmp_path, TIMES["dates"]()).to_pandas().sort_values("label")
    split = TimeSeriesSplit(k)
    words = ("folds=time", f"folds.k={k}", "dataset.include=x", "model.reg_param=[0]")
    found = drive(engine, task_of(tmp_path, *words))
    sizes = [(len(train), len(test)) for train, test in split.split(table)]
    assert [*zip(found.sums.n_train, found.sums.n_test, strict=True)] == sizes
    scores = cross_val_score(LinearRegression(), table[["x"]], table["y"], cv=split)
    np.testing.assert_allclose(found.scores.r2[:, 0], scores, rtol=1e-9)


@no_spark
def test_what_comes_later_changes_no_earlier_fold(engine: str, tmp_path: Path) -> None:
    table = tables(tmp_path, TIMES["dates"]())
    words = ("folds=time", "folds.k=5")
    before = drive(engine, task_of(tmp_path, *words)).sums
    y = np.where(DAYS >= 160, 1e3 * table["y"].to_numpy() ** 2, table["y"].to_numpy())
    write(table.set_column(0, "y", pa.array(y)), tmp_path)
    after = drive(engine, task_of(tmp_path, *words)).sums
    np.testing.assert_allclose(after.sse[:3], before.sse[:3], rtol=1e-9)
    assert (after.sse[3:] > 2 * before.sse[3:]).all()


NO_TIMES = {
    "gaps": (GAPS, "0.parquet: column 'label': a missing value: folds=time needs the time of"),
    "words": (pa.array(["Mon", "Tue"] * 120), "column 'label': Mon: a time in text is spelled"),
    "one": (pa.array([1] * ROWS), "folds.k: 3: 'label' has 1 distinct values, too few or too"),
    "booleans": (pa.array([True] * ROWS), "column 'label' holds bool: a time is a number"),
}


ALL = {"group": LABELS, "column": GIVEN, "time": TIMES}
HOLD_OUTS = {
    "rows": ("folds=kfold", "folds.block=3", NO_COLUMN),
    "groups": ("folds=group", "folds.k=4"),
    "a column": ("folds=column", "folds.column=given"),
}


@pytest.mark.engines("distributed")
@pytest.mark.parametrize("kind", ["group", "column", "time"])
def test_spark_holds_out_by_a_column(engine: str, tmp_path: Path, kind: str) -> None:
    """What differs between them is where a row goes: the next test has all types of columns."""
    cells = {"group": groups, "column": GIVEN["always"], "time": TIMES["texts"]}
    tables(tmp_path, cells[kind]())
    task = task_of(tmp_path, f"folds={kind}", "folds.holdout=0.2", "model.reg_param=[0.1]")
    check(drive(engine, task), truth_of(task))


@pytest.mark.usefixtures("one_session")
@pytest.mark.parametrize("holdout", [0, 0.2])
@pytest.mark.parametrize(
    ("kind", "label"),
    [(kind, label) for kind, some in ALL.items() for label in some],
)
def test_rows_are_in_the_same_parts_by_spark(
    tmp_path: Path, kind: str, label: str, holdout: float
) -> None:
    tables(tmp_path, ALL[kind][label]())
    task = task_of(tmp_path, f"folds={kind}", f"folds.holdout={holdout}")
    session = SparkSession.builder.getOrCreate()
    assigned = Assignment(task.folds, task.dataset.rows, task.dataset.fold_labels)
    frame = read_frame(session, task.dataset, times=kind == "time")
    found = dict(frame.select(ROW_ID, fold_of_row(assigned)).collect())
    assert [found[row] for row in range(ROWS)] == fold_of_rows(task.dataset, task.folds).tolist()


@no_spark
@pytest.mark.parametrize("kind", HOLD_OUTS)
@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_a_hold_out(engine: str, tmp_path: Path, kind: str, fit_on: str) -> None:
    tables(tmp_path)
    words = (*HOLD_OUTS[kind], f"cleaning.fit_on={fit_on}", "folds.holdout=0.2")
    task = task_of(tmp_path, *words)
    found, truth = drive(engine, task), truth_of(task)
    assert found.held_out
    assert 0.1 * ROWS < found.held_out.n_test[0] < 0.35 * ROWS
    check(found, truth)


@no_spark
@pytest.mark.parametrize("encoding", ["target", "one_hot"])
@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_a_hold_out_beside_encodings(
    engine: str, tmp_path: Path, encoding: str, fit_on: str
) -> None:
    """One level of the category stands in the hold-out alone."""
    table = tables(tmp_path)
    words = (*HOLD_OUTS["groups"], "folds.holdout=0.2", f"cleaning.encoding={encoding}")
    task = task_of(tmp_path, *words, f"cleaning.fit_on={fit_on}")
    parts = parts_of(cells_of(task), task.folds)
    city = [
        "only here" if part == HELD_OUT else name
        for part, name in zip(parts, table["city"].to_pylist(), strict=True)
    ]
    write(table.set_column(3, "city", pa.array(city)), tmp_path)
    task = task_of(tmp_path, *words, f"cleaning.fit_on={fit_on}")
    check(drive(engine, task), truth_of(task))


@no_spark
@pytest.mark.parametrize("kind", HOLD_OUTS)
def test_the_hold_out_decides_nothing(engine: str, tmp_path: Path, kind: str) -> None:
    """Other targets in it change its own error alone."""
    table = tables(tmp_path)
    task = task_of(tmp_path, *HOLD_OUTS[kind], "folds.holdout=0.2")
    before = drive(engine, task)
    apart = [n for n, part in enumerate(parts_of(cells_of(task), task.folds)) if part == HELD_OUT]
    y = table["y"].to_numpy().copy()
    y[apart] += 100
    write(table.set_column(0, "y", pa.array(y)), tmp_path)
    after = drive(engine, task_of(tmp_path, *HOLD_OUTS[kind], "folds.holdout=0.2"))
    np.testing.assert_allclose(after.sums.sse, before.sums.sse, rtol=1e-12)
    names = [*before.model.coefficients]
    np.testing.assert_allclose(
        [after.model.coefficients[name] for name in names],
        [before.model.coefficients[name] for name in names],
        rtol=1e-9,
    )
    assert before.held_out
    assert after.held_out
    assert after.held_out.n_test == before.held_out.n_test == (len(apart),)
    assert after.held_out.sse > 100 * before.held_out.sse


@no_spark
def test_a_hold_out_whose_error_has_no_digits_left_in_the_sums(engine: str, tmp_path: Path) -> None:
    """The target follows from x but for the last digits: rows are read again."""
    table = tables(tmp_path)
    y = 1e3 * table["x"].to_numpy() + 1e-7 * table["y"].to_numpy()
    write(table.set_column(0, "y", pa.array(y)), tmp_path)
    words = (*HOLD_OUTS["rows"], "folds.holdout=0.2", "model.reg_param=[0]")
    task = task_of(tmp_path, *words, "dataset.include=x")
    found, truth = drive(engine, task), truth_of(task)
    assert judge(found.held_out).rmse[0, 0] == pytest.approx(truth.held_out[0], rel=1e-6)


@no_spark
def test_a_hold_out_without_rows_is_refused(engine: str, tmp_path: Path) -> None:
    tables(tmp_path)
    with pytest.raises(DataError, match=r"folds.holdout: 0.001: holds none of 240 used rows out"):
        drive(engine, task_of(tmp_path, *HOLD_OUTS["rows"], "folds.holdout=0.001"))


def cells_of(task: Task) -> list[object]:
    """What stands in the column that folds go by."""
    return [row[FOLD_CELL] for row in read_rows(task.dataset)]


NO_GROUPS = {
    "fractions": (pa.array(np.arange(ROWS) / 2), "column 'label': 0.5: folds.column takes whole"),
    "times": (pa.array(np.arange(ROWS), pa.time64("us")), "column 'label' holds time64"),
    "one group": (pa.array(["one"] * ROWS), "fold . is empty with 240 rows used -> choose fewer"),
}
REFUSED = {"column": NO_FOLDS, "time": NO_TIMES}


@pytest.mark.parametrize("label", NO_GROUPS)
def test_what_is_no_group_is_refused(tmp_path: Path, label: str) -> None:
    cells, says = NO_GROUPS[label]
    tables(tmp_path, cells)
    with pytest.raises(DataError, match=says):
        drive("scan", task_of(tmp_path, "folds=group"))


@pytest.mark.parametrize(
    ("kind", "label"), [(kind, label) for kind, some in REFUSED.items() for label in some]
)
def test_a_column_without_folds_is_refused(tmp_path: Path, kind: str, label: str) -> None:
    cells, says = REFUSED[kind][label]
    tables(tmp_path, cells)
    with pytest.raises(DataError, match=says):
        task_of(tmp_path, f"folds={kind}")


@pytest.mark.parametrize(
    ("column", "says"), [("labl", "no column 'labl'; did you mean 'label'"), ("y", "is the target")]
)
def test_a_column_that_cannot_be_is_refused(tmp_path: Path, column: str, says: str) -> None:
    tables(tmp_path)
    with pytest.raises(DataError, match=f"folds.column: .*{says}"):
        task_of(tmp_path, "folds=group", f"folds.column={column}")


@pytest.mark.usefixtures("own_cache")
def test_kept_sums_are_of_one_column(tmp_path: Path) -> None:
    """Those of a column serve fewer folds by it, another seed or column is another entry."""
    tables(tmp_path)

    def found(*words: str) -> int:
        kept = task_of(tmp_path / "*.parquet", "cache.moments=true", "folds=group", *words)
        fresh = replace(kept, cache_moments=False)
        one, other = drive("scan", kept), drive("scan", fresh)
        assert one.sums.n_test == other.sums.n_test
        np.testing.assert_allclose(one.scores.rmse, other.scores.rmse, rtol=1e-12)
        return one.ledger.rows_from_cache

    assert [found("folds.k=4"), found("folds.k=4"), found("folds.k=2")] == [0, ROWS, ROWS]
    assert [found("folds.seed=1"), found("folds.column=other")] == [0, 0]


KINDS = {
    "group": ("folds=group", "folds.k=2"),
    "column": ("folds=column", "folds.column=given"),
    "time": ("folds=time", "folds.column=other", "folds.k=2"),
}


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("kind", KINDS)
def test_kept_sums_are_of_one_kind_and_hold_out(tmp_path: Path, kind: str) -> None:
    tables(tmp_path)

    def found(*words: str) -> int:
        kept = task_of(tmp_path / "*.parquet", "cache.moments=true", *KINDS[kind], *words)
        one, other = drive("scan", kept), drive("scan", replace(kept, cache_moments=False))
        np.testing.assert_allclose(one.scores.rmse, other.scores.rmse, rtol=1e-12)
        assert one.sums.n_test == other.sums.n_test
        return one.ledger.rows_from_cache

    assert [found(), found(), found("folds.holdout=0.3")] == [0, ROWS, 0]
    assert [found("folds.holdout=0.3"), found("folds.holdout=0.4")] == [ROWS, 0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("holdout", [0, 0.3])
def test_the_spot_check_knows_all_kinds(tmp_path: Path, kind: str, holdout: float) -> None:
    tables(tmp_path)
    found = [*spot_check(task_of(tmp_path, *KINDS[kind], f"folds.holdout={holdout}"))]
    named = {difference.what for difference in found}
    assert {"RMSE", "R2", "prediction"} <= named
    assert ("RMSE on the hold-out" in named) == bool(holdout)
    assert all(difference.share <= 1 for difference in found)
