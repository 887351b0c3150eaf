"""What Spark reads of Parquet files: every type it knows, no damaged page, every column by name."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose
from pyspark.sql import SparkSession

from tandem.errors import ConfigurationError, DataError
from tandem.fold_keys import Folds
from tandem.folds import EVEN_ROWS, ROW_ID, Assignment
from tandem.spark.frames import fold_of_row
from tests.dataset.test_parquet import ROWS, every_type, flip, options, stored
from tests.tasks import drive, make_task

pytestmark = pytest.mark.usefixtures("one_session")

RIDGE = ("model.reg_param=[0.1]", "model.elastic_net_param=[0]")
UNREAD = ("halffloat", "decimal256(50, 2)")


@pytest.mark.slow
def test_every_type_that_spark_reads_has_the_same_answer(tmp_path: Path) -> None:
    """Beside an index that pandas saved, and left-out columns of types that Spark knows not."""
    table = every_type()
    for name in UNREAD:
        table = table.append_column(f"left out {name}", table[name]).drop_columns([name])
    times = pd.Series(pd.date_range("2020", periods=ROWS, unit="ns"))
    table = table.append_column("when", pa.array(times)).append_column("DOUBLE", table["int8"])
    table = table.append_column("__index_level_0__", pa.array(np.arange(ROWS)))
    pq.write_table(table, tmp_path / "t.parquet")
    excluded = [*(f'"left out {name}"' for name in UNREAD), "when"]
    task = make_task(*options(tmp_path, f"dataset.exclude=[{','.join(excluded)}]", *RIDGE))
    spark, scan = drive("distributed", task), drive("scan", task)
    assert_allclose(spark.scores.rmse, scan.scores.rmse, rtol=1e-7)
    assert spark.ledger == scan.ledger
    assert [*spark.model.coefficients] == [*scan.model.coefficients]


@pytest.mark.parametrize("name", UNREAD)
def test_a_type_that_spark_does_not_read_is_refused_by_its_column(
    tmp_path: Path, name: str
) -> None:
    pq.write_table(every_type().select([name, "int8", "y"]), tmp_path / "t.parquet")
    task = make_task(*options(tmp_path, *RIDGE))
    with pytest.raises(ConfigurationError, match=f"column '{re.escape(name)}' holds"):
        drive("distributed", task)


@pytest.mark.parametrize("vectorized", ["true", "false"])
@pytest.mark.engines("distributed", "distributed_scan")
def test_a_damaged_page_is_refused_by_its_file(
    tmp_path: Path, engine: str, vectorized: str
) -> None:
    path = tmp_path / "two words & 5%25.parquet"
    positions = stored(path, write_page_checksum=True, compression="none", use_dictionary=False)
    setting = f"+spark.conf={{spark.sql.parquet.enableVectorizedReader:'{vectorized}'}}"
    task = make_task(*options(tmp_path, *RIDGE, setting))
    flip(path, positions[-1], 1)
    with pytest.raises(
        DataError, match=r"cannot be read \(.*CRC.*\) -> write the file again"
    ) as no:
        drive(engine, task)
    assert str(no.value).startswith(f"{path}: ")


@pytest.mark.parametrize("block", [1, 7])
@pytest.mark.parametrize("rows", [1, 300, EVEN_ROWS, EVEN_ROWS + 1])
def test_rows_have_the_folds_of_the_other_engines(rows: int, block: int) -> None:
    assigned = Assignment(Folds(5, 3, block), rows)
    session = SparkSession.builder.master("local[2]").getOrCreate()
    frame = session.range(rows).withColumnRenamed("id", ROW_ID)
    found = dict(frame.select(ROW_ID, fold_of_row(assigned)).collect())
    assert [found[row] for row in range(rows)] == assigned.of(0, rows).tolist()


HARM: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_file_that_changes_before_it_is_read_is_named(tmp_path: Path, harm: str) -> None:
    first, second = tmp_path / "0.parquet", tmp_path / "1.parquet"
    for path in (first, second):
        stored(path)
    task = make_task(*options(tmp_path, *RIDGE))
    HARM[harm](second)
    for engine in ("distributed", "sequential", "scan"):
        with pytest.raises(DataError, match=f"^{second}: "):
            drive(engine, task)
