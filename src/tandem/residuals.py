"""Errors summed row by row, for all models of all folds at once: one more scan.

Where the residuals are so small against the target that the moments have lost their digits, this
has them: the error of a row is computed before it is squared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.double_double import DoubleDouble
from tandem.folding import Split
from tandem.moments import Integers
from tandem.records import Array
from tandem.row_vector import Form
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
    unit = form.per_unit
    shift = DoubleDouble.of(form.shift) / unit
    at = np.append(np.where(numeric, design, 0), -1)
    away = split.centre - shift[at] * np.append(numeric, 1.0)
    residual_of = np.column_stack([-slopes, np.ones(len(slopes))])
    constant = -(away[None, :] * residual_of).sum(axis=1).rounded()
    row = np.zeros((len(slopes), form.width))
    row[:, 1 + design[numeric]] = -slopes[:, numeric] / unit[design[numeric]]
    row[:, -1] = 1.0 / unit[-1]
    for i, j in enumerate(form.imputed):
        slope = slopes[:, np.flatnonzero(design == j)[0]]
        at_mean = slope * (split.means[j] - shift[j]).rounded()
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
    levels, used = _levels(batch, places), _used(batch)
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


def products(
    batch: Batch,
    form: Form,
    work: Workplace,
    model: Residual,
    places: Sequence[Mapping[str, int]],
) -> Array:
    """Sums of [1, u, o, y, indices] times the residual of one model, over the used rows."""
    sums = np.zeros(form.width + len(places))
    levels, used = _levels(batch, places), _used(batch)
    for tile in tiles(batch, form, int(batch.folds.max(initial=0)) + 1, work):
        indices = [model.indices[c][column[tile.rows]] for c, column in enumerate(levels)]
        errors = model.row[0] @ tile.vectors
        for c, index in enumerate(indices):
            errors += model.by_index[0, c] * index
        errors *= used[tile.rows]
        sums[: form.width] += tile.vectors @ errors
        sums[form.width :] += [index @ errors for index in indices]
    return sums


def pull(split: Split, form: Form, sums: Array) -> Array:
    """Sums of (x_j - mean x_j) times the residual, raw units, from the sums of `products`.

    A cleaned cell less its mean is (x - m) o + (m - mean), m being the mean of what is there.
    """
    found = np.empty(len(form.design))
    shift = DoubleDouble.of(form.shift) / form.per_unit
    means = (split.means - shift[:-1]).rounded()
    observed = form.observed(form.design)
    for j, at in enumerate(form.design):
        if at < form.numeric:
            value, there = sums[1 + at] / form.per_unit[at], sums[observed[j]]
            centre = float((split.centre[j] - shift[at]).rounded())
            found[j] = value - means[at] * there - (centre - means[at]) * sums[0]
        else:
            centre = float(split.centre[j].rounded())
            found[j] = sums[form.width + at - form.numeric] - centre * sums[0]
    return found


def _levels(batch: Batch, places: Sequence[Mapping[str, int]]) -> list[Integers]:
    return [
        np.array([place[level] for level in codes.levels], dtype=np.int64)[codes.codes]
        for codes, place in zip(batch.categorical, places, strict=True)
    ]


def _used(batch: Batch) -> Array:
    used = np.ones(len(batch.folds))
    used[batch.dropped] = 0.0
    return used
