"""Parquet row groups as batches of columns, read with pyarrow."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce

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
from tandem.scan.cuts import Stretch, are_short, cuts_of, stretches_of
from tandem.scan.pieces import Pieces

# Decoded cells that one thread holds; a larger row group is read in pieces of whole tiles. Sums by
# category cost per piece, so that theirs are larger. Part of the order of summation: constants.
BATCH_CELLS, NUMERIC_CELLS = 6_000_000, 2_097_152

# Read from the file at a time and column; without it a whole column of a row group is.
_STREAM_BYTES = 65_536

_SAMPLE_ROWS = 4096

# Files whose footers are kept: those that are read now. One takes about 1 kB for every column of a
# row group.
_KEPT = 16


@dataclass(frozen=True, slots=True)
class Footers:
    """What the files say of themselves: row groups in order; missing cells and types by column.

    A column without complete statistics is absent from `nulls`.
    """

    stretches: tuple[Stretch, ...]
    nulls: Mapping[str, int]
    types: Mapping[str, pa.DataType]


@dataclass(frozen=True, slots=True)
class Footer:
    """What is kept of a footer: rows of every row group; missing cells by column; the schema.

    A column without complete statistics is absent from `nulls`. `schema`: as Arrow writes it.
    `short`: whether cells are, on average.
    """

    sizes: tuple[int, ...]
    nulls: Mapping[str, int]
    schema: bytes
    short: bool


# tell(work, files) -> what work([file, ...]) yields of every file, in their order.
Tell = Callable[[Callable[[Iterable[File]], Iterator[Footer]], Sequence[File]], Iterator[Footer]]


class Reader:
    """Reads row groups of `dataset`; any number of threads may call it.

    A pickled copy knows no files. It opens those that it is asked to read, and reads their footers.
    """

    def __init__(self, dataset: Dataset, text: tuple[str, ...] = ()) -> None:
        self._dataset = dataset
        self._footer = lru_cache(_KEPT)(_footer)
        self._coded = lru_cache(_KEPT)(self._codes)
        self._text = text

    def __reduce__(self) -> tuple[type["Reader"], tuple[Dataset, tuple[str, ...]]]:
        return Reader, (replace(self._dataset, files=()), self._text)

    def footers(self, tell: Tell | None = None) -> Footers:
        """What all footers tell, read here, or where `tell` has them read.

        Raises DataError where one cannot be read, or counts other rows.
        """
        found: list[Stretch] = []
        columns, files = self._dataset.columns, self._dataset.files
        nulls = dict.fromkeys((column.stored for column in columns), 0)
        told = tell(self.told, files) if tell else self.told(files)
        known: dict[bytes, None] = {}
        for file, footer in zip(files, told, strict=True):
            found += stretches_of(file, footer.sizes, short=footer.short)
            nulls = {n: nulls[n] + cells for n, cells in footer.nulls.items() if n in nulls}
            known[footer.schema] = None
        schemas = [pa.ipc.read_schema(pa.py_buffer(schema)) for schema in known]
        types = {
            c.name: reduce(united, (type_read_off(s.field(c.stored).type, c) for s in schemas))
            for c in columns
        }
        for one in self._dataset.beside:
            types[one.name] = reduce(united, (s.field(one.stored).type for s in schemas))
        self._text = tuple(name for name, kind in types.items() if _is_text(kind))
        self._coded.cache_clear()
        missing = {c.name: nulls[c.stored] for c in columns if c.stored in nulls}
        return Footers(tuple(found), missing, types)

    def told(self, files: Iterable[File]) -> Iterator[Footer]:
        """What is kept of the footer of every one of `files`. Raises DataError as `footers`."""
        names = {column.stored for column in self._dataset.columns}
        for file in files:
            footer = self._footer(file)
            groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
            nulls = dict.fromkeys(names, 0)
            at = places(footer)
            for group in groups:
                _count_nulls(group, at, nulls)
            schema = footer.schema.to_arrow_schema().serialize().to_pybytes()
            size = sum(group.total_byte_size for group in groups)
            short = are_short(footer.num_rows * footer.num_columns, size)
            yield Footer(tuple(group.num_rows for group in groups), nulls, schema, short)

    def pieces(
        self,
        stretches: Sequence[Stretch],
        columns: Sequence[Column],
        threads: int,
        cells: int | None = None,
    ) -> Pieces:
        """`columns` of the rows of `stretches`, in pieces of about `cells` cells, for `threads`.

        Where a piece is decoded, DataError is raised if its row group cannot be read.
        """
        numeric = all(column.kind is Kind.NUMERIC for column in columns)
        cells = cells or (NUMERIC_CELLS if numeric else BATCH_CELLS)
        rows = max(cells // max(len(columns), 1) // TILE, 1) * TILE
        cuts = cuts_of(stretches, len(columns), rows, threads)
        return Pieces(self._open, stretches, columns, cuts)

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
        return open_file(
            file.path,
            metadata=self._footer(file),
            read_dictionary=self._coded(file),
            pre_buffer=False,
            buffer_size=_STREAM_BYTES,
        )

    def _codes(self, file: File) -> list[str]:
        """The columns of texts that are read as codes."""
        footer = self._footer(file)
        schema = footer.schema.to_arrow_schema()
        texts = (name for name in self._text if _is_text(schema.field(name).type))
        return [name for name in texts if not _delta(footer, name)]


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
