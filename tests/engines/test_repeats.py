"""Folds dealt several times, and gaps before what is tested: engines against the slow truth."""

from datetime import date, datetime, timedelta
from itertools import cycle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import TimeSeriesSplit, cross_val_score

from tandem.errors import DataError
from tandem.fold_keys import Folds
from tandem.folds import Assignment
from tandem.scores import standard_error
from tandem.splits import Splits
from tests.engines.test_answers import check, no_spark
from tests.engines.test_fold_columns import DAYS, NO_COLUMN, groups, tables, task_of
from tests.tasks import drive, truth_of

KINDS = {"kfold": NO_COLUMN, "group": "folds.seed=5"}


@no_spark
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("encoding", "fit_on"), [("index", "train"), ("target", "all"), ("one_hot", "train")]
)
def test_repeats(engine: str, tmp_path: Path, kind: str, encoding: str, fit_on: str) -> None:
    tables(tmp_path)
    words = ("folds.k=4", "folds.repeats=3", f"cleaning.encoding={encoding}", "scores.mae=true")
    task = task_of(tmp_path, f"folds={kind}", KINDS[kind], *words, f"cleaning.fit_on={fit_on}")
    found, truth = drive(engine, task), truth_of(task)
    check(found, truth)
    np.testing.assert_allclose(found.scores.others["mae"], truth.mae, rtol=1e-9)
    assert len({*found.scores.rmse[:, 0].tolist()}) == 12


@no_spark
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_of_repeats_is_the_one_of_none(engine: str, tmp_path: Path, kind: str) -> None:
    tables(tmp_path)
    words = (f"folds={kind}", KINDS[kind], "folds.k=4")
    once = drive(engine, task_of(tmp_path, *words)).sums
    often = drive(engine, task_of(tmp_path, *words, "folds.repeats=2", "folds.holdout=0")).sums
    assert often.n_test[:4] == once.n_test
    np.testing.assert_allclose(often.sse[:4], once.sse, rtol=1e-9)


@pytest.mark.parametrize("rows", [7, 31, 61, 997])
@pytest.mark.parametrize("k", [2, 3, 7, 40])
def test_folds_of_every_repeat_are_of_one_size(rows: int, k: int) -> None:
    folds = Folds(k, 1, repeats=5)
    counts = np.bincount(Assignment(folds, rows).of(0, rows), minlength=folds.cells)
    _, tested = Splits.of(folds).rows(counts.tolist())
    for repeat in range(5):
        own = tested[repeat * k : (repeat + 1) * k]
        assert sum(own) == rows
        assert max(own) - min(own) <= 1


def test_ten_repeats_steady_the_mean() -> None:
    """The mean RMSE by other seeds; of ten fresh draws of folds its spread is 1 / 3.2."""
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(1000), rng.normal(size=(1000, 5))])
    y = x @ rng.normal(size=6) + rng.standard_t(4, size=1000)
    means = []
    for seed in range(0, 6000, 100):
        folds = Folds(5, seed, repeats=10)
        parts = Assignment(folds, len(y)).of(0, len(y))
        found = []
        for tested in Splits.of(folds).tested:
            test = tested[parts]
            slopes = np.linalg.lstsq(x[~test], y[~test])[0]
            found.append(np.sqrt(np.mean((y[test] - x[test] @ slopes) ** 2)))
        means.append((np.mean(found[:5]), np.mean(found)))
    once, often = np.std(means, axis=0)
    assert often < once / 2


def test_a_standard_error_is_no_smaller_by_repeats() -> None:
    rmse = np.array([1.0, 2.0, 3.0])
    thrice = standard_error(np.tile(rmse, 3), repeats=3)
    assert thrice == pytest.approx(np.tile(rmse, 3).std(ddof=1) / 3**0.5)


def test_repeats_read_no_row_where_sums_are_kept(tmp_path: Path) -> None:
    columns = np.random.default_rng(5).normal(size=(31, 20_000))
    table = pa.table([*columns], ["y", *map(str, range(30))])
    pq.write_table(table, tmp_path / "t.parquet")
    words = ("folds=kfold", NO_COLUMN, "cache.moments=true", "folds.k=3")
    drive("scan", task_of(tmp_path, *words))
    again = drive("scan", task_of(tmp_path, *words, "folds.repeats=4"))
    assert again.ledger.rows_from_cache == table.num_rows


STAMPS = [datetime(2020, 1, 1) + timedelta(hours=6 * int(n)) for n in DAYS]  # noqa: DTZ001
TIMES = {
    "whole numbers": pa.array(DAYS - 100),
    "ties": pa.array(np.floor(DAYS / 3)),
    "dates": pa.array(DAYS.astype(np.int32), pa.date32()),
    "time stamps": pa.array(STAMPS, pa.timestamp("us")),
    "of a zone": pa.array(STAMPS, pa.timestamp("ms", "Europe/Zurich")),
    "texts": pa.array([str(date(1999, 12, 1) + timedelta(int(n))) for n in DAYS]),
    "texts of time": pa.array([f"{one:%Y-%m-%d %H:%M}" for one in STAMPS]),
}
TOLD = ["dates", "time stamps", "of a zone", "texts", "texts of time"]
GAPS = [*((label, "10") for label in TIMES), *((label, "7d") for label in TOLD)]
GAPS += [("time stamps", "12h"), ("dates", "30h"), ("ties", "1"), ("dates", "0d")]
GAPS_AND_HOLDOUTS = [*zip(GAPS, cycle([0, 0.2]), strict=False)]


@no_spark
@pytest.mark.parametrize(("label", "gap", "holdout"), [(*one, h) for one, h in GAPS_AND_HOLDOUTS])
def test_gaps(engine: str, tmp_path: Path, label: str, gap: str, holdout: float) -> None:
    tables(tmp_path, TIMES[label])
    words = ("folds=time", f"folds.gap={gap}", f"folds.holdout={holdout}", "scores.mae=true")
    task = task_of(tmp_path, *words, "model.reg_param=[0.1]")
    found, truth = drive(engine, task), truth_of(task)
    check(found, truth)
    np.testing.assert_allclose(found.scores.others["mae"], truth.mae, rtol=1e-9)


@no_spark
@pytest.mark.parametrize(("k", "gap"), [(2, 80), (6, 1), (40, 5)])
def test_gaps_are_those_of_scikit_learn(engine: str, tmp_path: Path, k: int, gap: int) -> None:
    table = tables(tmp_path, TIMES["dates"]).to_pandas().sort_values("label")
    split = TimeSeriesSplit(k, gap=gap)
    words = ("folds=time", f"folds.k={k}", f"folds.gap={gap}", "dataset.include=x")
    if k == 2:
        with pytest.raises(DataError, match=r"folds.gap: 80: before 1970-"):
            task_of(tmp_path, *words)
        return
    found = drive(engine, task_of(tmp_path, *words, "model.reg_param=[0]"))
    sizes = [(len(train), len(test)) for train, test in split.split(table)]
    assert [*zip(found.sums.n_train, found.sums.n_test, strict=True)] == sizes
    scores = cross_val_score(LinearRegression(), table[["x"]], table["y"], cv=split)
    np.testing.assert_allclose(found.scores.r2[:, 0], scores, rtol=1e-9)


@pytest.mark.engines("distributed", "distributed_scan")
@pytest.mark.parametrize("what", ["repeats", "gap"])
def test_by_spark(engine: str, tmp_path: Path, what: str) -> None:
    tables(tmp_path, groups() if what == "repeats" else TIMES["time stamps"])
    words = {
        "repeats": ("folds=group", "folds.k=2", "folds.repeats=2", "scores.mae=true"),
        "gap": ("folds=time", "folds.gap=36h", "folds.holdout=0.2"),
    }[what]
    task = task_of(tmp_path, *words, "model.reg_param=[0.1]")
    found, truth = drive(engine, task), truth_of(task)
    check(found, truth)
    for mae in found.scores.others.values():
        np.testing.assert_allclose(mae, truth.mae, rtol=1e-5)


@pytest.mark.parametrize(
    ("label", "gap", "told"),
    [
        ("whole numbers", "7d", "'label' holds int64, which tells no time -> a gap in rows"),
        ("dates", "61", "folds.gap: 61: before .* it is longer than the whole block of rows"),
        ("dates", "90d", "folds.gap: 90d: before .* it is longer than the whole block of rows"),
    ],
)
def test_gaps_that_leave_nothing_are_refused(
    tmp_path: Path, label: str, gap: str, told: str
) -> None:
    tables(tmp_path, TIMES[label])
    with pytest.raises(DataError, match=told):
        task_of(tmp_path, "folds=time", f"folds.gap={gap}")
