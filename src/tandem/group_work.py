"""What is done with one stretch of row groups, by a thread of this machine or a task elsewhere.

Everything here is a frozen value that can be pickled and called with a stretch. The results of
different stretches are combined by the caller, in their order.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
import scipy
from threadpoolctl import threadpool_limits

from tandem import budget
from tandem.accumulate import table_bytes, total
from tandem.budget import FIRST_ROWS, Allowance, given_up
from tandem.columns import NotFiniteError, batch, count_cells, expected_levels
from tandem.errors import DataError
from tandem.folding import Form
from tandem.index_rows import Lookup, counted_sums
from tandem.moments import Moments
from tandem.records import Array, Column, Folds, Plan
from tandem.residuals import Residual, error_sums, products
from tandem.row_groups import Piece, Reader, Stretch
from tandem.threads import Together, alone
from tandem.tiles import Batch, Workplace, moments_of

T = TypeVar("T")

# Memory is given back once in so many rows: to have it again takes 0.03 s.
_RELEASE_ROWS = 2**21

# Missing cells, of them NaN, and infinite cells, of every column by its id.
Counts = dict[str, tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Reads `columns` of a stretch as batches of the features and the target of `plan`.

    `with_nan`: ids of the columns in which NaN stands for missing; None: not known yet.
    """

    reader: Reader
    columns: tuple[Column, ...]
    plan: Plan
    folds: Folds
    with_nan: frozenset[str] | None

    def parts(
        self,
        stretch: Stretch,
        together: Together,
        width: int,
        work: Callable[[Batch, Workplace], T],
    ) -> Iterator[T]:
        """work(rows, workplace for row vectors of `width`) for `stretch`, piece by piece.

        Raises NotFiniteError as `columns.batch` does.
        """

        def worker() -> Callable[[Piece], T]:
            place = Workplace(width)
            return lambda piece: work(self._batch(piece), place)

        return together(worker, self.reader.pieces(stretch, self.columns))

    def _batch(self, piece: Piece) -> Batch:
        first, table = piece
        return batch(table, first, self.plan, self.folds, self.with_nan)


def cardinalities(reader: Reader, first: Stretch, columns: Sequence[Column], of: int) -> list[int]:
    """Levels among `of` rows of each of `columns`, to judge by the first rows, those of `first`."""
    sample = reader.sample(first, columns, FIRST_ROWS)
    return [expected_levels(sample.column(column.name), of) for column in columns]


def allowance(rows: Rows, form: Form, first: Stretch, of: int) -> Allowance:
    """Which categories of `of` rows get no sums, to judge by the first ones, those of `first`.

    Where their rows tell too little, the sums are given up when they have become too large.
    """
    plan, k = rows.plan, rows.folds.k
    sizes = dict.fromkeys(range(len(plan.categorical)), table_bytes(of, k, form.width))
    if given_up(sizes, {}, budget.LIMIT):
        found = cardinalities(rows.reader, first, plan.categorical, of)
        sizes = {c: table_bytes(levels, k, form.width) for c, levels in enumerate(found)}
    return Allowance(given_up(sizes, {}, budget.LIMIT), budget.LIMIT)


@dataclass(frozen=True, slots=True)
class GroupMoments:
    """stretch -> its moments, with the sums that `allowance` leaves.

    Raises NotFiniteError where NaN or an infinity stands among the numbers, of which no column
    with NaN is known.
    """

    rows: Rows
    form: Form
    allowance: Allowance

    def __call__(self, stretch: Stretch, together: Together = alone) -> Moments:
        if (stretch.first_row + stretch.rows) % _RELEASE_ROWS < stretch.rows:
            pa.default_memory_pool().release_unused()  # what earlier stretches left
        parts = self.rows.parts(stretch, together, self.form.width, self._part)
        return total(parts, self.allowance.limit)

    def _part(self, rows: Batch, work: Workplace) -> Moments:
        with np.errstate(invalid="ignore", over="ignore"):
            part = moments_of(rows, self.form, self.rows.folds.k, work, self.allowance)
        if self.rows.with_nan is None and not np.isfinite(part.gram).all():
            raise NotFiniteError
        return part


@dataclass(frozen=True, slots=True)
class GroupIndexSums:
    """stretch -> the sums with the indices of the categories that were only counted."""

    rows: Rows
    form: Form
    lookup: Lookup

    def __call__(self, stretch: Stretch, together: Together = alone) -> Array:
        return _summed(self.rows.parts(stretch, together, self.form.width, self._part))

    def _part(self, rows: Batch, work: Workplace) -> Array:
        return counted_sums(rows, self.form, self.rows.folds.k, work, self.lookup)


@dataclass(frozen=True, slots=True)
class GroupErrors:
    """stretch -> its sums of squared, then of absolute errors of all models, (2, folds, points).

    `places[c]`: level of category c -> its position in `Residual.indices[c]`.
    """

    rows: Rows
    form: Form
    residuals: tuple[Residual, ...]
    places: tuple[Mapping[str, int], ...]

    def __call__(self, stretch: Stretch, together: Together = alone) -> Array:
        return _summed(self.rows.parts(stretch, together, self.form.width, self._part))

    def _part(self, rows: Batch, work: Workplace) -> Array:
        return error_sums(rows, self.form, work, self.residuals, self.places)


@dataclass(frozen=True, slots=True)
class GroupProducts:
    """stretch -> its sums of every number of a row times the residual of one model."""

    rows: Rows
    form: Form
    model: Residual
    places: tuple[Mapping[str, int], ...]

    def __call__(self, stretch: Stretch, together: Together = alone) -> Array:
        return _summed(self.rows.parts(stretch, together, self.form.width, self._part))

    def _part(self, rows: Batch, work: Workplace) -> Array:
        return products(rows, self.form, work, self.model, self.places)


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """stretch -> its missing, NaN and infinite cells by column."""

    reader: Reader
    columns: tuple[Column, ...]

    def __call__(self, stretch: Stretch, together: Together = alone) -> Counts:
        parts = together(lambda: self._part, self.reader.pieces(stretch, self.columns))
        summed = np.sum([*parts], axis=0).tolist()
        return {column.id: tuple(cells) for column, cells in zip(self.columns, summed, strict=True)}

    def _part(self, piece: Piece) -> list[tuple[int, int, int]]:
        _, table = piece
        return [count_cells(table.column(c.name), c.kind) for c in self.columns]


def _summed(parts: Iterable[Array]) -> Array:
    found: Array = np.sum([*parts], axis=0)
    return found


def each(
    work: Callable[[Stretch], T], slices: Iterable[tuple[Stretch, ...]]
) -> Iterator[T | NotFiniteError | DataError]:
    """In a task of Spark: the result of every stretch, or last what is wrong with the data.

    It stands here, so that a worker need not import the solvers.
    """
    threadpool_limits(1)  # one task per core: the cores are Spark's to give
    pa.set_cpu_count(1)
    try:
        for stretches in slices:
            yield from map(work, stretches)
    except (NotFiniteError, DataError) as error:
        yield error  # raised here it would be retried, and reach the driver as text


def versions(_: Iterable[object]) -> Iterator[dict[str, str]]:
    """In a task of Spark: the libraries that its results depend on, imported by now."""
    yield {library.__name__: library.__version__ for library in (np, scipy, pa)}
