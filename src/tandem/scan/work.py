"""What is done with one stretch of row groups, by a thread of this machine or a task elsewhere.

Everything here is a frozen value that can be pickled and called with a stretch. The results of
different stretches are combined by the caller, in their order.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import count
from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa
import scipy
from threadpoolctl import threadpool_limits

from tandem.errors import DataError
from tandem.folds import Assignment
from tandem.moments import (
    Allowance,
    Batch,
    Moments,
    RowVector,
    Slices,
    Workplace,
    moments_of,
    total,
)
from tandem.records import Array, Column, File, Plan, Weights
from tandem.scan.arrow import NotFiniteError, batch, count_cells, merged
from tandem.scan.cuts import Stretch
from tandem.scan.error_counts import Bins, Counted, added, error_counts
from tandem.scan.error_sums import Models, error_sums, squared_errors
from tandem.scan.index_sums import Lookup, counted_sums
from tandem.scan.pieces import Piece, Pieces
from tandem.scan.ranges import Add, by_file
from tandem.scan.row_groups import Footer, Reader
from tandem.scan.threads import Work, in_order

T = TypeVar("T")

# Missing cells, of them NaN, and infinite cells, of every column by its id.
Counts = dict[str, tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Reads `columns` of a stretch as batches of the features and the target of `plan`.

    `with_nan`: ids of the columns in which NaN stands for missing; None: not known yet. `slices`:
    what the numbers are cut into; None: they are whole; `kept`: of the categories whose other
    levels are taken as one, by id; `weights`: how often a row counts; None: once.
    """

    reader: Reader
    columns: tuple[Column, ...]
    plan: Plan
    folds: Assignment
    with_nan: frozenset[str] | None
    slices: Slices | None = None
    kept: Mapping[str, frozenset[str]] = field(default_factory=dict)
    weights: Weights | None = None

    def pieces(self, stretches: Sequence[Stretch], threads: int) -> Pieces:
        """The rows of `stretches`."""
        return self.reader.pieces(stretches, self.columns, threads)

    def batch(self, piece: Piece) -> Batch:
        """A piece as what is worked on. Raises NotFiniteError as `arrow.batch` does."""
        found = batch(piece, self.plan, self.folds, self.with_nan, self.weights)
        if self.kept:
            columns = zip(self.plan.categorical, found.categorical, strict=True)
            of = [merged(x, self.kept[c.id]) if c.id in self.kept else x for c, x in columns]
            found = replace(found, categorical=tuple(of))
        return self.slices.cut(found) if self.slices else found


@dataclass(frozen=True, slots=True)
class _Group(Generic[T]):
    """Work on `rows` in a `vector`, whose result is the sum of what `part` says of each piece."""

    rows: Rows
    vector: RowVector

    def pieces(self, stretches: Sequence[Stretch], threads: int) -> Pieces:
        """The rows of `stretches`, not decoded yet."""
        return self.rows.pieces(stretches, threads)

    def worker(self) -> Callable[[Piece], T]:
        """What a thread does with a piece, in buffers of its own."""
        place = Workplace(self.vector.width)
        return lambda piece: self.part(self.rows.batch(piece), place)

    def part(self, rows: Batch, work: Workplace) -> T:
        """What the rows of a piece come to."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _GroupTables(_Group[Moments]):
    """Work whose result is moments, with the sums that `allowance` leaves."""

    allowance: Allowance

    def total(self, parts: Iterable[Moments]) -> Moments:
        """The moments of a stretch."""
        return total(parts, self.allowance.limit)


class GroupMoments(_GroupTables):
    """The moments of every stretch.

    Raises NotFiniteError where NaN or an infinity stands among the numbers, of which no column
    with NaN is known.
    """

    __slots__ = ()

    def part(self, rows: Batch, work: Workplace) -> Moments:
        """The moments of a piece."""
        with np.errstate(invalid="ignore", over="ignore"):
            part = moments_of(rows, self.vector, self.rows.folds.parts, work, self.allowance)
        if self.rows.with_nan is None and not np.isfinite(part.gram).all():
            raise NotFiniteError
        return part


class _GroupSums(_Group[Array]):
    """Work whose result is an array."""

    __slots__ = ()

    def total(self, parts: Iterable[Array]) -> Array:
        """The sum of a stretch."""
        found: Array = np.sum([*parts], axis=0)
        return found


@dataclass(frozen=True, slots=True)
class GroupIndexSums(_GroupSums):
    """The sums of every stretch with the indices of the categories that were only counted."""

    lookup: Lookup

    def part(self, rows: Batch, work: Workplace) -> Array:
        """The sums of a piece."""
        return counted_sums(rows, self.vector, self.rows.folds.parts, work, self.lookup)


@dataclass(frozen=True, slots=True)
class GroupErrors(_GroupSums):
    """Sums of errors of all models as `error_sums` has them, (2 or 3, models, parts, points)."""

    models: Models

    def part(self, rows: Batch, work: Workplace) -> Array:
        """The sums of a piece."""
        return error_sums(rows, self.vector, work, self.models)


@dataclass(frozen=True, slots=True)
class GroupErrorCounts(_Group[Counted]):
    """How many rows of every fold have an error in each of some bins."""

    models: Models
    bins: Bins

    def total(self, parts: Iterable[Counted]) -> Counted:
        """The counts of a stretch."""
        return reduce(added, parts)

    def part(self, rows: Batch, work: Workplace) -> Counted:
        """The counts of a piece."""
        return error_counts(rows, self.vector, work, self.models, self.bins)


@dataclass(frozen=True, slots=True)
class GroupSpread(_GroupTables):
    """Moments of rows that count as their squared error under the first model of their part."""

    models: Models

    def part(self, rows: Batch, work: Workplace) -> Moments:
        """The moments of a piece."""
        squares = squared_errors(rows, self.vector, work, self.models)
        k = self.rows.folds.parts
        return moments_of(replace(rows, weights=squares), self.vector, k, work, self.allowance)


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """Missing, NaN and infinite cells of every stretch by column."""

    reader: Reader
    columns: tuple[Column, ...]

    def pieces(self, stretches: Sequence[Stretch], threads: int) -> Pieces:
        """The rows of `stretches`, not decoded yet."""
        return self.reader.pieces(stretches, self.columns, threads)

    def worker(self) -> Callable[[Piece], list[tuple[int, int, int]]]:
        """What a thread does with a piece."""
        return self._part

    def total(self, parts: Iterable[list[tuple[int, int, int]]]) -> Counts:
        """The cells of a stretch."""
        summed = np.sum([*parts], axis=0).tolist()
        return {column.id: tuple(cells) for column, cells in zip(self.columns, summed, strict=True)}

    def _part(self, piece: Piece) -> list[tuple[int, int, int]]:
        return [count_cells(piece.columns[c.name], c.kind) for c in self.columns]


def each(
    work: Work[T], slices: Iterable[tuple[Stretch, ...]]
) -> Iterator[T | NotFiniteError | DataError]:
    """In a task of Spark: the result of every stretch, or last what is wrong with the data.

    It stands here, so that a worker need not import the solvers.
    """
    _one_thread()
    try:
        for stretches in slices:
            yield from in_order(work, stretches)
    except (NotFiniteError, DataError) as error:
        yield error  # raised here it would be retried, and reach the driver as text


def each_file(
    work: Work[T], add: Add[T], slices: Iterable[tuple[int, tuple[Stretch, ...]]]
) -> Iterator[tuple[int, T | NotFiniteError | DataError]]:
    """In a task of Spark: number and sum of every file, or of the first with wrong data, what is.

    `slices`: the number of the first file, and the stretches of some neighbouring files.
    """
    _one_thread()
    for first, stretches in slices:
        numbers = count(first)
        try:
            for found in by_file(in_order(work, stretches), stretches, add):
                yield next(numbers), found
        except (NotFiniteError, DataError) as error:
            yield next(numbers), error


def each_footer(
    work: Callable[[Iterable[File]], Iterator[Footer]], slices: Iterable[tuple[File, ...]]
) -> Iterator[Footer | DataError]:
    """In a task of Spark: what is kept of every footer, or last what is wrong with one."""
    try:
        for files in slices:
            yield from work(files)
    except DataError as error:
        yield error


def _one_thread() -> None:
    """One task per core: the cores are Spark's to give."""
    threadpool_limits(1)
    pa.set_cpu_count(1)


def versions(_: Iterable[object]) -> Iterator[dict[str, str]]:
    """In a task of Spark: the libraries that its results depend on, imported by now."""
    yield {library.__name__: library.__version__ for library in (np, scipy, pa)}
