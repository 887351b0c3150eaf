"""What is done with one row group: called by a thread of this machine or by a task elsewhere.

Everything here is a frozen value that can be pickled and called with a row group. The results of
different row groups are combined by the caller, in the order of the row groups.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import starmap
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
from tandem.row_groups import Reader, RowGroup
from tandem.tiles import Batch, Workplace, moments_of

T = TypeVar("T")

# Missing cells, of them NaN, and infinite cells, of every column by its id.
Counts = dict[str, tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Reads `columns` of a row group as batches of the features and the target of `plan`.

    `with_nan`: ids of the columns in which NaN stands for missing; None: not known yet.
    """

    reader: Reader
    columns: tuple[Column, ...]
    plan: Plan
    folds: Folds
    with_nan: frozenset[str] | None

    def batches(self, group: RowGroup) -> Iterator[Batch]:
        """The rows of `group` in pieces. Raises NotFiniteError as `columns.batch` does."""
        # starmap and map hold no piece while the next one is decoded, as a loop's variable would.
        return starmap(self._batch, self.reader.batches(group, self.columns))

    def _batch(self, first: int, table: pa.RecordBatch | pa.Table) -> Batch:
        return batch(table, first, self.plan, self.folds, self.with_nan)


def allowance(rows: Rows, form: Form, first: RowGroup, of: int) -> Allowance:
    """Which categories of `of` rows get no sums, to judge by the first ones, those of `first`.

    Where their rows tell too little, the sums are given up when they have become too large.
    """
    plan, k = rows.plan, rows.folds.k
    sizes = dict.fromkeys(range(len(plan.categorical)), table_bytes(of, k, form.width))
    if given_up(sizes, {}, budget.LIMIT):
        sample = rows.reader.sample(first, plan.categorical, FIRST_ROWS)
        for c, column in enumerate(plan.categorical):
            levels = expected_levels(sample.column(column.name), of)
            sizes[c] = table_bytes(levels, k, form.width)
    return Allowance(given_up(sizes, {}, budget.LIMIT), budget.LIMIT)


@dataclass(frozen=True, slots=True)
class GroupMoments:
    """row group -> its moments, with the sums that `allowance` leaves."""

    rows: Rows
    form: Form
    allowance: Allowance

    def __call__(self, group: RowGroup) -> Moments:
        work, k = Workplace(self.form.width), self.rows.folds.k
        part = partial(moments_of, form=self.form, k=k, work=work, allowance=self.allowance)
        return total(map(part, self.rows.batches(group)), self.allowance.limit)


@dataclass(frozen=True, slots=True)
class GroupIndexSums:
    """row group -> the sums with the indices of the categories that were only counted."""

    rows: Rows
    form: Form
    lookup: Lookup

    def __call__(self, group: RowGroup) -> Array:
        work, k = Workplace(self.form.width), self.rows.folds.k
        parts = [
            counted_sums(rows, self.form, k, work, self.lookup) for rows in self.rows.batches(group)
        ]
        summed: Array = np.sum(parts, axis=0)
        return summed


@dataclass(frozen=True, slots=True)
class GroupErrors:
    """row group -> its sums of squared, then of absolute errors of all models, (2, folds, points).

    `places[c]`: level of category c -> its position in `Residual.indices[c]`.
    """

    rows: Rows
    form: Form
    residuals: tuple[Residual, ...]
    places: tuple[Mapping[str, int], ...]

    def __call__(self, group: RowGroup) -> Array:
        work = Workplace(self.form.width)
        parts = [
            error_sums(rows, self.form, work, self.residuals, self.places)
            for rows in self.rows.batches(group)
        ]
        summed: Array = np.sum(parts, axis=0)
        return summed


@dataclass(frozen=True, slots=True)
class GroupProducts:
    """row group -> its sums of every number of a row times the residual of one model."""

    rows: Rows
    form: Form
    model: Residual
    places: tuple[Mapping[str, int], ...]

    def __call__(self, group: RowGroup) -> Array:
        work = Workplace(self.form.width)
        parts = [
            products(rows, self.form, work, self.model, self.places)
            for rows in self.rows.batches(group)
        ]
        summed: Array = np.sum(parts, axis=0)
        return summed


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """row group -> its missing, NaN and infinite cells by column."""

    reader: Reader
    columns: tuple[Column, ...]

    def __call__(self, group: RowGroup) -> Counts:
        found: Counts = {column.id: (0, 0, 0) for column in self.columns}
        for _, table in self.reader.batches(group, self.columns):
            for column in self.columns:
                more = count_cells(table.column(column.name), column.kind)
                missing, nan, infinite = found[column.id]
                found[column.id] = (missing + more[0], nan + more[1], infinite + more[2])
        return found


def each(
    work: Callable[[RowGroup], T], slices: Iterable[tuple[RowGroup, ...]]
) -> Iterator[T | NotFiniteError | DataError]:
    """In a task of Spark: the result of every row group, or last what is wrong with the data.

    It stands here, so that a worker need not import the solvers.
    """
    threadpool_limits(1)  # one task per core: the cores are Spark's to give
    pa.set_cpu_count(1)
    try:
        for groups in slices:
            yield from map(work, groups)
    except (NotFiniteError, DataError) as error:
        yield error  # raised here it would be retried, and reach the driver as text


def versions(_: Iterable[object]) -> Iterator[dict[str, str]]:
    """In a task of Spark: the libraries that its results depend on, imported by now."""
    yield {library.__name__: library.__version__ for library in (np, scipy, pa)}
