"""Errors summed row by row, for all models of all folds at once: one more scan.

Where the residuals are so small against the target that the moments have lost their digits, this
has them: the error of a row is computed before it is squared.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tandem.logs import in_unit
from tandem.moments import Batch, Integers, Residual, RowVector, Workplace, tiles
from tandem.records import Array


@dataclass(frozen=True, slots=True)
class Models:
    """What is said of the rows of every part: by each of `residuals[f]`, of part f.

    `places[c]`: level of category c -> its position in `Residual.indices[c]`; `in_logs`: residuals
    are of logarithms, errors of what they are the logarithms of; `shares`: whether errors are
    summed as shares of the target, too.
    """

    residuals: tuple[tuple[Residual, ...], ...]
    places: tuple[Mapping[str, int], ...]
    in_logs: bool = False
    shares: bool = False

    def errors(
        self, batch: Batch, vector: RowVector, work: Workplace
    ) -> Iterator[tuple[int, int, Integers | slice, Array]]:
        """Part, model, rows of the batch, and what they are off, shape (points, rows), by run.

        In units of the target, of row vectors in `vector`.
        """
        levels = _levels(batch, self.places)
        for tile in tiles(batch, vector, len(self.residuals), work):
            here: list[Integers] = [column[tile.rows] for column in levels]
            for part, first, last in tile.slices:
                vectors, run = tile.vectors[:, first:last], _run(tile.rows, first, last)
                codes = [column[first:last] for column in here]
                own = vector.of_fold(part)
                log = (vectors[-1] + own.shift[-1]) / own.per_unit[-1] if self.in_logs else None
                for number, model in enumerate(self.residuals[part]):
                    errors = _errors(model, vectors, codes)
                    yield part, number, run, errors if log is None else in_unit(errors, log)


def error_sums(batch: Batch, vector: RowVector, work: Workplace, models: Models) -> Array:
    """sum v e^2, then sum v |e| of every model over the used rows of its part; then, where shares
    are asked for, sum v |e| / |y|.

    Shape (2 or 3, models, parts, points), models being the most that a part has.

    v: how often a row counts; e: what it is off; 0 where no model says so.
    """
    points = max(len(model.row) for of_part in models.residuals for model in of_part)
    shape = max(map(len, models.residuals)), len(models.residuals), points
    sums, used = np.zeros((3 if models.shares else 2, *shape)), used_rows(batch)
    inverse = _inverse(batch, vector, used, models) if models.shares else used
    for part, number, rows, errors in models.errors(batch, vector, work):
        weight = used[rows]
        sums[0, number, part] += np.square(errors) @ weight
        sums[1, number, part] += np.abs(errors, out=errors) @ weight
        if models.shares:
            sums[2, number, part] += errors @ inverse[rows]
    return sums


def squared_errors(batch: Batch, vector: RowVector, work: Workplace, models: Models) -> Array:
    """v e^2 of every row under the first model of its part, shape (rows,), as in `error_sums`.

    0 where there is none, or the row is not used.
    """
    found = np.zeros(len(batch.folds))
    for _, number, rows, errors in models.errors(batch, vector, work):
        if number == 0:
            found[rows] = np.square(errors[0])
    return found * used_rows(batch)


def _inverse(batch: Batch, vector: RowVector, used: Array, models: Models) -> Array:
    """v / |y| of every row, shape (rows,), from the cells: about a shift, y has lost digits."""
    y = batch.numeric[-1].values / vector.per_unit[-1]
    size = np.exp(y) if models.in_logs else np.abs(y)
    found: Array = np.divide(used, size, out=np.zeros_like(used), where=used > 0.0)
    return found


def _errors(model: Residual, vectors: Array, codes: Sequence[Integers]) -> Array:
    """What rows are off, shape (points, rows): `vectors` (width, rows), of categories `codes`."""
    errors: Array = model.row @ vectors
    for c, column in enumerate(codes):
        kappa = model.indices[c][column]
        if c in model.by_feature:
            errors += model.by_feature[c][:, kappa]
        else:
            errors += np.outer(model.by_index[:, c], kappa)
    return errors


def _run(rows: Integers | slice, first: int, last: int) -> Integers | slice:
    """Rows `first` to `last` of `rows`."""
    if isinstance(rows, slice):
        return slice(rows.start + first, rows.start + last)
    return rows[first:last]


def _levels(batch: Batch, places: Sequence[Mapping[str, int]]) -> list[Integers]:
    return [
        np.array([place[level] for level in codes.levels], dtype=np.int64)[codes.codes]
        for codes, place in zip(batch.categorical, places, strict=True)
    ]


def used_rows(batch: Batch) -> Array:
    """How often every row counts, 0 where it is not used; shape (rows,)."""
    used = np.ones(len(batch.folds)) if batch.weights is None else batch.weights.copy()
    used[batch.dropped] = 0.0
    return used
