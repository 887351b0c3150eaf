"""Arrow columns as numpy: numbers with their gaps, categories as codes, rows with their folds."""

import math
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tandem.categories import MISSING, REST
from tandem.folds import Assignment
from tandem.moments import Batch, Cells, Codes, Integers
from tandem.records import Array, Kind, Plan, Weights
from tandem.scan.pieces import Piece

_NOTHING: Integers = np.empty(0, dtype=np.int64)


class NotFiniteError(Exception):
    """A column of floating-point numbers holds NaN or an infinity, which the footer cannot tell."""


def batch(
    piece: Piece,
    plan: Plan,
    folds: Assignment,
    with_nan: frozenset[str] | None,
    weights: Weights | None = None,
) -> Batch:
    """The columns of `plan` in `piece`, with the fold of every row and the rows to drop.

    With how often every row counts, times `weights.unit`, where rows have weights.

    `with_nan`: ids of the columns in which NaN stands for missing; None: not known yet, then
    raises NotFiniteError where a column of floating-point numbers holds NaN or an infinity that
    the sums of the used rows would not show.
    """
    nan = with_nan or frozenset()
    wanted = (*plan.numeric, plan.target)
    cells = {c.id: numbers(piece.columns[c.name], nan=c.id in nan) for c in wanted}
    codes, missing = {}, {column.id: cells[column.id].missing for column in wanted}
    for column in plan.categorical:
        codes[column.id], missing[column.id] = categories(piece.columns[column.name])
    absent = [missing[column.id] for column in (plan.target, *plan.required)]
    counts = _counts(piece, weights) if weights else None
    if counts is not None:
        absent.append(np.flatnonzero(counts == 0.0))
    absent = [positions for positions in absent if len(positions)]
    dropped = _NOTHING
    if absent:
        gone = np.zeros(piece.rows, dtype=bool)
        gone[np.concatenate(absent)] = True
        dropped = np.flatnonzero(gone)
    if with_nan is None:
        # In a used row of a used column NaN and infinity survive every sum.
        shown = {column.name for column in wanted} if len(dropped) == 0 else set()
        check_finite(column for name, column in piece.columns.items() if name not in shown)
    return Batch(
        tuple(cells[column.id] for column in wanted),
        tuple(codes[column.id] for column in plan.categorical),
        folds.of(piece.first_row, piece.rows, piece.columns.get(folds.folds.column or "")),
        dropped,
        counts,
    )


def _counts(piece: Piece, weights: Weights) -> Array:
    """How often every row counts, shape (rows,)."""
    cells = piece.columns[weights.column.name]
    values = one_array(cells.cast(pa.float64()))
    found: Array = _values(values)[0] * weights.unit
    return np.rint(found) if weights.per_unit else found


def check_finite(columns: Iterable[pa.Array | pa.ChunkedArray]) -> None:
    """Raise NotFiniteError where a floating-point column holds NaN or an infinity."""
    for column in columns:
        if pa.types.is_floating(column.type):
            values, _ = _values(one_array(column))
            # One pass at the speed of memory: NaN and infinity survive any sum.
            if not math.isfinite(float(np.add.reduce(values, dtype=np.float64))):
                raise NotFiniteError


def numbers(column: pa.Array | pa.ChunkedArray, *, nan: bool) -> Cells:
    """A numeric column, shape (rows,); with `nan`, NaN is missing too.

    A decimal is in units of 10**-decimals.
    """
    array = one_array(column)
    if pa.types.is_null(array.type):
        return Cells(np.zeros(len(array)), np.arange(len(array)))
    if pa.types.is_decimal(array.type):
        return Cells(_unscaled(array), _gaps(array))
    values, missing = _values(array)
    if nan:
        absent = np.isnan(values)
        absent[missing] = True
        missing = np.flatnonzero(absent)
    return Cells(values, missing)


def categories(column: pa.Array | pa.ChunkedArray) -> tuple[Codes, Integers]:
    """A categorical column as codes, and where it is missing, positions of shape (gaps,).

    Missing is the level MISSING.
    """
    if pa.types.is_integer(column.type):
        coded = one_array(column.dictionary_encode())
        texts = coded.dictionary.cast(pa.string())
        column = pa.DictionaryArray.from_arrays(coded.indices, texts)
    elif not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    elif isinstance(column, pa.ChunkedArray) and column.num_chunks > 1:
        column = column.unify_dictionaries()
    array = one_array(column)
    indices, missing = _values(array.indices)
    codes, texts = indices.astype(np.int32, copy=len(missing) > 0), array.dictionary
    if len(missing):
        codes[missing] = len(texts)
        texts = pa.concat_arrays([texts, pa.nulls(1, texts.type)])
    if len(texts) > len(codes):  # some rows, with the dictionary of all of their row group
        used, places = np.unique(codes, return_inverse=True)
        codes = places.astype(np.int32)
        # As a buffer: pa.array of numpy imports pandas.
        texts = texts.take(pa.Array.from_buffers(pa.int32(), len(used), [None, pa.py_buffer(used)]))
    levels = [MISSING if text is None else text for text in texts.to_pylist()]
    if len({*levels}) < len(levels):
        known: dict[str, int] = {}
        place = [known.setdefault(level, len(known)) for level in levels]
        codes, levels = np.array(place, dtype=np.int32)[codes], [*known]
    if texts.null_count:
        missing = np.flatnonzero(codes == levels.index(MISSING))
    return Codes(tuple(levels), codes), missing


def merged(codes: Codes, kept: frozenset[str]) -> Codes:
    """The same cells, all levels but the `kept` ones as the one level REST."""
    levels = [level for level in codes.levels if level in kept]
    place = {level: i for i, level in enumerate(levels)}
    places = np.array([place.get(level, len(levels)) for level in codes.levels], dtype=np.int32)
    return Codes((*levels, REST), places[codes.codes])


def one_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The column in one piece."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def decimals(kind: pa.DataType) -> int:
    """Decimal places of a column of this type: its numbers are whole in units of 10**-decimals."""
    return int(kind.scale) if pa.types.is_decimal(kind) else 0


def is_floating(kind: pa.DataType) -> bool:
    """Whether a column of this type can hold NaN."""
    return bool(pa.types.is_floating(kind))


def count_cells(column: pa.Array | pa.ChunkedArray, kind: Kind) -> tuple[int, int, int]:
    """Missing cells, of them NaN; and infinite cells."""
    if kind is Kind.CATEGORICAL:
        return len(categories(column)[1]), 0, 0
    cells = numbers(column, nan=False)
    if not np.issubdtype(cells.values.dtype, np.floating):
        return len(cells.missing), 0, 0
    there = np.ones(len(cells.values), dtype=bool)
    there[cells.missing] = False
    nan = int(np.count_nonzero(np.isnan(cells.values) & there))
    infinite = int(np.count_nonzero(np.isinf(cells.values) & there))
    return len(cells.missing) + nan, nan, infinite


def _values(array: pa.Array) -> tuple[NDArray[Any], Integers]:
    """The values without a copy, whatever stands in place of nulls; positions of the nulls."""
    return _words(array, _dtype(array.type)), _gaps(array)


@cache
def _dtype(kind: pa.DataType) -> np.dtype[Any]:
    # pyarrow's own to_pandas_dtype imports pandas: a third of a second in every worker.
    letter = "f" if is_floating(kind) else "ui"[pa.types.is_signed_integer(kind)]
    return np.dtype(f"{letter}{kind.bit_width // 8}")


def _words(array: pa.Array, kind: np.dtype[Any]) -> NDArray[Any]:
    """The buffer of the values as numbers of type `kind`, one row per value if it has several."""
    each = array.type.bit_width // (8 * kind.itemsize)
    if len(array) == 0:
        return np.empty(0, kind) if each == 1 else np.empty((0, each), kind)
    end = array.offset + len(array)
    words = np.frombuffer(array.buffers()[1], kind, end * each)
    return (words if each == 1 else words.reshape(end, each))[array.offset :]


def _gaps(array: pa.Array) -> Integers:
    if array.null_count == 0:
        return _NOTHING
    end = array.offset + len(array)
    validity = np.frombuffer(array.buffers()[0], np.uint8)
    bits = np.unpackbits(validity, count=end, bitorder="little")
    return np.flatnonzero(bits[array.offset :] == 0)


def _unscaled(array: pa.Array) -> NDArray[Any]:
    """The whole numbers that a decimal column holds; read in place where 64 bits hold them."""
    narrow = array.type.bit_width == 32
    words = _words(array, np.dtype(np.int32 if narrow else np.int64))
    if words.ndim == 1:
        return words
    low, high = words[:, 0], words[:, 1:]
    if array.type.precision <= 18 or np.all(high == (low >> 63)[:, None]):
        return low
    values, _ = _values(array.cast(pa.float64()))
    whole: NDArray[Any] = np.rint(values * 10.0 ** decimals(array.type))
    return whole
