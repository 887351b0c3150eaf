"""Folds that go by a column: every engine against the slow truth, and against scikit-learn."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import PredefinedSplit, cross_val_score

from tandem.comparison.spot import spot_check
from tandem.errors import DataError
from tandem.oracle import cross_validate
from tandem.records import Task
from tests.engines.test_answers import SOLVED, check, no_spark
from tests.tasks import drive, make_task

RIDGE = ("model.elastic_net_param=[0]", "model.reg_param=[0.01,1]")
ROWS = 240


def tables(folder: Path, label: pa.Array | None = None) -> pa.Table:
    """Two files of different sizes: a target, numbers with gaps, a category, `label`."""
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(2, ROWS))
    city = rng.choice(["a", "b", "c"], ROWS)
    y = 5 + 2 * x - z + (city == "a") + rng.normal(size=ROWS)
    gaps = pa.array(np.where(rng.random(ROWS) < 0.2, np.nan, z))
    label = groups() if label is None else label
    other = pa.array(np.arange(ROWS) // 8)
    table = pa.table({"y": y, "x": x, "z": gaps, "city": city, "label": label, "other": other})
    for number, (begin, end) in enumerate(((0, 100), (100, ROWS))):
        pq.write_table(table.slice(begin, end - begin), folder / f"{number}.parquet")
    return table


def groups() -> pa.Array:
    """17 texts and a gap, some beyond ASCII."""
    of = np.random.default_rng(2).integers(0, 18, ROWS)
    return pa.array([None if g == 17 else f"N\u00e9{g}" for g in of.tolist()], pa.string())


def task_of(folder: Path, *words: str) -> Task:
    source = ("dataset=files", f"dataset.path={folder}", "dataset.target=y")
    return make_task(*source, *RIDGE, *SOLVED, "folds.column=label", *words)


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


@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_groups(engine: str, tmp_path: Path, fit_on: str) -> None:
    tables(tmp_path)
    task = task_of(tmp_path, "folds=group", f"cleaning.fit_on={fit_on}", "folds.seed=1")
    assert "label" not in [column.name for column in task.dataset.features]
    check(drive(engine, task), cross_validate(task))


@pytest.mark.parametrize("label", LABELS)
def test_groups_of_every_type(engine: str, tmp_path: Path, label: str) -> None:
    tables(tmp_path, LABELS[label]())
    task = task_of(tmp_path, "folds=group", "model.reg_param=[0.1]")
    check(drive(engine, task), cross_validate(task))


@no_spark
def test_a_group_that_is_a_feature_too(engine: str, tmp_path: Path) -> None:
    tables(tmp_path, LABELS["int16"]())
    task = task_of(tmp_path, "folds=group", "dataset.include='*'")
    assert "label" in [column.name for column in task.dataset.features]
    check(drive(engine, task), cross_validate(task))


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


@pytest.mark.parametrize("label", GIVEN)
@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_folds_that_a_column_has(engine: str, tmp_path: Path, label: str, fit_on: str) -> None:
    tables(tmp_path, GIVEN[label]())
    task = task_of(tmp_path, "folds=column", f"cleaning.fit_on={fit_on}", "model.reg_param=[0.1]")
    check(drive(engine, task), cross_validate(task))


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


@pytest.mark.parametrize("label", NO_FOLDS)
def test_a_column_without_folds_is_refused(tmp_path: Path, label: str) -> None:
    cells, says = NO_FOLDS[label]
    tables(tmp_path, cells)
    with pytest.raises(DataError, match=says):
        task_of(tmp_path, "folds=column")


def test_a_fold_whose_rows_are_all_dropped_is_refused(engine: str, tmp_path: Path) -> None:
    table = tables(tmp_path, pa.array(np.arange(ROWS) // 100))
    y = pa.array([None if n < 100 else value for n, value in enumerate(table["y"].to_pylist())])
    for number, (begin, end) in enumerate(((0, 100), (100, ROWS))):
        part = table.set_column(0, "y", y).slice(begin, end - begin)
        pq.write_table(part, tmp_path / f"{number}.parquet")
    with pytest.raises(DataError, match="fold 0 is empty with 140 rows used -> every value of"):
        drive(engine, task_of(tmp_path, "folds=column"))


REFUSED = {
    "fractions": (pa.array(np.arange(ROWS) / 2), "column 'label': 0.5: folds.column takes whole"),
    "times": (pa.array(np.arange(ROWS), pa.time64("us")), "column 'label' holds time64"),
    "one group": (pa.array(["one"] * ROWS), "fold . is empty with 240 rows used -> choose fewer"),
}


@pytest.mark.parametrize("label", REFUSED)
def test_what_is_no_group_is_refused(tmp_path: Path, label: str) -> None:
    cells, says = REFUSED[label]
    tables(tmp_path, cells)
    with pytest.raises(DataError, match=says):
        drive("scan", task_of(tmp_path, "folds=group"))


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


def test_the_spot_check_knows_groups(tmp_path: Path) -> None:
    tables(tmp_path)
    found = [*spot_check(task_of(tmp_path, "folds=group", "folds.k=2"))]
    assert {"RMSE", "R2", "prediction"} <= {difference.what for difference in found}
    assert all(difference.share <= 1 for difference in found)
