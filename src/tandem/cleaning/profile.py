"""Count before deciding: rows, and missing and non-finite cells of every column.

The expressions run natively on any frame (pandas, pyarrow, Spark) whose columns are named by id,
numeric ones as float64, categorical ones as text.
"""

import math
from collections.abc import Mapping
from typing import Any

import narwhals as nw

from tandem.errors import DataError
from tandem.records import Column, Dataset, Kind, Profile


def missing(column: Column) -> nw.Expr:
    """Whether the cell is missing: null, or NaN in a numeric column."""
    null = nw.col(column.id).is_null()
    return null | nw.col(column.id).is_nan() if column.kind is Kind.NUMERIC else null


def count(condition: nw.Expr) -> nw.Expr:
    """Number of rows where `condition` is true, as an integer (Spark sums no booleans)."""
    return condition.cast(nw.Int64).sum()


def evaluate(frame: nw.LazyFrame[Any], counts: Mapping[str, nw.Expr]) -> dict[str, int]:
    """The value of every aggregate in `counts`, from one pass over `frame`."""
    row = frame.select(**counts).collect().row(0)
    return {name: int(value or 0) for name, value in zip(counts, row, strict=True)}


def measure(frame: nw.LazyFrame[Any], dataset: Dataset) -> Profile:
    """The profile of `frame`, which holds every row of `dataset`, its columns named by id.

    Raises DataError where a numeric column holds an infinite value, and where the number of rows
    is not the dataset's (a file changed, or a reader lost rows).
    """
    numeric = [column for column in dataset.columns if column.kind is Kind.NUMERIC]
    counts = {"rows": nw.len()}
    counts |= {column.id: count(missing(column)) for column in dataset.columns}
    counts |= {f"inf_{column.id}": count(_infinite(column)) for column in numeric}
    values = evaluate(frame, counts)
    for column in numeric:
        refuse_infinite(column, values[f"inf_{column.id}"])
    if values["rows"] != dataset.rows:
        raise DataError(
            f"{dataset.name}: {values['rows']} rows read, {dataset.rows} expected: "
            "a file changed during the run -> run again"
        )
    return Profile(dataset.rows, {column.id: values[column.id] for column in dataset.columns})


def refuse_infinite(column: Column, cells: int) -> None:
    """Raise DataError if `cells`, the infinite cells of a numeric `column`, is not 0."""
    if cells:
        raise DataError(
            f"column '{column.name}': {cells} infinite value(s): a numeric column must be "
            f"finite -> replace them by missing values, or exclude the column"
        )


def _infinite(column: Column) -> nw.Expr:
    return (nw.col(column.id) == math.inf) | (nw.col(column.id) == -math.inf)
