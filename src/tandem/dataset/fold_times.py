"""Blocks of time: with which values they begin, so that they are of equal numbers of rows."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tandem.errors import DataError
from tandem.fold_keys import Folds
from tandem.folds import plain
from tandem.records import Array

# The cells of every row group, with their file.
Stretches = Iterable[tuple[Path, pa.ChunkedArray]]

# Texts of this form, of one length, are in the order of time.
_ISO = r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?Z?)?"


def first_moments(stretches: Stretches, folds: Folds) -> tuple[str, ...]:
    """The first value of every block but the first, then of the hold-out, as text.

    The n rows that are not held out, in the order of time, are k + 1 blocks: the last k of n // (k
    + 1) rows each, as scikit-learn's TimeSeriesSplit has them. The rows of one value stay together:
    in the later block. Raises DataError where a value is missing or no time, or a block is empty.
    """
    counts = _counted(stretches, f"{folds.column}")
    rows = np.cumsum(_numbers(counts["rows_sum"]))
    if len(rows) == 0:
        return ()
    n = int(rows[-1])
    kept = n - folds.held_out(n)
    size = kept // (folds.k + 1)
    first = [kept - block * size for block in range(folds.k, 0, -1)]
    first += [kept] if folds.holdout and kept < n else []
    places = np.searchsorted(rows, first, side="right")
    if size == 0 or len({0, *places.tolist()}) <= len(places):
        raise DataError(
            f"folds.k: {folds.k}: '{folds.column}' has {len(rows)} distinct values, too few or too "
            f"unequal for {folds.k + 1} blocks of rows -> choose fewer folds"
        )
    values = counts["value"].combine_chunks()
    return tuple(values[place].cast(pa.string()).as_py() for place in places.tolist())


def _counted(stretches: Stretches, name: str) -> pa.Table:
    """The distinct values in order, with their rows."""
    parts = []
    for file, cells in stretches:
        array = plain(cells)
        if pc.any(pc.is_null(array, nan_is_null=True)).as_py():
            raise DataError(
                f"{file}: column '{name}': a missing value: folds=time needs the time of every row "
                "-> fill it, or drop the row"
            )
        found = pc.value_counts(array)
        parts.append(pa.table({"value": found.field("values"), "rows": found.field("counts")}))
        _refuse_other_texts(file, name, parts[-1]["value"])
    table = pa.concat_tables(parts, promote_options="permissive").group_by("value")
    return table.aggregate([("rows", "sum")]).sort_by("value")


def _refuse_other_texts(file: Path, name: str, values: pa.ChunkedArray) -> None:
    if not pa.types.is_large_string(values.type):
        return
    texts = values.to_pylist()
    for text in texts:
        if not re.fullmatch(_ISO, text) or len(text) != len(texts[0]):
            raise DataError(
                f"{file}: column '{name}': {text}: a time in text is spelled 2020-01-31, or "
                "2020-01-31 23:59:59, all in the same way -> convert it"
            )


def _numbers(column: pa.ChunkedArray) -> Array:
    array = column.combine_chunks()
    return np.frombuffer(array.buffers()[1], np.int64, len(array), array.offset * 8)
