"""What is counted before deciding."""

import math
from typing import Any

import narwhals as nw
import pandas as pd
import pyarrow as pa
import pytest

from tandem.cleaning import measure
from tandem.errors import DataError
from tandem.records import Column, Dataset, File, Kind, Profile

libraries = pytest.mark.parametrize("library", ["pandas", "pyarrow"])

Frame = nw.LazyFrame[Any]


def dataset(rows: int) -> Dataset:
    return Dataset(
        "small",
        (File("a.parquet", rows, 0),),
        Column("c0", "the target", Kind.NUMERIC),
        (
            Column("c1", "the number", Kind.NUMERIC),
            Column("c2", "the text", Kind.CATEGORICAL),
        ),
        "digest",
    )


def frame(
    library: str, numbers: list[float | None], texts: list[str | None] | None = None
) -> Frame:
    table = pa.table(
        {
            "c0": pa.array([1.0] * len(numbers)),
            "c1": pa.array(numbers, pa.float64(), from_pandas=False),
            "c2": pa.array(texts or ["a"] * len(numbers), pa.string()),
        }
    )
    native: pa.Table | pd.DataFrame = table
    if library == "pandas":
        native = table.to_pandas().astype({"c2": "category"})
    return nw.from_native(native).lazy()


@libraries
def test_null_and_nan_both_count_as_missing(library: str) -> None:
    cells = frame(library, [None, math.nan, 0.0, 1.0, None], ["a", None, "", "nan", "b"])
    assert measure(cells, dataset(5)) == Profile(5, {"c0": 0, "c1": 3, "c2": 1})


@libraries
def test_columns_that_are_missing_altogether_are_counted(library: str) -> None:
    cells = frame(library, [None, None], [None, None])
    assert measure(cells, dataset(2)).missing == {"c0": 0, "c1": 2, "c2": 2}


@libraries
@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_an_infinite_value_is_refused_by_its_column(library: str, value: float) -> None:
    with pytest.raises(DataError, match=r"column 'the number': 2 infinite"):
        measure(frame(library, [1.0, value, None, value]), dataset(4))


@libraries
@pytest.mark.parametrize("expected", [2, 4])
def test_another_number_of_rows_is_refused_with_both(library: str, expected: int) -> None:
    with pytest.raises(DataError, match=f"small: 3 rows read, {expected} expected"):
        measure(frame(library, [1.0, 2.0, 3.0]), dataset(expected))
