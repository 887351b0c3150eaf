"""Parquet row groups as batches of columns, read with pyarrow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import pyarrow as pa
import pyarrow.parquet as pq

from tandem.dataset import (
    open_file,
    places,
    read_footer,
    read_off,
    reading,
    type_read_off,
    united,
    whole,
)
from tandem.errors import DataError
from tandem.moments import TILE
from tandem.records import Column, Dataset, File, Kind
from tandem.scan.pieces import Pieces, Stretch, stretches_of

# Decoded cells that one thread holds; a larger row group is read in pieces of whole tiles. Sums by
# category cost per piece, so that theirs are larger. Part of the order of summation: constants.
BATCH_CELLS, NUMERIC_CELLS = 6_000_000, 2_097_152

# Read from the file at a time and column; without it a whole column of a row group is.
_STREAM_BYTES = 65_536

_SAMPLE_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Footers:
    """What the files say of themselves: row groups in order; missing cells and types by column.

    A column without complete statistics is absent from `nulls`.
    """

    stretches: tuple[Stretch, ...]
    nulls: Mapping[str, int]
    types: Mapping[str, pa.DataType]


class Reader:
    """Reads row groups of `dataset`; any number of threads may call it.

    A pickled copy opens the files anew, and reads their footers, where it is used.
    """

    def __init__(self, dataset: Dataset, text: tuple[str, ...] = ()) -> None:
        self._dataset = dataset
        self._metadata: dict[str, pq.FileMetaData] = {}
        self._coded: dict[str, list[str]] = {}  # by file: texts that are read as codes
        self._text = text

    def __reduce__(self) -> tuple[type["Reader"], tuple[Dataset, tuple[str, ...]]]:
        return Reader, (self._dataset, self._text)

    def footers(self) -> Footers:
        """Read the footers. Raises DataError where one cannot be read, or counts other rows."""
        found: list[Stretch] = []
        columns = self._dataset.columns
        names = {column.stored for column in columns}
        nulls: dict[str, int] = dict.fromkeys(names, 0)
        for file in self._dataset.files:
            footer = self._metadata[file.path] = _footer(file)
            groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
            found += stretches_of(file, [group.num_rows for group in groups])
            at = places(footer)
            for group in groups:
                _count_nulls(group, at, nulls)
        schemas = [footer.schema.to_arrow_schema() for footer in self._metadata.values()]
        types = {
            c.name: reduce(united, (type_read_off(s.field(c.stored).type, c) for s in schemas))
            for c in columns
        }
        for one in self._dataset.beside:
            types[one.name] = reduce(united, (s.field(one.stored).type for s in schemas))
        self._text = tuple(name for name, kind in types.items() if _is_text(kind))
        self._coded.clear()
        told = {c.name: nulls[c.stored] for c in columns if c.stored in nulls}
        return Footers(tuple(found), told, types)

    def pieces(
        self, stretches: Sequence[Stretch], columns: Sequence[Column], cells: int | None = None
    ) -> Pieces:
        """`columns` of the rows of `stretches`, in pieces of about `cells` cells.

        Where a piece is decoded, DataError is raised if its row group cannot be read.
        """
        numeric = all(column.kind is Kind.NUMERIC for column in columns)
        cells = cells or (NUMERIC_CELLS if numeric else BATCH_CELLS)
        rows = max(cells // max(len(columns), 1) // TILE, 1) * TILE
        return Pieces(self._open, stretches, columns, rows)

    def sample(
        self, stretch: Stretch, columns: Sequence[Column], rows: int = _SAMPLE_ROWS
    ) -> pa.Table:
        """Up to `rows` first rows of `stretch`, of its first row group.

        Read one column after another: little memory at a time. Raises DataError where it cannot be.
        """
        first, some = {}, min(rows, stretch.sizes[0])
        with reading(stretch.file.path, stretch.first):
            file = self._open(stretch.file)
            for column in columns:
                name = column.stored
                batches = file.iter_batches(rows, [stretch.first], [name], use_threads=False)
                read = whole(some, next(batches, None)).column(name)
                first[column.name] = read_off(read, column)
        return pa.table(first)

    def _open(self, file: File) -> pq.ParquetFile:
        if file.path not in self._metadata:
            self._metadata[file.path] = _footer(file)
        footer = self._metadata[file.path]
        if file.path not in self._coded:
            schema = footer.schema.to_arrow_schema()
            self._coded[file.path] = [
                name
                for name in self._text
                if _is_text(schema.field(name).type) and not _delta(footer, name)
            ]
        return open_file(
            file.path,
            metadata=footer,
            read_dictionary=self._coded[file.path],
            pre_buffer=False,
            buffer_size=_STREAM_BYTES,
        )


def _delta(footer: pq.FileMetaData, name: str) -> bool:
    """Whether texts are stored as differences, which Arrow cannot read as codes."""
    at = places(footer)[name]
    groups = map(footer.row_group, range(footer.num_row_groups))
    stored = (encoding for group in groups for encoding in group.column(at).encodings)
    return any(encoding.startswith("DELTA") for encoding in stored)


def _footer(file: File) -> pq.FileMetaData:
    footer = read_footer(file.path)
    if footer.num_rows != file.rows:
        raise DataError(
            f"{file.path}: {footer.num_rows} rows read, {file.rows} expected: "
            "a file changed during the run -> run again"
        )
    return footer


def _count_nulls(group: pq.RowGroupMetaData, at: Mapping[str, int], nulls: dict[str, int]) -> None:
    for name in [*nulls]:
        statistics = group.column(at[name]).statistics
        if statistics is None or not statistics.has_null_count:
            del nulls[name]
        else:
            nulls[name] += statistics.null_count


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
