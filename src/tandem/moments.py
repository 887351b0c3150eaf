"""Per-fold sufficient statistics of a linear regression with categories: they add.

For a row, a = [1, u, o, y]: u = x - shift where x is there, else 0; o = 1 where it is there, else
0, for the imputed columns only; y, less its shift. Per fold A = sum a a'. Per category S = sum of
a over its rows. Per pair of categories the number of rows. Observed, not missing, is marked, so
that no sum over observed rows is ever taken as total minus missing, which would cost digits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.records import Array

Integers = NDArray[np.int64]

# A key packs level, level and fold: 26 + 26 + 11 bits of a positive int64.
_FOLD_BITS, _LEVEL_BITS = 11, 26
MAXIMUM_FOLDS, MAXIMUM_LEVELS = 2**_FOLD_BITS, 2**_LEVEL_BITS
_FOLD_MASK, _LEVEL_MASK = MAXIMUM_FOLDS - 1, MAXIMUM_LEVELS - 1

# Cells of a pair of categories that are counted in a dense table; beyond, by sorted keys.
DENSE_CELLS = 8_000_000


@dataclass(frozen=True, slots=True)
class Category:
    """Sums of a by (level, fold) that occur: `sums[i]` (width d) is of `keys[i]`, ascending."""

    levels: tuple[str, ...]
    keys: Integers
    sums: Array

    @property
    def level(self) -> Integers:
        """Position in `levels` of every key."""
        level: Integers = self.keys >> _FOLD_BITS
        return level

    @property
    def fold(self) -> Integers:
        """Fold of every key."""
        fold: Integers = self.keys & _FOLD_MASK
        return fold


@dataclass(frozen=True, slots=True)
class Pair:
    """Rows by (level, level, fold) that occur: `counts[i]` belongs to `keys[i]`, ascending."""

    keys: Integers
    counts: Integers

    @property
    def left(self) -> Integers:
        """Position of the first category's level, for every key."""
        level: Integers = self.keys >> (_FOLD_BITS + _LEVEL_BITS)
        return level

    @property
    def right(self) -> Integers:
        """Position of the second category's level, for every key."""
        level: Integers = (self.keys >> _FOLD_BITS) & _LEVEL_MASK
        return level

    @property
    def fold(self) -> Integers:
        """Fold of every key."""
        fold: Integers = self.keys & _FOLD_MASK
        return fold


@dataclass(frozen=True, slots=True)
class Moments:
    """gram[f] = sum of a a' over the rows of fold f, shape (k, d, d); categories; their pairs.

    `pairs` follows itertools.combinations of the categories. Parts add if they share the shift.
    """

    gram: Array
    categories: tuple[Category, ...]
    pairs: tuple[Pair, ...]

    @property
    def rows(self) -> Integers:
        """Number of rows of every fold."""
        counts: Integers = np.rint(self.gram[:, 0, 0]).astype(np.int64)
        return counts


def level_keys(level: Integers, fold: Integers) -> Integers:
    """Keys of a Category."""
    return (level << _FOLD_BITS) | fold


def pair_keys(left: Integers, right: Integers, fold: Integers) -> Integers:
    """Keys of a Pair."""
    return (((left << _LEVEL_BITS) | right) << _FOLD_BITS) | fold


def add(left: Moments, right: Moments) -> Moments:
    """left + right; the levels of `left`, then the new ones of `right`."""
    return total([left, right])


def total(parts: Iterable[Moments]) -> Moments:
    """The sum of `parts` (at least one), added in their order."""
    waiting = iter(parts)
    first = next(waiting)
    accumulator: Accumulator | None = None
    for part in waiting:
        if accumulator is None:
            accumulator = Accumulator(first.gram.shape, len(first.categories))
            accumulator.add(first)
        accumulator.add(part)
    return accumulator.moments() if accumulator else first


def sum_of_others(parts: Array) -> Array:
    """others[f] = sum of parts[g] over g != f, along the first axis, same shape.

    By prefix and suffix sums: total minus one part would lose the digits below the part's largest.
    """
    before, after = np.zeros_like(parts), np.zeros_like(parts)
    for fold in range(1, len(parts)):
        before[fold] = before[fold - 1] + parts[fold - 1]
        after[-1 - fold] = after[-fold] + parts[-fold]
    return before + after


def ordered(moments: Moments, orders: Sequence[Integers]) -> Moments:
    """The same moments with level i of category c at place orders[c][i] of the old ones."""
    categories, places = [], []
    for category, order in zip(moments.categories, orders, strict=True):
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        keys = level_keys(place[category.level], category.fold)
        sort = np.argsort(keys)
        levels = tuple(category.levels[i] for i in order.tolist())
        categories.append(Category(levels, keys[sort], category.sums[sort]))
        places.append(place)
    pairs = []
    for (left, right), pair in zip(combinations(places, 2), moments.pairs, strict=True):
        keys = pair_keys(left[pair.left], right[pair.right], pair.fold)
        sort = np.argsort(keys)
        pairs.append(Pair(keys[sort], pair.counts[sort]))
    return Moments(moments.gram, tuple(categories), tuple(pairs))


class Accumulator:
    """The running sum of parts, in the order in which they come; memory independent of rows."""

    def __init__(self, shape: Sequence[int], categories: int) -> None:
        self._gram = np.zeros(shape)
        self._places: list[dict[str, int]] = [{} for _ in range(categories)]
        self._sums = [_Sums(shape[0], shape[1]) for _ in range(categories)]
        self._counts = [_Counts(shape[0]) for _ in combinations(range(categories), 2)]

    def add(self, part: Moments) -> None:
        """Add one part."""
        self._gram += part.gram
        places = []
        for known, category, sums in zip(self._places, part.categories, self._sums, strict=True):
            place = [known.setdefault(level, len(known)) for level in category.levels]
            places.append(np.array(place, dtype=np.int64))
            sums.add(places[-1][category.level], category.fold, category.sums, len(known))
        sizes = combinations([len(known) for known in self._places], 2)
        for (left, right), size, pair, counts in zip(
            combinations(places, 2), sizes, part.pairs, self._counts, strict=True
        ):
            counts.add(left[pair.left], right[pair.right], pair.fold, pair.counts, size)

    def moments(self) -> Moments:
        """The sum so far."""
        categories = tuple(
            sums.category(tuple(known))
            for known, sums in zip(self._places, self._sums, strict=True)
        )
        return Moments(
            self._gram.copy(), categories, tuple(counts.pair() for counts in self._counts)
        )


class _Sums:
    """A growing dense table (level, fold, d)."""

    def __init__(self, folds: int, width: int) -> None:
        self._table = np.zeros((0, folds, width))

    def add(self, level: Integers, fold: Integers, sums: Array, levels: int) -> None:
        if levels > len(self._table):
            grown = np.zeros((_capacity(levels), *self._table.shape[1:]))
            grown[: len(self._table)] = self._table
            self._table = grown
        self._table[level, fold] += sums  # no key stands twice in a part

    def category(self, levels: tuple[str, ...]) -> Category:
        level, fold = np.nonzero(self._table[:, :, 0])  # the first column counts the rows
        return Category(levels, level_keys(level, fold), self._table[level, fold])


class _Counts:
    """A growing dense table (level, level, fold) while it is small, sorted keys beyond."""

    def __init__(self, folds: int) -> None:
        # Half the bytes to touch while no count can reach 2**31.
        self._table: NDArray[Any] | None = np.zeros((0, 0, folds), dtype=np.int32)
        self._rows = 0
        self._waiting: list[Pair] = []
        self._compacted = 0

    def add(
        self,
        left: Integers,
        right: Integers,
        fold: Integers,
        counts: Integers,
        sizes: tuple[int, int],
    ) -> None:
        if self._table is not None:
            self._grow(self._table, *sizes)
        if self._table is not None:
            self._rows += int(counts.sum())
            if self._rows >= 2**31:
                self._table = self._table.astype(np.int64, copy=False)
            _, rights, folds = self._table.shape
            cells = (left * rights + right) * folds + fold
            self._table.ravel()[cells] += counts
            return
        self._waiting.append(Pair(pair_keys(left, right, fold), counts))
        if sum(len(pair.keys) for pair in self._waiting) > 2 * self._compacted + DENSE_CELLS:
            self._waiting = [self.pair()]
            self._compacted = len(self._waiting[0].keys)

    def _grow(self, table: NDArray[Any], left: int, right: int) -> None:
        if left <= table.shape[0] and right <= table.shape[1]:
            return
        shape = (_capacity(left), _capacity(right), table.shape[2])
        if np.prod(shape, dtype=np.float64) > DENSE_CELLS:
            self._waiting, self._table = [self.pair()], None
            return
        self._table = np.zeros(shape, dtype=table.dtype)
        self._table[: table.shape[0], : table.shape[1]] = table

    def pair(self) -> Pair:
        if self._table is not None:
            table, (_, right, folds) = self._table.ravel(), self._table.shape
            cells = np.flatnonzero(table)
            rest, fold = np.divmod(cells, max(folds, 1))
            return Pair(
                pair_keys(*np.divmod(rest, max(right, 1)), fold), table[cells].astype(np.int64)
            )
        keys = np.concatenate([pair.keys for pair in self._waiting])
        counts = np.concatenate([pair.counts for pair in self._waiting])
        order = np.argsort(keys, kind="stable")
        keys, counts = keys[order], counts[order]
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        return Pair(keys[first], np.add.reduceat(counts, first) if len(first) else counts)


def _capacity(levels: int) -> int:
    """The next power of two: a table is laid out anew a few times only."""
    return 1 << max(levels - 1, 0).bit_length()
