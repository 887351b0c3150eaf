"""Parquet row groups as batches of columns, read with pyarrow by one thread each."""

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tandem.cleaning import MISSING
from tandem.errors import DataError
from tandem.folds import fold_numbers
from tandem.moments import Integers
from tandem.records import Array, Column, Dataset, File, Folds, Kind, Plan
from tandem.tiles import TILE, Batch, Cells, Codes

# Decoded cells that one thread holds; a larger row group is read in pieces of whole tiles.
BATCH_CELLS = 6_000_000

_SAMPLE_ROWS = 4096
_NOTHING: Integers = np.empty(0, dtype=np.int64)


class NotFiniteError(Exception):
    """A column of floating-point numbers holds NaN or an infinity, which the footer cannot tell."""


@dataclass(frozen=True, slots=True)
class RowGroup:
    """One row group of a file, and the row id of its first row."""

    file: File
    index: int
    rows: int
    first_row: int


@dataclass(frozen=True, slots=True)
class Footers:
    """What the files say of themselves: row groups in order, and missing cells by column name.

    A column without complete statistics is absent from `nulls`.
    """

    row_groups: tuple[RowGroup, ...]
    nulls: Mapping[str, int]
    types: Mapping[str, pa.DataType]


class Reader:
    """Reads row groups of `dataset`; any number of threads may call it."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._metadata: dict[str, pq.FileMetaData] = {}
        self._open = threading.local()
        self._text: list[str] = []

    def footers(self) -> Footers:
        """Read the footers. Raises DataError where a file holds other rows than expected."""
        groups: list[RowGroup] = []
        names = {column.name for column in self._dataset.columns}
        nulls: dict[str, int] = dict.fromkeys(names, 0)
        for file in self._dataset.files:
            footer = self._metadata[file.path] = _footer(file)
            first = file.first_row
            for index in range(footer.num_row_groups):
                group = footer.row_group(index)
                groups.append(RowGroup(file, index, group.num_rows, first))
                first += group.num_rows
                _count_nulls(group, nulls)
        schema = self._metadata[self._dataset.files[0].path].schema.to_arrow_schema()
        types = {name: schema.field(name).type for name in names}
        self._text = [name for name, kind in types.items() if _is_text(kind)]
        return Footers(tuple(group for group in groups if group.rows), nulls, types)

    def batches(
        self, group: RowGroup, columns: Sequence[Column], cells: int = BATCH_CELLS
    ) -> Iterator[tuple[int, pa.RecordBatch | pa.Table]]:
        """(row id of the first row, columns) of the pieces of `group`, of about `cells` cells."""
        names = [column.name for column in columns]
        rows = max(cells // max(len(names), 1) // TILE, 1) * TILE
        try:
            file = self._file(group.file)
            if group.rows <= rows:
                yield group.first_row, file.read_row_group(group.index, names, use_threads=False)
                return
            first = group.first_row
            pieces = file.iter_batches(rows, [group.index], names, use_threads=False)
            for piece in pieces:
                yield first, piece
                first += piece.num_rows
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{group.file.path}: row group {group.index} cannot be read ({error}) -> "
                "write the file again"
            ) from error

    def sample(self, group: RowGroup, columns: Sequence[Column]) -> pa.RecordBatch:
        """The first rows of `group`."""
        names = [column.name for column in columns]
        rows = self._file(group.file).iter_batches(
            _SAMPLE_ROWS, [group.index], names, use_threads=False
        )
        return next(rows)

    def _file(self, file: File) -> pq.ParquetFile:
        opened: tuple[str, pq.ParquetFile] | None = getattr(self._open, "file", None)
        if opened is None or opened[0] != file.path:
            parquet = pq.ParquetFile(
                file.path,
                metadata=self._metadata[file.path],
                read_dictionary=self._text,
                pre_buffer=False,
            )
            self._open.file = opened = (file.path, parquet)
        return opened[1]


def batch(
    table: pa.RecordBatch | pa.Table,
    first_row: int,
    plan: Plan,
    folds: Folds,
    with_nan: frozenset[str] | None,
) -> Batch:
    """The columns of `plan` in `table`, with the fold of every row and the rows to drop.

    `with_nan`: ids of the columns in which NaN stands for missing; None: not known yet, then
    raises NotFiniteError where any column of floating-point numbers holds NaN or an infinity.
    """
    if with_nan is None:
        check_finite(table)
    nan = with_nan or frozenset()
    wanted = (*plan.numeric, plan.target)
    cells = {c.id: numbers(table.column(c.name), nan=c.id in nan) for c in wanted}
    codes, missing = {}, {column.id: cells[column.id].missing for column in wanted}
    for column in plan.categorical:
        codes[column.id], missing[column.id] = categories(table.column(column.name))
    absent = [missing[column.id] for column in (plan.target, *plan.required)]
    absent = [positions for positions in absent if len(positions)]
    dropped = np.unique(np.concatenate(absent)) if absent else _NOTHING
    return Batch(
        tuple(cells[column.id] for column in wanted),
        tuple(codes[column.id] for column in plan.categorical),
        fold_numbers(first_row, table.num_rows, folds),
        dropped,
    )


def check_finite(table: pa.RecordBatch | pa.Table) -> None:
    """Raise NotFiniteError where a floating-point column holds NaN or an infinity."""
    for column in table.columns:
        if pa.types.is_floating(column.type):
            values, _ = _values(one_array(column))
            # One pass at the speed of memory: NaN and infinity survive any sum.
            if not math.isfinite(float(np.add.reduce(values, dtype=np.float64))):
                raise NotFiniteError


def numbers(column: pa.Array | pa.ChunkedArray, *, nan: bool) -> Cells:
    """A numeric column; with `nan`, NaN is missing too."""
    array = one_array(column)
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64())
    values, missing = _values(array)
    if nan:
        absent = np.isnan(values)
        absent[missing] = True
        missing = np.flatnonzero(absent)
    return Cells(values, missing)


def categories(column: pa.Array | pa.ChunkedArray) -> tuple[Codes, Integers]:
    """A categorical column as codes, and where it is missing; missing is the level MISSING."""
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    elif isinstance(column, pa.ChunkedArray) and column.num_chunks > 1:
        column = column.unify_dictionaries()
    array = one_array(column)
    values, missing = _values(array.indices)
    places: dict[str, int] = {}
    texts = array.dictionary.to_pylist()
    code = np.empty(len(texts) + 1, dtype=np.int64)
    for i, text in enumerate(texts):
        code[i] = places.setdefault(MISSING if text is None else text, len(places))
    if len(missing):
        code[-1] = places.setdefault(MISSING, len(places))
        values = values.astype(np.int64)
        values[missing] = len(texts)
    codes = code[values]
    if None in texts:
        missing = np.flatnonzero(codes == places[MISSING])
    return Codes(tuple(places), codes), missing


def one_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The column in one piece."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def common_shift(sample: pa.RecordBatch, columns: Sequence[Column]) -> Array:
    """A constant near the mean of every column, for all parts of the data, in raw units.

    Rounded to a power of two near the deviation, and at least to 1 for integers: subtracting it
    is exact then. A constant column is its own shift.
    """
    shifts = []
    for column in columns:
        cells = numbers(sample.column(column.name), nan=False)
        values = np.delete(cells.values, cells.missing).astype(np.float64)
        values = values[np.isfinite(values)]
        mean, deviation = (values.mean(), values.std()) if len(values) else (0.0, 0.0)
        if len(values) and np.ptp(values) == 0.0:
            shifts.append(float(values[0]))
            continue
        step = 2.0 ** math.floor(math.log2(deviation)) if deviation > 0 else 1.0
        if np.all(values == np.rint(values)):
            step = max(step, 1.0)
        shift = round(mean / step) * step
        shifts.append(shift if math.isfinite(shift) else 0.0)
    return np.array(shifts)


def count_missing(
    reader: Reader, groups: Sequence[RowGroup], columns: Sequence[Column]
) -> dict[str, tuple[int, int, int]]:
    """(missing, of them NaN, infinite) cells of every column by id, from one pass over the rows."""
    found = {column.id: (0, 0, 0) for column in columns}
    for group in groups:
        for _, table in reader.batches(group, columns):
            for column in columns:
                missing, nan, infinite = found[column.id]
                more = _count(table.column(column.name), column.kind)
                found[column.id] = (missing + more[0], nan + more[1], infinite + more[2])
    return found


def _count(column: pa.Array | pa.ChunkedArray, kind: Kind) -> tuple[int, int, int]:
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
    validity, data = array.buffers()
    kind = np.dtype(array.type.to_pandas_dtype())
    end = array.offset + len(array)
    values = np.frombuffer(data, kind, end)[array.offset :] if len(array) else np.empty(0, kind)
    if array.null_count == 0:
        return values, _NOTHING
    bits = np.unpackbits(np.frombuffer(validity, np.uint8), count=end, bitorder="little")
    return values, np.flatnonzero(bits[array.offset :] == 0)


def _footer(file: File) -> pq.FileMetaData:
    try:
        footer = pq.read_metadata(file.path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{file.path}: not a readable Parquet file ({error}) -> write it again"
        ) from error
    if footer.num_rows != file.rows:
        raise DataError(
            f"{file.path}: {footer.num_rows} rows read, {file.rows} expected: "
            "a file changed during the run -> run again"
        )
    return footer


def _count_nulls(group: pq.RowGroupMetaData, nulls: dict[str, int]) -> None:
    for index in range(group.num_columns):
        column = group.column(index)
        name, statistics = column.path_in_schema, column.statistics
        if name in nulls:
            if statistics is None or not statistics.has_null_count:
                del nulls[name]
            else:
                nulls[name] += statistics.null_count


def is_floating(kind: pa.DataType) -> bool:
    """Whether a column of this type can hold NaN."""
    return bool(pa.types.is_floating(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
