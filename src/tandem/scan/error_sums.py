"""Errors summed row by row, for all models of all folds at once: one more scan.

Where the residuals are so small against the target that the moments have lost their digits, this
has them: the error of a row is computed before it is squared.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tandem.moments import Batch, Integers, Residual, RowVector, Workplace, tiles
from tandem.records import Array


@dataclass(frozen=True, slots=True)
class Models:
    """What is said of the rows of every part: `residuals[f]` of part f, None: nothing.

    `places[c]`: level of category c -> its position in `Residual.indices[c]`.
    """

    residuals: tuple[Residual | None, ...]
    places: tuple[Mapping[str, int], ...]

    def errors(
        self, batch: Batch, vector: RowVector, work: Workplace
    ) -> Iterator[tuple[int, Integers | slice, Array]]:
        """Part, rows of the batch, and what they are off, shape (points, rows), run by run.

        In units of the target, of row vectors in `vector`.
        """
        levels = _levels(batch, self.places)
        for tile in tiles(batch, vector, len(self.residuals), work):
            here: list[Integers] = [column[tile.rows] for column in levels]
            for part, first, last in tile.slices:
                if (model := self.residuals[part]) is None:
                    continue
                errors = model.row @ tile.vectors[:, first:last]
                for c, column in enumerate(here):
                    kappa = model.indices[c][column[first:last]]
                    if c in model.by_feature:
                        errors += model.by_feature[c][:, kappa]
                    else:
                        errors += np.outer(model.by_index[:, c], kappa)
                yield part, _run(tile.rows, first, last), errors


def error_sums(batch: Batch, vector: RowVector, work: Workplace, models: Models) -> Array:
    """sum v e^2, then sum v |e| over the used rows of every part, shape (2, parts, points).

    v: how often a row counts; e: what it is off; 0 where no model says so.
    """
    points = max(len(model.row) for model in models.residuals if model)
    sums, used = np.zeros((2, len(models.residuals), points)), _used(batch)
    for part, rows, errors in models.errors(batch, vector, work):
        weight = used[rows]
        sums[0, part] += np.square(errors) @ weight
        sums[1, part] += np.abs(errors, out=errors) @ weight
    return sums


def squared_errors(batch: Batch, vector: RowVector, work: Workplace, models: Models) -> Array:
    """v e^2 of every row under the first model of its part, shape (rows,), as in `error_sums`.

    0 where there is none, or the row is not used.
    """
    found = np.zeros(len(batch.folds))
    for _, rows, errors in models.errors(batch, vector, work):
        found[rows] = np.square(errors[0])
    return found * _used(batch)


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


def _used(batch: Batch) -> Array:
    used = np.ones(len(batch.folds)) if batch.weights is None else batch.weights.copy()
    used[batch.dropped] = 0.0
    return used
