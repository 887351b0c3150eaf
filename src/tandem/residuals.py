"""Errors summed row by row, for all models of all folds at once: one more scan.

Where the residuals are so small against the target that the moments have lost their digits, this
has them: the error of a row is computed before it is squared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.folding import Form, Split
from tandem.moments import Integers
from tandem.records import Array
from tandem.tiles import Batch, Workplace, tiles


@dataclass(frozen=True, slots=True)
class Residual:
    """y - prediction of one fold's models, linear in [1, u, o, y] and in the categories' indices.

    `row`: shape (points, width); `by_index`: shape (points, categories); `indices[c]`: index of
    every level of category c.
    """

    row: Array
    by_index: Array
    indices: tuple[NDArray[np.int32], ...]


def residual(split: Split, slopes: Array, form: Form) -> Residual:
    """(y - mean y) - sum_j slopes_j (x_j - mean x_j), with missing cells at their means."""
    design = np.array(form.design)
    numeric = design < form.numeric
    shift = np.append(np.where(numeric, form.shift[np.where(numeric, design, 0)], 0.0), 0.0)
    shift[-1] = form.shift[-1]
    residual_of = np.column_stack([-slopes, np.ones(len(slopes))])
    constant = -((split.centre - shift)[None, :] * residual_of).sum(axis=1).rounded()
    row = np.zeros((len(slopes), form.width))
    row[:, 1 + design[numeric]] = -slopes[:, numeric]
    row[:, -1] = 1.0
    for i, j in enumerate(form.imputed):
        slope = slopes[:, np.flatnonzero(design == j)[0]]
        at_mean = slope * (split.means[j] - form.shift[j])
        row[:, 1 + form.numeric + i] = at_mean
        constant = constant - at_mean
    row[:, 0] = constant
    by_index = np.zeros((len(slopes), len(split.indices)))
    by_index[:, design[~numeric] - form.numeric] = -slopes[:, ~numeric]
    return Residual(row, by_index, split.indices)


def error_sums(
    batch: Batch,
    form: Form,
    work: Workplace,
    residuals: Sequence[Residual],
    places: Sequence[Mapping[str, int]],
) -> Array:
    """Sums of squared, then of absolute errors of the used rows, shape (2, folds, points).

    `places[c]`: level of category c -> its position in `Residual.indices[c]`.
    """
    sums = np.zeros((2, len(residuals), len(residuals[0].row)))
    levels = [
        np.array([place[level] for level in codes.levels], dtype=np.int64)[codes.codes]
        for codes, place in zip(batch.categorical, places, strict=True)
    ]
    used = np.ones(len(batch.folds))
    used[batch.dropped] = 0.0
    for tile in tiles(batch, form, len(residuals), work):
        here: list[Integers] = [column[tile.rows] for column in levels]
        weight = used[tile.rows]
        for fold, first, last in tile.slices:
            model = residuals[fold]
            errors = model.row @ tile.vectors[:, first:last]
            for c, column in enumerate(here):
                errors += np.outer(model.by_index[:, c], model.indices[c][column[first:last]])
            sums[0, fold] += np.square(errors) @ weight[first:last]
            sums[1, fold] += np.abs(errors, out=errors) @ weight[first:last]
    return sums
