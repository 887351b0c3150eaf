"""The column that says how often a row counts: which one, and what its numbers are."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from tandem.dataset.chosen import check_role, type_of
from tandem.dataset.parquet import numbered
from tandem.errors import DataError
from tandem.records import Array, Column, Kind, Weights

_DECIMALS = 6  # that weights may have to be whole numbers of a smaller unit
# Sums of whole numbers beyond leave no room for the digits of what they weigh.
_LARGEST = 2.0**37


def check_weight(schema: pa.Schema, name: str, target: str | None) -> None:
    """Raise DataError where the column is not there, is the target, or holds no numbers."""
    check_role("dataset.weight", name, schema.names, target)
    kind = schema.field(name).type
    if type_of(kind) != "number":
        raise DataError(
            f"dataset.weight: column '{name}' holds {kind}: a weight is a number -> convert it"
        )


def weighed(files: Iterable[Path], name: str) -> Weights:
    """What the weights of all rows are, read file by file.

    Raises DataError where one is missing, negative or infinite, or where all are 0.
    """
    unit, total, whole = 1.0, 0.0, True
    for path, first, values in numbered(map(str, files), name):
        _check(path, name, values, first)
        while whole and not _are_whole(values, unit):
            unit *= 10.0
            whole = unit <= 10.0**_DECIMALS
        total += float(values.sum())
    if not total:
        raise DataError(f"dataset.weight: '{name}' is 0 in every row -> choose another column")
    exact = whole and total * unit < _LARGEST
    return Weights(Column("weight", name, Kind.NUMERIC), unit if exact else None)


def _check(path: str, name: str, values: Array, first: int) -> None:
    """Raise DataError, with the row, where a number is no weight."""
    bad = np.flatnonzero(~((values >= 0.0) & (values < np.inf)))
    if len(bad):
        row, value = first + int(bad[0]) + 1, values[bad[0]]
        told = "a missing value" if np.isnan(value) else f"{value:g}"
        raise DataError(
            f"{path}: row {row}: column '{name}': {told}: a weight is a finite number of at least "
            f"0 -> correct it; 0 leaves the row out ({len(bad):,} such rows from here on)"
        )


def _are_whole(values: Array, unit: float) -> bool:
    """Whether every number is the nearest to a whole number of units."""
    return bool(np.all(np.rint(values * unit) / unit == values))
