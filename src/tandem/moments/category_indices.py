"""Frequency indices of categories, fitted to every training set, and what they sum to by fold."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.categories import comparable
from tandem.moments.moments import Category, Integers, Moments, Pair, by_fold
from tandem.records import Array, Mask

_PIECE = 65_536  # keys whose indices are looked up at once


@dataclass(frozen=True, slots=True)
class Indices:
    """kappa: the indices of one category's levels under every training set.

    Training sets are those of every fold, then that of all rows; or only the last. `ranks`:
    shape (levels, training sets), the index of every level; `seen`: shape (training sets,), how
    many levels occur in each, which is the index of all others.
    """

    ranks: NDArray[np.int32]
    seen: Integers

    def order(self, fit: int) -> Integers:
        """order[kappa[level]] = level for the levels that are seen, shape (seen[fit],)."""
        ranks, seen = self.ranks[:, fit], int(self.seen[fit])
        places = np.flatnonzero(ranks < seen)
        order = np.empty(seen, dtype=np.int64)
        order[ranks[places]] = places
        return order


def fit_indices(moments: Moments, *, training: Mask) -> tuple[Indices, ...]:
    """kappa of every category: levels by descending count; ties in the order of `moments`.

    That order must be canonical. `training`: shape (training sets, folds), the folds of each.
    """
    return tuple(_fit(category, training) for category in moments.categories)


def _fit(category: Category, training: Mask) -> Indices:
    """Rank by descending count; ties stay in the canonical order."""
    rows = category.sums[:, 0].astype(np.int64)
    if np.any(rows != category.sums[:, 0]):
        return _fit_rounded(category, training)
    level, levels = category.level, len(category.levels)
    everything = np.bincount(level, weights=rows, minlength=levels).astype(np.int64)
    folds = [*by_fold(category.keys, training.shape[1])]
    ranks = np.empty((levels, len(training)), dtype=np.int32)
    seen = np.empty(len(training), dtype=np.int64)
    for fit, members in enumerate(training):
        counts = everything.copy()
        for held_out in np.flatnonzero(~members).tolist():
            counts[level[folds[held_out]]] -= rows[folds[held_out]]
        most = int(counts.max(initial=0))
        # The narrower the numbers, the faster they are sorted.
        order = np.argsort((most - counts).astype(np.min_scalar_type(most)), kind="stable")
        seen[fit] = np.count_nonzero(counts)
        ranks[order, fit] = np.minimum(np.arange(levels), seen[fit])
    return Indices(ranks, seen)


def _fit_rounded(category: Category, training: Mask) -> Indices:
    """The same of sums of weights that are no whole numbers: none is taken from another."""
    level, fold, levels = category.level, category.fold, len(category.levels)
    ranks = np.empty((levels, len(training)), dtype=np.int32)
    seen = np.empty(len(training), dtype=np.int64)
    for fit, members in enumerate(training):
        here = members[fold]
        counts = np.bincount(level[here], category.sums[here, 0], minlength=levels)
        absent = counts == 0.0
        order = np.lexsort((-comparable(counts), absent))
        seen[fit] = levels - np.count_nonzero(absent)
        ranks[order, fit] = np.minimum(np.arange(levels), seen[fit])
    return Indices(ranks, seen)


def index_sums(
    moments: Moments, tables: Sequence[Array | NDArray[np.int32]], left_out: Collection[int] = ()
) -> Array:
    """Sums of kappa_c [a, kappa_1, ..., kappa_C] by training set and fold.

    Shape (training sets, folds, C, width + C); `tables[c]`: kappa_c, shape (levels, training sets),
    the indices of category c or what else its levels are.

    0 where a category takes part that is only counted, or in `left_out`.
    """
    folds, width = moments.gram.shape[:2]
    training_sets, categories = tables[0].shape[1] if tables else 0, len(tables)
    sums = np.zeros((training_sets, folds, categories, width + categories))
    for c, category in enumerate(moments.categories):
        if not category.counted and c not in left_out:
            for fold, piece in _pieces(category, folds):
                kappa = tables[c][category.level[piece]].T.astype(np.float64)
                sums[:, fold, c, :width] += kappa @ category.sums[piece]
                sums[:, fold, c, width + c] += kappa**2 @ category.sums[piece, 0]
    for (left, right), pair in zip(moments.paired, moments.pairs, strict=True):
        if left in left_out or right in left_out:
            continue
        for fold, piece in _pieces(pair, folds):
            kappa = tables[left][pair.left[piece]].astype(np.float64)
            kappa *= tables[right][pair.right[piece]]
            sums[:, fold, left, width + right] += pair.counts[piece] @ kappa
        sums[:, :, right, width + left] = sums[:, :, left, width + right]
    return sums


def with_counted(sums: Array, counted: Sequence[int], found: Array) -> Array:
    """`sums` of `index_sums` with those in which the categories `counted` take part, `found`.

    `found`: shape (training sets, folds, counted, width + C); the result has the shape of `sums`.
    """
    categories = sums.shape[2]
    width = sums.shape[3] - categories
    filled = sums.copy()
    filled[:, :, [*counted]] = found
    corner = filled[..., width:]
    for c in counted:
        corner[..., c] = corner[:, :, c]
    return filled


def _pieces(keyed: Category | Pair, folds: int) -> Iterator[tuple[int, slice]]:
    """(fold, some of its keys), all of them in order."""
    for fold, part in enumerate(by_fold(keyed.keys, folds)):
        for first in range(part.start, part.stop, _PIECE):
            yield fold, slice(first, min(first + _PIECE, part.stop))
