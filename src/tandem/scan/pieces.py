"""Stretches of row groups, piece by piece, decoded by as many threads as there are.

The columns are decoded in groups, each by a reader of its own, which goes through all pieces in
their order. A thread takes a piece from reader to reader, and the next thread follows with the
next piece: they decode side by side, and what a reader holds (a page and a dictionary of every
column, most of the memory of a scan) is held once, however many threads there are.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from operator import attrgetter
from threading import Condition

import pyarrow as pa
import pyarrow.parquet as pq

from tandem.dataset import reading, whole, with_read_off
from tandem.records import Column, File

# Neighbouring row groups are worked on as one until they have this share of their file's rows, or
# as many rows as the second number: fewer sums to send and to add.
_SHARE, _LONG = 1 / 8, 2_097_152
# Row groups of a stretch are one piece while they have so many rows together: each costs as much to
# sum as some thousands of rows.
_JOINED = 65_536

# Groups of columns, at most: so many threads can decode side by side. Opening a file takes as long
# as decoding some thousands of cells, and as beginning some row groups: small ones have fewer
# readers.
_READERS, _READER_CELLS, _BEGUN = 8, 2**18, 16

# Rows up to which a column is about a page: a reader that decodes it piece by piece holds it
# packed, unpacked and its dictionary, more than all of it decoded at once, some columns together.
# Not where cells are long texts, of more bytes than the last number on average.
_PAGE, _BESIDE, _SHORT = 131_072, 16, 16

_STOPPED = -1


@dataclass(frozen=True, slots=True)
class Piece:
    """Some neighbouring rows: the row id of the first, their number, and their columns by name.

    A column has the shape (rows,). In place of a date stands what is read off it.
    """

    first_row: int
    rows: int
    columns: Mapping[str, pa.Array]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring row groups of a file, worked on as one.

    `first`: the first of them; `sizes`: rows of each; `first_row`: row id of the first row.
    """

    file: File
    first: int
    sizes: tuple[int, ...]
    first_row: int

    @property
    def rows(self) -> int:
        """Rows of all."""
        return sum(self.sizes)


def stretches_of(file: File, sizes: Sequence[int]) -> Iterator[Stretch]:
    """Stretches of the row groups of `file`, which have `sizes` rows: every row is in one."""
    enough = max(min(file.rows * _SHARE, _LONG), 1)
    begin, first, rows = 0, file.first_row, 0
    for index, size in enumerate(sizes, 1):
        if not rows:
            begin = index - 1  # empty ones before the first row are of no use
        rows += size
        if rows >= enough or (rows and index == len(sizes)):
            yield Stretch(file, begin, tuple(sizes[begin:index]), first)
            begin, first, rows = index, first + rows, 0


class Pieces:
    """Pieces of at most `rows` rows of one row group, or of several small ones.

    A piece is decoded where it is called, by the thread that works on it; each must be, unless all
    are stopped.

    `counts`: how many there are of every stretch. `limits`: cells of a file for each reader, and
    rows of a row group above which only a piece of it is decoded at a time.
    """

    def __init__(
        self,
        opened: Callable[[File], pq.ParquetFile],
        stretches: Sequence[Stretch],
        columns: Sequence[Column],
        rows: int,
        limits: tuple[int, int] = (_READER_CELLS, _PAGE),
    ) -> None:
        self._columns = columns
        reader_cells, page = limits
        names = [*dict.fromkeys(column.stored for column in columns)]
        ids = [[*_ids(stretch, rows)] for stretch in stretches]
        self.counts = tuple(map(len, ids))
        self._left = enumerate(first for some in ids for first in some)
        each = -(-len(names) // _readers(stretches, len(names), reader_cells))
        self._decoders = [
            _Decoder(_batches(opened, stretches, names[begin : begin + each], rows, page))
            for begin in range(0, len(names), each)
        ]

    def __iter__(self) -> Iterator[Callable[[], Piece]]:
        return self

    def __next__(self) -> Callable[[], Piece]:
        return partial(self._decoded, *next(self._left))

    def stop(self) -> None:
        """Nothing more is decoded; a thread that waits for another one's piece need not."""
        for decoder in self._decoders:
            decoder.stop()

    def _decoded(self, turn: int, first: int) -> Piece:
        batches = [decoder.next(turn) for decoder in self._decoders]
        stored = {
            name: column
            for batch in batches
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        }
        return Piece(first, batches[0].num_rows, with_read_off(stored, self._columns))


class _Decoder:
    """Batches that threads take in turn."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._turn = 0
        self._changed = Condition()

    def next(self, turn: int) -> pa.RecordBatch:
        """Batch number `turn`, as soon as those before it have been taken."""
        with self._changed:
            self._changed.wait_for(lambda: self._turn in (turn, _STOPPED))
            if self._turn == _STOPPED:
                raise InterruptedError("an earlier piece has not been decoded")
        try:
            batch = next(self._batches)
        except BaseException:
            self.stop()
            raise
        self._set(turn + 1)
        return batch

    def stop(self) -> None:
        """Nobody has a turn any more."""
        self._set(_STOPPED)

    def _set(self, turn: int) -> None:
        with self._changed:
            if self._turn != _STOPPED:
                self._turn = turn
            self._changed.notify_all()


def _readers(stretches: Sequence[Stretch], columns: int, cells: int) -> int:
    """How many share the columns."""
    rows = sum(stretch.rows for stretch in stretches)
    files = len({stretch.file.path for stretch in stretches})
    groups = sum(len(stretch.sizes) for stretch in stretches)
    return min(1 + rows * columns // max(files, groups // _BEGUN, 1) // cells, _READERS)


def _ids(stretch: Stretch, most: int) -> Iterator[int]:
    """Row id of the first row of every piece of `stretch`."""
    first = stretch.first_row
    for run in _runs(stretch, most):
        rows = sum(run.values())
        yield from range(first, first + rows, most)
        first += rows


def _batches(
    opened: Callable[[File], pq.ParquetFile],
    stretches: Sequence[Stretch],
    names: Sequence[str],
    most: int,
    page: int,
) -> Iterator[pa.RecordBatch]:
    """Some columns of every piece."""
    for file, members in groupby(stretches, attrgetter("file")):
        reader = None
        for run in chain.from_iterable(_runs(stretch, most) for stretch in members):
            index, rows = next(iter(run)), sum(run.values())
            with reading(file.path, index):
                reader = reader or opened(file)
                if len(run) > 1 or (rows <= page and _short(reader.metadata.row_group(index))):
                    yield from _sliced(_at_once(reader, file, run, names), most)
                    continue
                batches = reader.iter_batches(most, [index], names, use_threads=False)
                for begin in range(0, rows, most):
                    # No variable holds a batch while the next is decoded.
                    yield whole(min(most, rows - begin), next(batches, None))


def _runs(stretch: Stretch, most: int) -> Iterator[dict[int, int]]:
    """Rows of every row group by its number, of those together that are decoded together."""
    run, rows = dict[int, int](), 0
    for index, size in enumerate(stretch.sizes, stretch.first):
        if run and rows + size > min(most, _JOINED):
            yield run
            run, rows = {}, 0
        run[index] = size
        rows += size
    yield run


def _short(group: pq.RowGroupMetaData) -> bool:
    """Whether its cells are, on average."""
    found: bool = group.total_byte_size <= _SHORT * group.num_rows * group.num_columns
    return found


def _sliced(table: pa.Table, most: int) -> Iterator[pa.RecordBatch]:
    for begin in range(0, table.num_rows, most):
        (batch,) = table.slice(begin, most).combine_chunks().to_batches()
        yield batch


def _at_once(
    reader: pq.ParquetFile, file: File, run: Mapping[int, int], names: Sequence[str]
) -> pa.Table:
    """Some columns of one or several row groups, each in one piece."""
    columns = dict[str, pa.ChunkedArray]()
    for begin in range(0, len(names), _BESIDE):
        tables = []
        for index, rows in run.items():
            with reading(file.path, index):
                some = names[begin : begin + _BESIDE]
                group = reader.read_row_group(index, some, use_threads=False)
                tables.append(whole(rows, group))
        table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
        columns |= zip(table.column_names, table.columns, strict=True)
    return pa.table(columns)
