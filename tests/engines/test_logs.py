"""A model of the logarithm of the target, judged in the target's own unit."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from tandem.comparison.parity import Certificate, certify
from tandem.comparison.referee import Referee
from tandem.comparison.spot import spot_check
from tandem.dataset import as_pandas, fold_of_rows, sample
from tandem.errors import DataError
from tandem.model import from_json, predict, to_json
from tandem.records import Task
from tandem.tracking.folder import read_answer, write_record
from tandem.tracking.record import describe
from tests.engines.test_answers import SOLVED, check, no_spark
from tests.tasks import drive, houses, make_task, truth_of

LOG = "model.log_target=true"
PROTOCOLS = {
    "index": ("cleaning.encoding=index",),
    "one_hot": ("cleaning.encoding=one_hot", "cleaning.fit_on=all"),
    "target": ("cleaning.encoding=target", "folds.holdout=0.2"),
    "repeats": ("folds.repeats=2", "folds.holdout=0.2"),
    "weights": ("dataset.weight=rooms",),
    "path": ("model.path=3",),
}


def task_of(folder: Path, *words: str, log: str = LOG) -> Task:
    source = ("dataset=files", f"dataset.path={folder}", "dataset.target=price")
    return make_task(*source, "model.reg_param=[0.1,0.001]", *words, *([log] if log else []))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Houses with a gap among the prices."""
    frame = houses()
    frame.loc[3, "price"] = np.nan
    frame.to_parquet(tmp_path / "houses.parquet")
    return tmp_path


@no_spark
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol(engine: str, table: Path, protocol: str) -> None:
    task = task_of(table, "scores.mae=true", *SOLVED, *PROTOCOLS[protocol])
    found, truth = drive(engine, task), truth_of(task)
    check(found, truth)
    np.testing.assert_allclose(found.scores.others["mae"], truth.mae, rtol=1e-9)


@pytest.mark.engines("distributed", "distributed_scan")
def test_by_spark(engine: str, table: Path) -> None:
    task = task_of(table, "folds.holdout=0.2", "model.reg_param=[0.1]", *SOLVED)
    check(drive(engine, task), truth_of(task))


@no_spark
def test_it_is_the_transformed_target_of_scikit_learn(engine: str, table: Path) -> None:
    frame = pd.read_parquet(table / "houses.parquet").dropna(subset="price")
    folds = ("folds.k=4", "model.reg_param=[0]", "dataset.include=[area,rooms]")
    task = task_of(table, *folds)
    x, y = frame[["area", "rooms"]], frame["price"]
    theirs = TransformedTargetRegressor(LinearRegression(), func=np.log, inverse_func=np.exp)
    of = fold_of_rows(task.dataset, task.folds)[frame.index]
    predicted = cross_val_predict(theirs, x, y, cv=PredefinedSplit(of))
    rmse = [np.sqrt(np.mean((y - predicted)[of == fold] ** 2)) for fold in range(4)]
    found = drive(engine, task)
    np.testing.assert_allclose(found.scores.rmse[:, 0], rmse, rtol=1e-9)
    np.testing.assert_allclose(predict(found.model, x), theirs.fit(x, y).predict(x), rtol=1e-9)


def test_the_model_is_written_and_read(table: Path) -> None:
    model = drive("scan", task_of(table)).model
    assert model.log_target
    assert from_json(to_json(model)) == model
    assert "log_target" not in to_json(replace(model, log_target=False))


@no_spark
def test_one_price_for_all_has_no_r2(engine: str, tmp_path: Path) -> None:
    houses().assign(price=0.1).to_parquet(tmp_path / "t.parquet")
    found = drive(engine, task_of(tmp_path))
    assert np.isnan(found.scores.r2).all()
    assert found.scores.rmse.max() < 1e-12


@no_spark
def test_prices_that_hardly_differ(engine: str, tmp_path: Path) -> None:
    frame = houses()
    frame.assign(price=1e7 + frame.price / 1e3).to_parquet(tmp_path / "t.parquet")
    task = task_of(tmp_path, *SOLVED)
    found, truth = drive(engine, task), truth_of(task)
    # A logarithm's last digit is 1e-8 of such a price, whose deviation is 130.
    np.testing.assert_allclose(found.scores.rmse, truth.rmse, rtol=1e-9)
    np.testing.assert_allclose(found.scores.r2, truth.r2, atol=1e-9)


@no_spark
@pytest.mark.parametrize("kind", [pa.int32(), pa.float32(), pa.decimal128(9, 0)])
def test_prices_of_other_types(engine: str, tmp_path: Path, kind: pa.DataType) -> None:
    frame = houses()
    prices = pa.array([Decimal(round(p)) for p in frame.price]).cast(pa.decimal128(9, 0))
    prices = prices if pa.types.is_decimal(kind) else prices.cast(pa.int64()).cast(kind, safe=False)
    rest = pa.Table.from_pandas(frame.drop(columns="price"), preserve_index=False)
    pq.write_table(rest.append_column("price", prices), tmp_path / "t.parquet")
    task = task_of(tmp_path, *SOLVED)
    check(drive(engine, task), truth_of(task))


@pytest.mark.parametrize("bad", [0.0, -5.0])
def test_what_has_no_logarithm_is_refused_by_its_row(tmp_path: Path, bad: float) -> None:
    frame = houses()
    frame.loc[[7, 9], "price"] = bad
    frame.to_csv(tmp_path / "t.csv", index=False)
    told = rf"row 8: column 'price': {bad:g}: model.log_target takes numbers above 0 .*\(2 such"
    with pytest.raises(DataError, match=told):
        task_of(tmp_path / "t.csv")
    task_of(tmp_path / "t.csv", log="")


def test_sums_of_the_other_are_not_used(table: Path) -> None:
    plain = drive("scan", task_of(table, "cache.moments=true", log="")).scores.rmse
    log = drive("scan", task_of(table, "cache.moments=true"))
    assert log.ledger.rows_from_cache == 0
    assert abs(log.scores.rmse - plain).min() > 100
    assert drive("scan", task_of(table, "cache.moments=true")).ledger.rows_from_cache == 90


@pytest.mark.parametrize("words", [(), ("folds.holdout=0.2",), ("dataset.weight=rooms",)])
def test_a_comparison_judges_it(table: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    task, answers = task_of(table, *words), []
    for turn, engine in enumerate(("scan", "sequential")):
        result, place = drive(engine, task), tmp_path / engine
        write_record(place, result, describe(result, {"model.tol": "null"}, "0"), "")
        answers.append(read_answer(engine, turn, place))
    rows = as_pandas(sample(task.dataset, ["price", *answers[0].model.coefficients]))
    referee = Referee(task)

    def judged(*given: object) -> Certificate:
        return certify(given, rows, referee, spot_check(task))

    assert judged(*answers).faults == ()
    one = answers[1]
    rmse = one.metrics["rmse"] * (1.0 + 1e-6)
    wrong = replace(one, metrics={**one.metrics, "rmse": rmse})
    assert "RMSE of its own models" in " ".join(judged(answers[0], wrong).faults)
    assert one.slopes is not None
    far = replace(one, slopes=one.slopes * 1.01)
    assert "distance from the minimum" in " ".join(judged(answers[0], far).faults)
    if one.held_out:
        wrong = replace(one, held_out=one.held_out * (1.0 + 1e-6))
        assert "RMSE on the hold-out" in " ".join(judged(answers[0], wrong).faults)
