"""Parquet files as every part of the program reads them.

Pages are checked by their checksums where they carry any; a column is found by its own name, dots
and all; what pandas noted of its index is left unread, so that a column stays a column.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tandem.errors import DataError
from tandem.records import Array

if TYPE_CHECKING:
    import pandas as pd


_FOOTERS_AHEAD = 16


def read_footer(path: "str | Path") -> pq.FileMetaData:
    """What the file says of itself. Raises DataError where it is no readable Parquet file."""
    try:
        return pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path}: not a readable Parquet file ({error}) -> write it again"
        ) from error


def read_footers(paths: "Sequence[str | Path]") -> Iterator[pq.FileMetaData]:
    """`read_footer` of every file, in their order, some ahead: a store answers many at once.

    No more are held: one takes about 1 kB for every column of a row group.
    """
    with ThreadPoolExecutor(_FOOTERS_AHEAD, "footer") as pool:
        for begin in range(0, len(paths), _FOOTERS_AHEAD):
            yield from pool.map(read_footer, paths[begin : begin + _FOOTERS_AHEAD])


def has_checksums(path: "str | Path") -> bool:
    """Whether the first page of the file carries a checksum, so that a changed byte is noticed."""
    footer = read_footer(path)
    if not (footer.num_row_groups and footer.num_columns):
        return False
    chunk = footer.row_group(0).column(0)
    begins = (chunk.dictionary_page_offset, chunk.data_page_offset)
    with Path(path).open("rb") as data:
        data.seek(min(begin for begin in begins if begin))
        header = iter(data.read(64))
    # Thrift's compact protocol: type, two sizes and the checksum are its first fields, 32-bit
    # integers of the numbers 1 to 4; each begins with the step of its number and its type, 5.
    for field in range(4):
        if next(header, 0) != 0x15:
            return False
        while field < 3 and next(header, 0) & 0x80:
            pass
    return True


def open_file(path: "str | Path", **options: Any) -> pq.ParquetFile:
    """The file, opened with `options` of pyarrow; its pages are checked as they are read."""
    return pq.ParquetFile(
        path, page_checksum_verification=True, coerce_int96_timestamp_unit="us", **options
    )


def places(footer: pq.FileMetaData) -> Mapping[str, int]:
    """Position among the columns of the file, by name, of every column that is not nested."""
    # The column x of a struct s has the path s.x, as a column that is called so.
    return {leaf.name: at for at, leaf in enumerate(footer.schema) if leaf.name == leaf.path}


@contextmanager
def reading(path: "str | Path", group: int) -> Iterator[None]:
    """Raise DataError, with the file and the row group, where it cannot be read in the block."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path}: row group {group} cannot be read ({error}) -> write the file again"
        ) from error


def groups_with_rows(paths: Iterable[str]) -> Iterator[tuple[str, int]]:
    """File and number of every row group that is not empty, in order."""
    for path in paths:
        footer = read_footer(path)
        for group in range(footer.num_row_groups):
            if footer.row_group(group).num_rows:
                yield path, group


def numbered(files: Iterable[str], name: str) -> Iterator[tuple[str, int, Array]]:
    """The numbers of a column by row group: the file, its rows before the group, the values.

    Raises DataError where a row group cannot be read.
    """
    begun: dict[str, int] = {}
    for path, group in groups_with_rows(files):
        values = floats(read_group(path, group, [name]).column(0))
        first = begun.get(path, 0)
        begun[path] = first + len(values)
        yield path, first, values


def whole(rows: int, found: pa.Table | pa.RecordBatch | None) -> Any:
    """`found`, which must have `rows` rows: one that is not read would look like one dropped.

    Raises OSError where it has not, or where a text is none.
    """
    there = 0 if found is None else found.num_rows
    if found is None or there != rows:
        raise OSError(f"{there} rows read where {rows} were expected")
    for field, column in zip(found.schema, found.columns, strict=True):
        if is_text(field.type) or pa.types.is_dictionary(field.type):
            try:
                column.validate(full=True)
            except pa.ArrowInvalid as error:
                raise OSError(f"column '{field.name}': {error}") from error
    return found


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds texts, each written out."""
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def united(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """A type that holds the values of both as they are; None: there is none.

    Texts and codes of texts are texts; integers and floating-point numbers are float64, in which
    integers that it would round are refused; a column of nothing is of any type. Dates with a time
    of day and without are moments, all with a zone or all without.
    """
    types = pa.types
    if left.equals(right):
        return left
    for one, other in ((left, right), (right, left)):
        if types.is_null(one):
            return other
    if all(
        is_text(kind.value_type if types.is_dictionary(kind) else kind) for kind in (left, right)
    ):
        return pa.string()
    if all(types.is_integer(kind) or types.is_floating(kind) for kind in (left, right)):
        return pa.float64()
    return _dates_united(left, right)


def _dates_united(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    types = pa.types
    if all(map(types.is_duration, (left, right))) or all(map(types.is_time, (left, right))):
        return left
    if all(types.is_date(kind) or types.is_timestamp(kind) for kind in (left, right)):
        zones = {kind.tz for kind in (left, right) if types.is_timestamp(kind)}
        if None not in zones:
            return pa.timestamp("us", "UTC") if zones else pa.date32()
        return pa.timestamp("us") if len(zones) == 1 else None
    return None


def first_rows(path: str, group: int, names: Sequence[str], rows: int) -> pa.Table:
    """The columns `names` of the first `rows` rows of a row group, of all if it has fewer.

    Raises DataError as `reading` does.
    """
    with reading(path, group):
        file = open_file(path)
        some = min(rows, file.metadata.row_group(group).num_rows)
        batch = whole(some, next(file.iter_batches(max(some, 1), [group], names), None))
        return pa.Table.from_batches([batch]).select(names)


def read_group(path: str, group: int, names: Sequence[str]) -> pa.Table:
    """The columns `names` of a row group. Raises DataError as `reading` does."""
    return first_rows(path, group, names, sys.maxsize)


def read_columns(path: "str | Path", names: Sequence[str]) -> pa.Table:
    """The columns `names` of all rows, in this order. Raises DataError as `reading` does."""
    file = open_file(path, metadata=read_footer(path))
    parts = [file.schema_arrow.empty_table().select(names)]
    for group in range(file.num_row_groups):
        with reading(path, group):
            found = file.read_row_group(group, names)
            parts.append(whole(file.metadata.row_group(group).num_rows, found).select(names))
            parts[-1].validate()  # or a column may have fewer rows than another
    return pa.concat_tables(parts)


def floats(column: pa.ChunkedArray) -> Array:
    """The numbers of a column as float64, shape (rows,); NaN where one is missing.

    From the buffers: what Arrow has for it imports pandas, which takes longer than a small table.
    """
    array = column.cast(pa.float64(), safe=False).combine_chunks()
    if len(array) == 0:
        return np.empty(0)
    found = np.frombuffer(array.buffers()[1], np.float64, len(array), array.offset * 8).copy()
    if array.null_count:
        absent = array.is_null().cast(pa.uint8())
        found[np.frombuffer(absent.buffers()[1], np.bool_, len(absent))] = np.nan
    return found


def array_of(numbers: Sequence[float | None], kind: pa.DataType) -> pa.Array:
    """int64 or float64, `kind`, null for None; by buffers: what Arrow has for it imports pandas."""
    there = np.packbits([number is not None for number in numbers], bitorder="little")
    dtype = np.int64 if pa.types.is_integer(kind) else np.float64
    values = np.array([number or 0 for number in numbers], dtype)
    return pa.Array.from_buffers(kind, len(values), [pa.py_buffer(there), pa.py_buffer(values)])


def as_pandas(table: pa.Table) -> "pd.DataFrame":
    """The rows as pandas holds them, decimals as float64, every column a column.

    A date is a moment, a time of day a duration: pandas has objects for them.
    """
    for at, field in enumerate(table.schema):
        kind = field.type
        if pa.types.is_time(kind):
            counts = table.column(at).cast(pa.int32() if kind.bit_width == 32 else pa.int64())
            since = counts.cast(pa.int64()).cast(pa.duration(kind.unit))
            table = table.set_column(at, field.name, since)
        if pa.types.is_dictionary(kind) and pa.types.is_uint64(kind.index_type):
            # pandas knows no such codes
            narrower = pa.dictionary(pa.int64(), kind.value_type, kind.ordered)
            table = table.set_column(at, field.name, table.column(at).cast(narrower))
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, date_as_object=False)
    decimals = [field.name for field in table.schema if pa.types.is_decimal(field.type)]
    # Arrow's own conversion is not the nearest double of each.
    return frame.astype(dict.fromkeys(decimals, "float64")) if decimals else frame


ROW_GROUP_ROWS = 131_072


def write_row_groups(path: Path, batches: Iterable[pa.RecordBatch]) -> int:
    """Write `batches` as Parquet in row groups of ROW_GROUP_ROWS; the number of rows written.

    Holds no more than one row group in memory.
    """
    writer: pq.ParquetWriter | None = None
    rows = 0
    for table in _regrouped(batches):
        writer = writer or pq.ParquetWriter(
            path, table.schema, compression="snappy", write_page_checksum=True
        )
        writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        rows += table.num_rows
    if writer:
        writer.close()
    return rows


def _regrouped(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    rows, table = 0, None
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        while rows >= ROW_GROUP_ROWS:
            table = pa.Table.from_batches(waiting)
            yield table.slice(0, ROW_GROUP_ROWS)
            waiting = table.slice(ROW_GROUP_ROWS).to_batches()
            rows -= ROW_GROUP_ROWS
    if rows or (table is None and waiting):
        yield pa.Table.from_batches(waiting)
