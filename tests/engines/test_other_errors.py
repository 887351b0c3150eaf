"""Errors as shares of the target, and their median: every engine against the slow truth."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_percentage_error, median_absolute_error
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from tandem.comparison.parity import certify
from tandem.comparison.referee import Referee
from tandem.comparison.spot import spot_check
from tandem.dataset import as_pandas, fold_of_rows, sample
from tandem.errors import DataError
from tandem.records import Task
from tandem.reporting import fold_metrics, headline, run_note
from tandem.results import OTHERS, Result
from tandem.scan import Scanner
from tandem.solver import selection
from tandem.tracking.folder import read_answer, write_record
from tandem.tracking.record import describe
from tests.engines.test_answers import SOLVED, WITHIN, no_spark
from tests.tasks import drive, houses, make_task, synthetic, truth_of

BOTH = ("scores.mape=true", "scores.median_ae=true")
GRID = ("model.reg_param=[0.1,0.001]", "model.elastic_net_param=[0]")
PROTOCOLS = {
    "mae": ("scores.mae=true",),
    "one hot": ("folds.k=4", "cleaning.encoding=one_hot"),
    "target": ("cleaning.fit_on=all", "cleaning.encoding=target"),
    "logs": ("model.log_target=true", "folds.holdout=0.2"),
    "repeats": ("folds.repeats=3", "folds.holdout=0.1"),
    "group": ("folds=group", "folds.column=rooms", "folds.k=2", "dataset.include=[area,city]"),
    "column": ("folds=column", "folds.column=rooms", "dataset.include=[area,city]"),
    "time": ("folds=time", "folds.column=area", "folds.gap=3", "dataset.include=[rooms,city]"),
    "path": ("model.path=4", "model.choose=one_standard_error"),
}


def task_of(path: Path, *words: str, both: Sequence[str] = BOTH) -> Task:
    source = ("dataset=files", f"dataset.path={path}", "dataset.target=price")
    return make_task(*source, *GRID, *SOLVED, *both, *words)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Houses, one of them without a price, in two files of several row groups."""
    frame = houses()
    frame.loc[3, "price"] = np.nan
    (tmp_path / "t").mkdir()
    frame[:40].to_parquet(tmp_path / "t" / "a.parquet", row_group_size=11)
    frame[40:].to_parquet(tmp_path / "t" / "b.parquet", row_group_size=17)
    return tmp_path / "t"


def check(found: Result) -> None:
    """Shares at every point, the median at the chosen one."""
    truth, within = truth_of(found.task), WITHIN.get(found.engine, (1e-9,))[0]
    assert_allclose(found.scores.others["mape"], truth.mape, rtol=within)
    right = truth.median_ae[:, found.scores.best]
    assert_allclose(found.scores.chosen["median_ae"], right, rtol=within)


@no_spark
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol(engine: str, table: Path, protocol: str) -> None:
    check(drive(engine, task_of(table, *PROTOCOLS[protocol])))


@no_spark
def test_rows_that_stay_in_place(engine: str, tmp_path: Path) -> None:
    """Runs of one fold, with rows among them that are not used."""
    synthetic(tmp_path, rows=3000, seed=3, files=2)
    words = ("dataset.target=y", "folds.block=256", "scores.mae=true")
    check(drive(engine, task_of(tmp_path, *words)))


@pytest.mark.engines("distributed")
@pytest.mark.parametrize("protocol", ["mae", "logs", "time"])
def test_by_spark(engine: str, table: Path, protocol: str) -> None:
    check(drive(engine, task_of(table, *PROTOCOLS[protocol], "model.reg_param=[0.1]")))


@pytest.mark.engines("distributed_scan")
def test_the_same_bits_elsewhere(engine: str, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_MOST", 64)
    here, there = (drive(name, task_of(table)).scores for name in ("scan", engine))
    for name, values in here.others.items():
        assert_array_equal(there.others[name], values)


@no_spark
def test_they_are_those_of_scikit_learn(engine: str) -> None:
    """On flights, with odd and even numbers of them held out."""
    names = ["distance", "month", "hour"]
    words = (f"dataset.include=[{','.join(names)}]", "model.reg_param=[0]", "folds.k=4")
    task = make_task("dataset.rows=1001", "dataset.target=air_time", *words, *GRID[1:], *BOTH)
    frame = pd.concat([pd.read_parquet(file.path) for file in task.dataset.files])
    frame = frame.reset_index(drop=True).astype({"air_time": float}).dropna(subset="air_time")
    folds = fold_of_rows(task.dataset, task.folds)[frame.index]
    x, y = frame[names], frame["air_time"]
    predicted = cross_val_predict(LinearRegression(), x, y, cv=PredefinedSplit(folds))
    assert {*(np.bincount(folds) % 2).tolist()} == {0, 1}
    found = drive(engine, task).scores.chosen
    for name, of in (
        ("mape", mean_absolute_percentage_error),
        ("median_ae", median_absolute_error),
    ):
        right = [of(y[folds == fold], predicted[folds == fold]) for fold in range(4)]
        assert_allclose(found[name], right, rtol=1e-9)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("most", "scans"), [(1, 64), (64, 7), (700, 1)])
def test_many_errors_are_narrowed_down_scan_by_scan(
    table: Path, monkeypatch: pytest.MonkeyPatch, most: int, scans: int, threads: int
) -> None:
    """Of few all are counted at once; the bins that are counted are few in any case."""
    task = replace(task_of(table, "folds.repeats=2"), threads=threads)
    once = drive("scan", task)
    sizes: list[int] = []
    original = Scanner.error_counts

    def counted(*asked: Any) -> Any:
        found = original(*asked)
        sizes.append(sum(len(bins) for bins, _ in found))
        return found

    monkeypatch.setattr(selection, "_MOST", most)
    monkeypatch.setattr(Scanner, "error_counts", counted)
    found = drive("scan", task)
    assert_array_equal(found.scores.chosen["median_ae"], once.scores.chosen["median_ae"])
    # Two bins for each of six folds, split in two at least.
    assert max(sizes) <= max(most, 24)
    assert found.facts.scans - once.facts.scans == len(sizes) - 1 == scans - 1


@no_spark
@pytest.mark.parametrize("most", [1, 2**20])
def test_errors_that_are_equal(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """By a constant feature every price is off by its distance from the mean: many are tied."""
    monkeypatch.setattr(selection, "_MOST", most)
    prices = np.repeat([100.0, 101.0, 103.0, 103.0, 180.0], 20)
    pd.DataFrame({"price": prices, "one": 1.0}).to_parquet(tmp_path / "t.parquet")
    check(drive(engine, task_of(tmp_path)))


@no_spark
@pytest.mark.parametrize("kind", [pa.int32(), pa.float32(), pa.decimal128(9, 2)])
def test_targets_of_other_types(engine: str, tmp_path: Path, kind: pa.DataType) -> None:
    frame = houses()
    prices = pa.array([Decimal(round(p)) for p in frame.price]).cast(pa.decimal128(9, 2))
    prices = prices if pa.types.is_decimal(kind) else prices.cast(pa.float64()).cast(kind)
    rest = pa.Table.from_pandas(frame.drop(columns="price"), preserve_index=False)
    pq.write_table(rest.append_column("price", prices), tmp_path / "t.parquet")
    check(drive(engine, task_of(tmp_path)))


@no_spark
def test_a_target_near_0_among_large_ones_has_all_its_digits(engine: str, tmp_path: Path) -> None:
    frame = houses()
    frame.loc[::10, "price"] = -1e-7 / np.arange(3, 12)
    frame.to_parquet(tmp_path / "t.parquet")
    check(drive(engine, task_of(tmp_path)))


@pytest.mark.parametrize("log", ["model.log_target=true", "model.log_target=false"])
def test_kept_sums_serve_them(
    table: Path,
    own_cache: Path,  # noqa: ARG001 - in its place
    log: str,
) -> None:
    first, second = (drive("scan", task_of(table, "cache.moments=true", log)) for _ in range(2))
    assert (first.ledger.rows_from_cache, second.ledger.rows_from_cache) == (0, 90)
    for name, values in first.scores.others.items():
        assert_array_equal(second.scores.others[name], values)


def test_both_means_are_of_one_scan(table: Path) -> None:
    scans = [
        drive("scan", task_of(table, *words, both=())).facts.scans
        for words in ((), ("scores.mae=true",), ("scores.mae=true", "scores.mape=true"), BOTH)
    ]
    assert [more - scans[0] for more in scans] == [0, 1, 1, 2]


def test_a_target_of_0_is_refused_by_its_row(tmp_path: Path) -> None:
    frame = houses().assign(w=1)
    frame.loc[[7, 9], "price"] = 0.0
    frame.to_csv(tmp_path / "t.csv", index=False)
    told = r"row 8: column 'price': 0: scores.mape divides by the target -> .*\(2 such"
    with pytest.raises(DataError, match=told):
        task_of(tmp_path / "t.csv")
    task_of(tmp_path / "t.csv", both=BOTH[1:])
    frame.loc[7, "w"] = 0
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"row 10: .*\(1 such"):
        task_of(tmp_path / "t.csv", "dataset.weight=w", both=BOTH[:1])
    frame.loc[9, "w"] = 0  # neither of them counts
    frame.to_csv(tmp_path / "t.csv", index=False)
    task = task_of(tmp_path / "t.csv", "dataset.weight=w", both=BOTH[:1])
    found = drive("scan", task)
    assert_allclose(found.scores.others["mape"], truth_of(task).mape, rtol=1e-9)


def test_what_is_reported(table: Path) -> None:
    found = drive("scan", task_of(table))
    record, best = describe(found, {}, ""), found.scores.best
    for name, called in (("mape", "MAPE"), ("median_ae", "median AE")):
        values = found.scores.others[name][:, best]
        by_fold = [value for key, value, _ in record.metrics if key == f"fold/{name}"]
        assert by_fold == values.tolist()
        assert record.values()[f"cv/{name}_mean"] == pytest.approx(values.mean(), rel=1e-15)
        assert f"{called} {values.mean():.6g}" in run_note(found)
        assert f"\n  {called:9}  " in headline(found, {})
    cells = fold_metrics(found).set_index("reg_param").median_ae.isna()
    assert not cells[found.best.reg_param].any()
    assert cells.drop(found.best.reg_param).all()
    bare = drive("scan", task_of(table, both=()))
    assert not {*describe(bare, {}, "").values()} & {"cv/mae_mean", "fold/mape", "fold/median_ae"}
    assert not bare.scores.others


@pytest.mark.parametrize(
    "word", ["dataset.weight=w", "dataset.weight=null", "model.log_target=true"]
)
def test_a_comparison_judges_them(tmp_path: Path, word: str) -> None:
    """Where scikit-learn iterates and stops: logarithms' models explain their RMSE alone."""
    houses().assign(w=houses().rooms / 4).to_parquet(tmp_path / "t.parquet")
    asked = BOTH[:1] if word == "dataset.weight=w" else BOTH
    loose = ("model.tol=null", "model.elastic_net_param=[0,1]", "scores.mae=true")
    grid = () if "log" in word else ("model.reg_param=[1000,20000]",)
    columns = "dataset.include=[area,rooms,city]"
    task, answers = task_of(tmp_path / "t.parquet", *loose, *grid, columns, word, both=asked), []
    for turn, engine in enumerate(("scan", "sequential")):
        result = drive(engine, task)
        write_record(tmp_path / engine, result, describe(result, {"model.tol": "null"}, "0"), "")
        answers.append(read_answer(engine, turn, tmp_path / engine))
    rows = as_pandas(sample(task.dataset, ["price", *answers[0].model.coefficients]))
    referee = Referee(task)
    scan, other = answers
    spot = [*spot_check(task)]
    names = {name: OTHERS[name] for name in scan.metrics if name in OTHERS}
    assert {*names.values()} < {difference.what for difference in spot}
    certificate = certify(answers, rows, referee, spot)
    assert certificate.faults == ()
    assert {*names} < {d.what for d in certificate.pairs[0].largest}
    for name, called in names.items():
        wrong = replace(other, metrics={**other.metrics, name: scan.metrics[name] * 1.5})
        assert f"{name} differs" in " ".join(certify([scan, wrong], rows, referee).faults)
        wrong = replace(other, metrics={**other.metrics, name: other.metrics[name] * (1 + 1e-6)})
        found = " ".join(certify([wrong], rows, referee).faults)
        assert (f"{called} of its own models" in found) == (name != "median_ae")
    # Medians of different points are not compared.
    elsewhere = replace(other, best=next(point for point in task.grid if point != other.best))
    found = certify([scan, elsewhere], rows).pairs[0].largest
    assert "median_ae" not in {difference.what for difference in found}
