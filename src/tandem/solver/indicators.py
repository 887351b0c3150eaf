"""Categories as a 0/1 feature per level: which feature is 1, and what the features sum to.

The features of a category stand in the order of frequency: the first is that of the most frequent
level of the training set, whatever that is; of a category with many levels the last is shared.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tandem.categories import features_of
from tandem.moments import Indices, Integers, Moments, RowVector, by_fold, fit_indices
from tandem.records import Array, Mask
from tandem.solver.double_double import DoubleDouble, strips
from tandem.solver.encodings import Protocol

# A number is cut into pieces of so many bits: whole numbers whose sums over 2**33 rows are exact.
_BITS, _PIECES = 20, 3


class Borders(NamedTuple):
    """`rows`: sum [kappa, h] a' by part, shape (parts, C + F, width); `beside`: sum h kappa', shape
    (parts, F, C). The cleaning is fitted on the training set `fit`.
    """

    fit: int
    rows: DoubleDouble
    beside: DoubleDouble


class _Crossed(NamedTuple):
    """`rows` by fold and the levels of two categories; all arrays of shape (occurring,)."""

    one: int
    other: int
    level: Integers
    beside: Integers
    fold: Integers
    rows: Integers


class Indicators:
    """The 0/1 features of the categories `protocol.one_hot`, one category after the other.

    `indices`: of the levels of `ranked`, of which `moments` may take most as one; `places[c]`:
    shape (levels of `moments`, training sets), which feature of its category is 1; `spans[c]`:
    where these stand among all F.
    """

    def __init__(
        self,
        moments: Moments,
        ranked: Moments,
        indices: Sequence[Indices],
        protocol: Protocol,
    ) -> None:
        self._moments, self._folds = moments, len(moments.gram)
        self.places: dict[int, NDArray[np.int32]] = {}
        self.spans: dict[int, slice] = {}
        self.size = 0
        for c in protocol.one_hot:
            # Of the hold-out too: a level that stands in it alone is a feature that is always 0.
            # Dropped rows are among the keys, with no row.
            category = ranked.categories[c]
            rows = np.bincount(category.level[category.sums[:, 0] > 0.0])
            seen = int(np.count_nonzero(rows))
            count = features_of(seen, protocol.max_levels)
            # A level that the training set has not: a feature that is 0 in all of it, or the last.
            places = np.minimum(indices[c].ranks, count - 1)
            levels = category.levels
            if (summed := moments.categories[c].levels) != levels:
                at = {level: place for place, level in enumerate(levels)}
                known = np.array([at.get(level, -1) for level in summed])
                places = np.where(known[:, None] < 0, count - 1, places[known])
            self.places[c] = places
            self.spans[c] = slice(self.size, self.size + count)
            self.size += count

    def features(self, vector: RowVector) -> tuple[tuple[slice, ...], dict[int, slice], Integers]:
        """Where the features of every column stand among all p; of those that are 0/1, by category;
        and each feature's column, by its position among [numeric features, categories].
        """
        spans, sets, places = list[slice](), dict[int, slice](), list[int]()
        for j in vector.design:
            c, first, own = j - vector.numeric, len(places), self.spans.get(j - vector.numeric)
            places += [j] * (own.stop - own.start if own else 1)
            spans.append(slice(first, len(places)))
            if own:
                sets[c] = spans[-1]
        return tuple(spans), sets, np.array(places, dtype=np.int64)

    def sums(self, fit: int) -> Array:
        """Sums of a by fold and feature, shape (k, F, width), under the training set `fit`."""
        from scipy.sparse import csr_matrix  # noqa: PLC0415 - tables without categories need none

        found = np.zeros((self._folds, self.size, self._moments.gram.shape[-1]))
        for c, span in self.spans.items():
            category = self._moments.categories[c]
            places = self.places[c][:, fit][category.level]
            for fold, keys in enumerate(by_fold(category.keys, self._folds)):
                here = places[keys]
                at = (here, np.arange(len(here)))
                shape = (span.stop - span.start, len(here))
                found[fold, span] = (
                    csr_matrix((np.ones(len(here)), at), shape) @ category.sums[keys]
                )
        return found

    def beside(self, fit: int, kappa: Mapping[int, Array | NDArray[np.int32]]) -> DoubleDouble:
        """Sums of the one number that other categories are, shape (k, F, C).

        `kappa[c]`: shape (levels,), of those.
        """
        shape = (self._folds, self.size, len(self._moments.categories))
        found = DoubleDouble.of(np.zeros(shape))
        for pair in self._crossed():
            if pair.one in self.spans and pair.other in kappa:
                span, places = self.spans[pair.one], self.places[pair.one][:, fit]
                size = (self._folds, span.stop - span.start)
                cells = pair.fold * size[1] + places[pair.level]
                sums = _sums_at(cells, kappa[pair.other][pair.beside], pair.rows, size[0] * size[1])
                part = (slice(None), span, pair.other)
                found.hi[part], found.lo[part] = sums.hi.reshape(size), sums.lo.reshape(size)
        return found

    def corner(self, fit: int, members: Mask) -> Array:
        """Rows of the folds `members` where both of two features are 1, shape (F, F)."""
        found = np.zeros((self.size, self.size))
        for c, span in self.spans.items():
            category = self._moments.categories[c]
            here = members[category.fold]
            places = self.places[c][:, fit][category.level[here]]
            rows = np.bincount(places, category.sums[here, 0], minlength=span.stop - span.start)
            found[span, span] = np.diag(rows)
        for pair in self._crossed():
            if pair.one < pair.other and pair.one in self.spans and pair.other in self.spans:
                one, other = self.spans[pair.one], self.spans[pair.other]
                size = (one.stop - one.start, other.stop - other.start)
                here = members[pair.fold]
                cells = self.places[pair.one][:, fit][pair.level[here]].astype(np.int64) * size[1]
                cells += self.places[pair.other][:, fit][pair.beside[here]]
                table = np.bincount(cells, pair.rows[here], minlength=size[0] * size[1])
                found[one, other] = table.reshape(size)
                found[other, one] = found[one, other].T
        return found

    def _crossed(self) -> Iterator[_Crossed]:
        """Every two categories, once from either side."""
        for (left, right), pair in zip(self._moments.paired, self._moments.pairs, strict=True):
            fold, rows = pair.fold, pair.counts
            yield _Crossed(left, right, pair.left, pair.right, fold, rows)
            yield _Crossed(right, left, pair.right, pair.left, fold, rows)


def frequent_levels(
    moments: Moments, protocol: Protocol, *, training: Mask
) -> dict[int, frozenset[str]]:
    """Of every one-hot category the levels with a feature of their own in some training set.

    `training`: shape (fits, folds), which folds every training set is made of.
    """
    indices, found = fit_indices(moments, training=training), {}
    for c in protocol.one_hot:
        often = (indices[c].ranks < protocol.max_levels).any(axis=1)
        levels = moments.categories[c].levels
        found[c] = frozenset(levels[i] for i in np.flatnonzero(often).tolist())
    return found


def with_pairs(gram: DoubleDouble, ours: Integers, sums: Array, means: Array) -> DoubleDouble:
    """`gram` of the features `ours` beside all, and in float64 the 0/1 features beside each other.

    `gram`: shape (ours, d); `sums`: over the rows of [1, h][1, h]', shape (1 + d, 1 + d), from
    which sum (h - mean)(h - mean)' follows, in its place; `means`: shape (d,); the answer has shape
    (d, d).
    """
    rows, total = sums[0, 0], sums[0, 1:]
    found, left = DoubleDouble.of(sums[1:, 1:]), total - rows * means
    for some in strips(len(means)):
        found.hi[some] -= np.outer(means[some], total)
        found.hi[some] -= np.outer(left[some], means)
    found.hi[ours], found.lo[ours] = gram.hi, gram.lo
    found.hi[:, ours], found.lo[:, ours] = gram.hi.T, gram.lo.T
    return found


def _sums_at(
    cells: Integers, values: Array | NDArray[np.int32], rows: Integers, size: int
) -> DoubleDouble:
    """sum of values * rows at every one of `size` cells, to 60 bits of the largest value."""
    rest = values.astype(np.float64)
    most = float(np.max(np.abs(rest), initial=0.0))
    unit, total = 2.0 ** (np.frexp(most)[1] - _BITS), DoubleDouble.of(np.zeros(size))
    for _ in range(_PIECES if most else 0):
        whole = np.rint(rest / unit)
        rest = rest - whole * unit
        total = total + DoubleDouble.of(np.bincount(cells, whole * rows, size)).scaled(unit)
        unit *= 2.0**-_BITS
    return total
