"""Stretches of row groups, piece by piece, decoded by as many threads as there are.

The columns are decoded in groups, each by a reader of its own, which goes through all pieces in
their order. A thread takes a piece from reader to reader, and the next thread follows with the
next piece: they decode side by side, and what a reader holds (a page and a dictionary of every
column, most of the memory of a scan) is held once, however many threads there are. The pieces of
a row group that is decoded at once go to one thread together.
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
from tandem.scan.cuts import Cuts, Stretch

# Groups of columns, at most: so many threads can decode side by side. Opening a file takes as long
# as decoding some thousands of cells, and as beginning some row groups: small ones have fewer
# readers.
_READERS, _READER_CELLS, _BEGUN = 8, 2**18, 16

# Columns that are decoded at once beside each other.
_BESIDE = 16

_STOPPED = -1


@dataclass(frozen=True, slots=True)
class Piece:
    """Some neighbouring rows: the row id of the first, their number, and their columns by name.

    A column has the shape (rows,). In place of a date stands what is read off it.
    """

    first_row: int
    rows: int
    columns: Mapping[str, pa.Array]


# call() decodes and yields some neighbouring pieces.
Call = Callable[[], Iterator[Piece]]


class Pieces:
    """Pieces of one row group, or of several small ones.

    A call decodes one or some where it is iterated over: by the thread that works on them. Each
    must be called, unless all are stopped.

    `counts`: how many calls there are for every stretch. `reader_cells`: of a file, for a reader.
    """

    def __init__(
        self,
        opened: Callable[[File], pq.ParquetFile],
        stretches: Sequence[Stretch],
        columns: Sequence[Column],
        cuts: Cuts,
        reader_cells: int = _READER_CELLS,
    ) -> None:
        self._columns, self._rows = columns, cuts.piece
        names = [*dict.fromkeys(column.stored for column in columns)]
        firsts = [
            [row for run in cuts.runs(stretch) for row in range(run.first, run.end, run.each)]
            for stretch in stretches
        ]
        self.counts = tuple(map(len, firsts))
        self._left = enumerate(chain.from_iterable(firsts))
        each = -(-len(names) // _readers(stretches, len(names), reader_cells))
        self._decoders = [
            _Decoder(_batches(opened, stretches, names[begin : begin + each], cuts))
            for begin in range(0, len(names), each)
        ]

    def __iter__(self) -> Iterator[Call]:
        return self

    def __next__(self) -> Call:
        return partial(self._decoded, *next(self._left))

    def stop(self) -> None:
        """Nothing more is decoded; a thread that waits for another one's piece need not."""
        for decoder in self._decoders:
            decoder.stop()

    def _decoded(self, turn: int, first: int) -> Iterator[Piece]:
        batches = [decoder.next(turn) for decoder in self._decoders]
        rows = batches[0].num_rows
        stored = {
            name: column
            for batch in batches
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        }
        for begin in range(0, rows, self._rows):
            some = {name: column.slice(begin, self._rows) for name, column in stored.items()}
            size = min(self._rows, rows - begin)
            yield Piece(first + begin, size, with_read_off(some, self._columns))


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


def _batches(
    opened: Callable[[File], pq.ParquetFile],
    stretches: Sequence[Stretch],
    names: Sequence[str],
    cuts: Cuts,
) -> Iterator[pa.RecordBatch]:
    """Some columns of the rows of every call."""
    for file, members in groupby(stretches, attrgetter("file")):
        reader = None
        for run in chain.from_iterable(map(cuts.runs, members)):
            index = next(iter(run.groups))
            with reading(file.path, index):
                reader = reader or opened(file)
                if run.at_once and run.each >= run.rows:  # nothing here holds it any longer
                    yield _at_once(reader, file, run.groups, names)
                    continue
                if run.at_once:
                    yield from _sliced(_at_once(reader, file, run.groups, names), run.each)
                    continue
                batches = reader.iter_batches(run.each, [index], names, use_threads=False)
                for begin in range(0, run.rows, run.each):
                    # No variable holds a batch while the next is decoded.
                    yield whole(min(run.each, run.rows - begin), next(batches, None))


def _sliced(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    return (batch.slice(begin, rows) for begin in range(0, batch.num_rows, rows))


def _at_once(
    reader: pq.ParquetFile, file: File, groups: Mapping[int, int], names: Sequence[str]
) -> pa.RecordBatch:
    """Some columns of one or several row groups."""
    columns = dict[str, pa.Array]()
    for begin in range(0, len(names), _BESIDE):
        some, tables = names[begin : begin + _BESIDE], []
        for index, rows in groups.items():
            with reading(file.path, index):
                group = reader.read_row_group(index, some, use_threads=False)
                tables.append(whole(rows, group))
        table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
        (batch,) = table.to_batches()
        columns |= zip(table.column_names, batch.columns, strict=True)
    return pa.record_batch(columns)
