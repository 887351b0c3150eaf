"""Parquet row groups as batches of columns, read with pyarrow by one thread each."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from tandem.errors import DataError
from tandem.records import Column, Dataset, File, Kind
from tandem.tiles import TILE

# Decoded cells that one thread holds; a larger row group is read in pieces of whole tiles. Sums by
# category cost per piece, so that theirs are larger. Part of the order of summation: constants.
BATCH_CELLS, NUMERIC_CELLS = 6_000_000, 524_288

# Read from the file at a time and column; without it a whole column of a row group is.
_STREAM_BYTES = 65_536

_SAMPLE_ROWS = 4096


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
    """Reads row groups of `dataset`; any number of threads may call it.

    A pickled copy opens the files anew, and reads their footers, where it is used.
    """

    def __init__(self, dataset: Dataset, text: tuple[str, ...] = ()) -> None:
        self._dataset = dataset
        self._metadata: dict[str, pq.FileMetaData] = {}
        self._open = threading.local()
        self._text = text

    def __reduce__(self) -> tuple[type["Reader"], tuple[Dataset, tuple[str, ...]]]:
        return Reader, (self._dataset, self._text)

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
        self._text = tuple(name for name, kind in types.items() if _is_text(kind))
        return Footers(tuple(group for group in groups if group.rows), nulls, types)

    def batches(
        self, group: RowGroup, columns: Sequence[Column]
    ) -> Iterator[tuple[int, pa.RecordBatch | pa.Table]]:
        """(row id of the first row, columns) of the pieces of `group`."""
        names = [column.name for column in columns]
        numeric = all(column.kind is Kind.NUMERIC for column in columns)
        cells = NUMERIC_CELLS if numeric else BATCH_CELLS
        rows = max(cells // max(len(names), 1) // TILE, 1) * TILE
        try:
            file = self._file(group.file)
            if group.rows <= rows:
                yield group.first_row, file.read_row_group(group.index, names, use_threads=False)
                return
            pieces = file.iter_batches(rows, [group.index], names, use_threads=False)
            for first in range(group.first_row, group.first_row + group.rows, rows):
                # No variable holds a piece while the next is decoded.
                yield first, _of(min(rows, group.first_row + group.rows - first), next(pieces))
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{group.file.path}: row group {group.index} cannot be read ({error}) -> "
                "write the file again"
            ) from error

    def sample(
        self, group: RowGroup, columns: Sequence[Column], rows: int = _SAMPLE_ROWS
    ) -> pa.Table:
        """The first rows of `group`, decoded one column after another: little memory at a time."""
        file = self._file(group.file)
        first = {}
        for column in columns:
            batches = file.iter_batches(rows, [group.index], [column.name], use_threads=False)
            first[column.name] = next(batches).column(0)
        return pa.table(first)

    def _file(self, file: File) -> pq.ParquetFile:
        opened: tuple[str, pq.ParquetFile] | None = getattr(self._open, "file", None)
        if opened is None or opened[0] != file.path:
            if file.path not in self._metadata:
                self._metadata[file.path] = _footer(file)
            parquet = pq.ParquetFile(
                file.path,
                metadata=self._metadata[file.path],
                read_dictionary=[*self._text],
                pre_buffer=False,
                buffer_size=_STREAM_BYTES,
            )
            self._open.file = opened = (file.path, parquet)
        return opened[1]


def _of(rows: int, piece: pa.RecordBatch) -> pa.RecordBatch:
    """`piece`, which must be `rows` long: a row that is not read would look like one dropped."""
    if piece.num_rows != rows:
        raise OSError(f"{piece.num_rows} rows read where {rows} were expected")
    return piece


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


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
