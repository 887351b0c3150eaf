"""Categories as the mean target of their rows: values of every training set, and what they sum to.

kappa of a level is (sum of y + m mean) / (n + m) over its n rows in the training set, m being the
smoothing and mean that of all rows of the training set, which an unseen level gets.
Source: Micci-Barreca 2001, A preprocessing scheme for high-cardinality categorical attributes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tandem.moments import Category, Integers, Moments, RowVector, Slices, by_fold
from tandem.records import Array, Mask
from tandem.solver.double_double import DoubleDouble
from tandem.splits import Splits

_PIECE = 16_384  # keys whose values are multiplied at once


@dataclass(frozen=True, slots=True)
class Protocol:
    """How the cleaning of a training set is fitted.

    `on_all`: means of imputed features, and categories, are of all rows; `one_hot`: positions
    of the categories whose levels are features, the `max_levels` most frequent ones of their own;
    `smoothing`: of the categories that are encoded by the target, none of them counted only, by
    position;
    `rounded`: what those sum to may be; `unit`: what weights of rows were
    multiplied by; `whole`: rows of all levels of the categories whose moments
    take most of their levels as one; `splits`: which folds of the moments make a training set,
    None: all but one; `in_logs`: the target is the logarithm of what errors are taken of.
    """

    on_all: bool = False
    one_hot: tuple[int, ...] = ()
    max_levels: int = 0
    smoothing: Mapping[int, float] = field(default_factory=dict)
    rounded: bool = False
    whole: Mapping[int, Category] = field(default_factory=dict)
    splits: Splits | None = None
    unit: float = 1.0
    in_logs: bool = False


@dataclass(frozen=True, slots=True)
class Encoded:
    """kappa = offset + values under every training set, as those of `Indices`.

    `values`: shape (levels, training sets); `unseen`, `offset`: shape (training sets,); all in
    units of the target.
    """

    values: Array
    unseen: Array
    offset: Array

    def by_index(self, order: Integers, fit: int) -> tuple[float, ...]:
        """kappa of every index, then of an unseen level; `order`: as `Indices.order` has it."""
        offset = self.offset[fit]
        found = [*(offset + self.values[order, fit]).tolist(), float(offset + self.unseen[fit])]
        return tuple(found)


def target_means(
    moments: Moments,
    vector: RowVector,
    protocol: Protocol,
    slices: Slices | None,
    training: Mask,
) -> dict[int, Encoded]:
    """Values of the categories whose smoothing `protocol` gives, by position.

    `training`: shape (training sets, folds), the folds of each.
    """
    folds = len(moments.gram)
    found = {}
    for c, strength in protocol.smoothing.items():
        rows, sums = _of_target(moments.categories[c], folds, vector, slices)
        # About a number near them all: what is subtracted here is not in the rounding below.
        near = (vector.shift if vector.centres is None else vector.centres)[..., -1]
        near = np.broadcast_to(near, folds) / vector.per_unit[-1]
        columns = [_smoothed(rows[train], sums[train], near[train], strength) for train in training]
        values, unseen, offset = (np.stack(part, axis=-1) for part in zip(*columns, strict=True))
        found[c] = Encoded(values, unseen, offset)
    return found


def encoded_sums(
    sums: Array,
    moments: Moments,
    tables: Sequence[Array | NDArray[np.int32]],
    encoded: Mapping[int, Encoded],
) -> DoubleDouble:
    """`sums` of `moments.index_sums`, where the categories `encoded` take part by more digits.

    `tables`: of every category its indices or values, shape (levels, training sets); the result has
    the shape of `sums`, (training sets, k, C, width + C).
    """
    if not encoded:
        return DoubleDouble.of(sums)
    found = DoubleDouble.of(sums.copy())
    folds, categories = sums.shape[1], sums.shape[2]
    width = sums.shape[3] - categories
    for c in encoded:
        category, level = moments.categories[c], moments.categories[c].level
        for fold, keys in enumerate(by_fold(category.keys, folds)):
            of_level = DoubleDouble.of(category.sums[keys])
            for fit, kappa in enumerate(tables[c].T):
                values = DoubleDouble.of(kappa[level[keys]])
                _put(found, (fit, fold, c, slice(width)), _total(values, of_level))
                square = _total(values * values, of_level[:, :1])
                _put(found, (fit, fold, c, width + c), square[0])
    for (left, right), pair in zip(moments.paired, moments.pairs, strict=True):
        if not {left, right} & encoded.keys():
            continue
        lefts, rights = pair.left, pair.right
        for fold, keys in enumerate(by_fold(pair.keys, folds)):
            one, other = lefts[keys], rights[keys]
            rows = DoubleDouble.of(pair.counts[keys, None])
            for fit in range(sums.shape[0]):
                values = DoubleDouble.of(tables[left][one, fit]) * tables[right][other, fit]
                total = _total(values, rows)[0]
                _put(found, (fit, fold, left, width + right), total)
                _put(found, (fit, fold, right, width + left), total)
    return found


def _of_target(
    category: Category, folds: int, vector: RowVector, slices: Slices | None
) -> tuple[Array, DoubleDouble]:
    """Rows of every fold and level, and their sums of y, less what its fold is summed about.

    Both of shape (k, levels); in units of the target.
    """
    at, shape = (category.fold, category.level), (folds, len(category.levels))

    def spread(column: int) -> Array:
        dense = np.zeros(shape)
        dense[at] = category.sums[:, column]
        return dense

    if slices is None:
        sums = DoubleDouble.of(spread(vector.width - 1))
    else:
        sums = DoubleDouble.of(np.zeros(shape))
        for columns, places, unit in slices.parts():
            if columns[-1] == len(slices.exact) - 1:  # of the target
                sums = sums + DoubleDouble.of(spread(places[-1])).scaled(unit[:, -1:])
    return spread(0), sums / float(vector.per_unit[-1])


def _smoothed(
    rows: Array, sums: DoubleDouble, near: Array, smoothing: float
) -> tuple[Array, Array, Array]:
    """Values, that of an unseen level, and the offset, of a training set's folds.

    `rows`, `sums`: shape (folds, levels); `near`: shape (folds,), what the sums are about.
    """
    total = DoubleDouble.of(rows.sum(axis=0))
    everything = DoubleDouble.of(rows.sum())
    away = DoubleDouble.of(near) - near[0]
    of_level = (sums + away[:, None] * rows).sum(axis=0)  # about near[0]
    mean = of_level.sum(axis=0) / everything
    offset = float((mean + near[0]).rounded())
    rest = mean - (DoubleDouble.of(offset) - near[0])  # of the mean, about the offset
    sums_about = of_level + total * (DoubleDouble.of(near[0]) - offset)
    weight = total + smoothing
    seen = weight.hi > 0
    weight = DoubleDouble(np.where(seen, weight.hi, 1.0), weight.lo)
    found = ((sums_about + rest * smoothing) / weight).rounded()
    unseen = rest.rounded()
    values = np.where(total.hi > 0, found, unseen)
    return values, unseen, np.asarray(offset)


def _total(values: DoubleDouble, rows: DoubleDouble) -> DoubleDouble:
    """sum_i values_i rows_i: of shapes (keys,) and (keys, d) to (d,)."""
    total = DoubleDouble.of(np.zeros(rows.hi.shape[1]))
    for first in range(0, len(values.hi), _PIECE):
        piece = slice(first, first + _PIECE)
        total = total + (rows[piece] * values[piece][:, None]).sum(axis=0)
    return total


def _put(into: DoubleDouble, at: tuple[int | slice, ...], part: DoubleDouble) -> None:
    into.hi[at], into.lo[at] = part.hi, part.lo
