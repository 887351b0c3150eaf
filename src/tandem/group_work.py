"""What is done with one row group: called by a thread of this machine or by a task elsewhere.

Everything here is a frozen value that can be pickled and called with a row group. The results of
different row groups are combined by the caller, in the order of the row groups.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tandem.columns import batch, count_cells
from tandem.folding import Form
from tandem.moments import Moments, total
from tandem.records import Array, Column, Folds, Plan
from tandem.residuals import Residual, products, squared_errors
from tandem.row_groups import Reader, RowGroup
from tandem.tiles import Batch, Workplace, moments_of

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
        for first, table in self.reader.batches(group, self.columns):
            yield batch(table, first, self.plan, self.folds, self.with_nan)


@dataclass(frozen=True, slots=True)
class GroupMoments:
    """row group -> its moments."""

    rows: Rows
    form: Form

    def __call__(self, group: RowGroup) -> Moments:
        work, k = Workplace(self.form.width), self.rows.folds.k
        return total(moments_of(rows, self.form, k, work) for rows in self.rows.batches(group))


@dataclass(frozen=True, slots=True)
class GroupErrors:
    """row group -> its sums of squared errors under the models of every fold, (folds, points).

    `places[c]`: level of category c -> its position in `Residual.indices[c]`.
    """

    rows: Rows
    form: Form
    residuals: tuple[Residual, ...]
    places: tuple[Mapping[str, int], ...]

    def __call__(self, group: RowGroup) -> Array:
        work = Workplace(self.form.width)
        parts = [
            squared_errors(rows, self.form, work, self.residuals, self.places)
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
