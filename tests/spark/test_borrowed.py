"""A Spark session that the user has: used, not changed, not ended; a frame of it as data."""

from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

import tandem
from tandem.spark import start
from tandem.spark.start import start_session
from tests.tasks import drive, houses, make_task

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_session")]
GRID = ("model.reg_param=[0.1]", "model.elastic_net_param=[0]")


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> SparkSession:
    """A session as of a notebook: not one of ours."""
    session = start_session(make_task().spark, "own")
    monkeypatch.setattr(start, "_ours", set())
    monkeypatch.setattr(SparkSession, "stop", lambda _: pytest.fail("it is not ours"))
    session.conf.set("spark.sql.shuffle.partitions", "7")
    return session


@pytest.mark.engines("distributed")
def test_it_goes_on_as_it_was(engine: str, tmp_path: Path, own: SparkSession) -> None:
    kept = own.range(10).cache()
    kept.count()
    memory = own.sparkContext._jsc.getPersistentRDDs().size()
    houses().to_parquet(tmp_path / "t.parquet")
    words = ("dataset=files", f"dataset.path={tmp_path}/t.parquet", "dataset.target=price", *GRID)
    found = drive(engine, make_task(*words))
    plain = drive("scan", make_task(*words))
    assert found.scores.rmse == pytest.approx(plain.scores.rmse, rel=1e-6)
    assert found.facts.spark
    assert 0 < found.facts.spark.jobs < 100
    assert kept.count() == 10
    assert own.conf.get("spark.sql.shuffle.partitions") == "7"
    assert own.sparkContext._jsc.getPersistentRDDs().size() == memory


def test_a_frame_of_spark_is_data(own: SparkSession, own_cache: Path) -> None:
    table = houses()
    frame = own.createDataFrame(table.where(table.notna(), None)).repartition(3)
    keys = {"model": {"reg_param": [0.1], "elastic_net_param": [0]}, "track": False}
    found = tandem.run(frame, "price", folds={"k": 3}, **keys)
    again = tandem.run(frame, "price", folds={"k": 3}, **keys)
    assert found.answered.result.ledger.rows_used == len(table)
    assert found.rmse == again.rmse
    (kept,) = (own_cache / "frames").iterdir()
    read = pd.read_parquet(kept)
    pd.testing.assert_series_equal(
        read.price.sort_values(ignore_index=True), table.price.sort_values(ignore_index=True)
    )
