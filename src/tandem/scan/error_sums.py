"""Errors summed row by row, for all models of all folds at once: one more scan.

Where the residuals are so small against the target that the moments have lost their digits, this
has them: the error of a row is computed before it is squared.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tandem.moments import Batch, Integers, Residual, RowVector, Workplace, tiles
from tandem.records import Array


def error_sums(
    batch: Batch,
    vector: RowVector,
    work: Workplace,
    residuals: Sequence[Residual | None],
    places: Sequence[Mapping[str, int]],
) -> Array:
    """sum v e^2, then sum v |e| over the used rows of every fold, shape (2, k, points).

    v: how often a row counts. e is what `residuals[f]` says of a row of fold f, in units of the
    target, of row vectors in `vector`; None: its sums are 0. `places[c]`: level of category c ->
    its position in `Residual.indices[c]`.
    """
    points = max(len(model.row) for model in residuals if model)
    sums, used = np.zeros((2, len(residuals), points)), _used(batch)
    for fold, rows, errors in _errors(batch, vector, work, residuals, places):
        weight = used[rows]
        sums[0, fold] += np.square(errors) @ weight
        sums[1, fold] += np.abs(errors, out=errors) @ weight
    return sums


def squared_errors(
    batch: Batch,
    vector: RowVector,
    work: Workplace,
    residuals: Sequence[Residual | None],
    places: Sequence[Mapping[str, int]],
) -> Array:
    """e^2 of every row under the first model of its part, shape (rows,), as `error_sums` has it.

    0 where there is none, or the row is not used.
    """
    found = np.zeros(len(batch.folds))
    for _, rows, errors in _errors(batch, vector, work, residuals, places):
        found[rows] = np.square(errors[0])
    return found * _used(batch)


def _errors(
    batch: Batch,
    vector: RowVector,
    work: Workplace,
    residuals: Sequence[Residual | None],
    places: Sequence[Mapping[str, int]],
) -> Iterator[tuple[int, Integers | slice, Array]]:
    """Part, rows of the batch, and their e, shape (points, rows), run by run."""
    levels = _levels(batch, places)
    for tile in tiles(batch, vector, len(residuals), work):
        here: list[Integers] = [column[tile.rows] for column in levels]
        for fold, first, last in tile.slices:
            if (model := residuals[fold]) is None:
                continue
            errors = model.row @ tile.vectors[:, first:last]
            for c, column in enumerate(here):
                kappa = model.indices[c][column[first:last]]
                if c in model.by_feature:
                    errors += model.by_feature[c][:, kappa]
                else:
                    errors += np.outer(model.by_index[:, c], kappa)
            at, run = tile.rows, slice(first, last)
            if isinstance(at, slice):
                yield fold, slice(at.start + first, at.start + last), errors
            else:
                yield fold, at[run], errors


def _levels(batch: Batch, places: Sequence[Mapping[str, int]]) -> list[Integers]:
    return [
        np.array([place[level] for level in codes.levels], dtype=np.int64)[codes.codes]
        for codes, place in zip(batch.categorical, places, strict=True)
    ]


def _used(batch: Batch) -> Array:
    used = np.ones(len(batch.folds)) if batch.weights is None else batch.weights.copy()
    used[batch.dropped] = 0.0
    return used
