"""Blocks of time: with which values they begin, so that they are of equal numbers of rows; gaps."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tandem.errors import DataError
from tandem.fold_keys import Folds
from tandem.folds import plain
from tandem.records import Array

Integers = NDArray[np.int64]
_UNITS: dict[str, Any] = {"d": "D", "h": "h", "min": "m", "s": "s"}  # as numpy calls them

# The cells of every row group, with their file.
Stretches = Iterable[tuple[Path, pa.ChunkedArray]]

# Texts of this form, of one length, are in the order of time.
_ISO = r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?Z?)?"


def first_moments(stretches: Stretches, folds: Folds) -> tuple[str, ...]:
    """The first value of every block but the first, then of the hold-out, as text; with a gap, the
    first value of the gap before each stands before it.

    The n rows that are not held out, in the order of time, are k + 1 blocks: the last k of n // (k
    + 1) rows each, as scikit-learn's TimeSeriesSplit has them. The rows of one value stay together:
    in the later block. A gap of g rows holds the g rows before a block, and what shares a value
    with them; a gap of a time what is at most that time before the block's first value. Raises
    DataError where a value is missing or no time, a block is empty, or a gap is longer than one.
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
    if folds.gap_size[0]:
        gaps = _gaps(values, rows, places, folds)
        places = np.column_stack([gaps, places]).ravel()
    return tuple(values[place].cast(pa.string()).as_py() for place in places.tolist())


def _gaps(values: pa.Array, rows: Array, places: Integers, folds: Folds) -> Integers:
    """Where the gap before each block begins among `values`, in order, as `places` has the blocks.

    `rows`: how many are of a value up to each.
    """
    number, unit = folds.gap_size
    if unit:
        times = _as_times(values, folds)
        gaps = np.searchsorted(times, times[places] - np.timedelta64(number, _UNITS[unit]), "left")
    else:
        gaps = np.searchsorted(rows, rows[places - 1] - number, side="right")
    longer = np.flatnonzero(gaps < np.append(1, places[:-1]))
    if len(longer):
        first = values[int(places[longer[0]])].cast(pa.string()).as_py()
        raise DataError(
            f"folds.gap: {folds.gap}: before {first} of '{folds.column}' it is longer than the "
            "whole block of rows before -> a shorter gap, or fewer folds"
        )
    return gaps


def _as_times(values: pa.Array, folds: Folds) -> NDArray[np.datetime64]:
    """Dates, time stamps and texts of them as numpy's, in nanoseconds."""
    if pa.types.is_large_string(values.type):
        texts = [text.rstrip("Z").replace(" ", "T") for text in values.to_pylist()]
        return np.array(texts, dtype="datetime64[ns]")
    if not (pa.types.is_date(values.type) or pa.types.is_timestamp(values.type)):
        raise DataError(
            f"folds.gap: {folds.gap}: '{folds.column}' holds {values.type}, which tells no time -> "
            "a gap in rows, such as folds.gap=100"
        )
    found: NDArray[np.datetime64] = values.cast(pa.timestamp("ns")).to_numpy()
    return found


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
