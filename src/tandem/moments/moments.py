"""Per-fold sufficient statistics of a linear regression with categories: they add.

For a row, a = [1, u, o, y]: u = x - shift where x is there, else 0; o = 1 where it is there, else
0, for the imputed columns only; y, less its shift. Per fold A = sum a a'. Per category S = sum of
a over its rows. Per pair of categories the number of rows. Observed, not missing, is marked, so
that no sum over observed rows is ever taken as total minus missing, which would cost digits.
Of a category that is too large for sums, only the rows are counted. Where rows have weights v,
every sum is of v a a', v a or v, and a row counts v times.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.categories import taken
from tandem.records import Array

Integers = NDArray[np.int64]

# A key packs fold and level, or fold, level and level: 11 + 52 or 11 + 26 + 26 bits of a positive
# int64. Pairs are of categories with sums only, whose levels their budget keeps below 2**26.
_CELL_BITS, _LEVEL_BITS = 52, 26
MAXIMUM_FOLDS = 2 ** (63 - _CELL_BITS)


@dataclass(frozen=True, slots=True)
class Category:
    """Sums of a by (fold, level) that occur: `sums[i]` is of `keys[i]`, ascending.

    `keys`, `level`, `fold`: shape (occurring,); `sums`: shape (occurring, d). Of a category that
    is only counted, `sums` holds their first column alone: the rows.
    """

    levels: tuple[str, ...]
    keys: Integers
    sums: Array

    @property
    def counted(self) -> bool:
        """Whether its rows are counted only."""
        return len(self.sums.T) == 1

    @property
    def level(self) -> Integers:
        """Position in `levels` of every key."""
        return _cell(self.keys)

    @property
    def fold(self) -> Integers:
        """Fold of every key."""
        return _fold(self.keys)


@dataclass(frozen=True, slots=True)
class Pair:
    """Rows by (fold, level, level) that occur: `counts[i]` belongs to `keys[i]`, ascending.

    All arrays have shape (occurring,). Of rows with weights, `counts` are float64.
    """

    keys: Integers
    counts: NDArray[Any]

    @property
    def left(self) -> Integers:
        """Position of the first category's level, for every key."""
        level: Integers = _cell(self.keys) >> _LEVEL_BITS
        return level

    @property
    def right(self) -> Integers:
        """Position of the second category's level, for every key."""
        level: Integers = self.keys & (2**_LEVEL_BITS - 1)
        return level

    @property
    def fold(self) -> Integers:
        """Fold of every key."""
        return _fold(self.keys)


@dataclass(frozen=True, slots=True)
class Moments:
    """gram[f] = sum of a a' over the rows of fold f, shape (k, d, d); categories; their pairs.

    `pairs` follows `paired`. Parts add if they share the shift. `tally`: of rows with weights, by
    fold how many are used, have no target, have weight 0, and have every imputed column, each
    counted once, shape (k, 3 + imputed); None: rows have no weights.
    """

    gram: Array
    categories: tuple[Category, ...]
    pairs: tuple[Pair, ...]
    tally: Integers | None = None

    @property
    def rows(self) -> Integers:
        """Number of used rows of every fold, shape (k,)."""
        if self.tally is not None:
            used: Integers = self.tally[:, 0]
            return used
        counts: Integers = np.rint(self.gram[:, 0, 0]).astype(np.int64)
        return counts

    @property
    def counted(self) -> tuple[int, ...]:
        """Positions of the categories that are only counted."""
        return tuple(c for c, category in enumerate(self.categories) if category.counted)

    @property
    def paired(self) -> tuple[tuple[int, int], ...]:
        """Positions of every two categories that have sums."""
        return pairs_of(len(self.categories), frozenset(self.counted))

    @property
    def nbytes(self) -> int:
        """Bytes of all numbers."""
        categories = sum(c.keys.nbytes + c.sums.nbytes for c in self.categories)
        pairs = sum(pair.keys.nbytes + pair.counts.nbytes for pair in self.pairs)
        return self.gram.nbytes + categories + pairs


def pairs_of(categories: int, counted: frozenset[int]) -> tuple[tuple[int, int], ...]:
    """Positions of every two of so many categories, without those that are only counted."""
    return tuple(combinations([c for c in range(categories) if c not in counted], 2))


def positions(levels: Sequence[str], places: Mapping[str, int]) -> Integers:
    """The place of every level, shape (levels,)."""
    return np.fromiter(map(places.__getitem__, levels), np.int64, len(levels))


def divided(cells: NDArray[Any], size: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Quotients and remainders by `size`, at least 1: np.divmod takes three times as long."""
    quotients = cells // size
    return quotients, cells - quotients * size


def level_keys(level: Integers, fold: Integers) -> Integers:
    """Keys of a Category."""
    return (fold << _CELL_BITS) | level


def pair_keys(left: Integers, right: Integers, fold: Integers) -> Integers:
    """Keys of a Pair."""
    return (((fold << _LEVEL_BITS) | left) << _LEVEL_BITS) | right


def by_fold(keys: Integers, folds: int) -> Iterator[slice]:
    """Where the ascending `keys`, shape (occurring,), of every fold are."""
    edges = np.searchsorted(keys, np.arange(folds + 1) << _CELL_BITS).tolist()
    return map(slice, edges[:-1], edges[1:])


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
    """The same moments with level i of category c at place orders[c][i] of the old ones.

    `orders[c]`: shape (levels of c,), a permutation.
    """
    categories, places = [], []
    for category, order in zip(moments.categories, orders, strict=True):
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        keys = level_keys(place[category.level], category.fold)
        sort = np.argsort(keys)
        levels = taken(category.levels, order)
        categories.append(Category(levels, keys[sort], category.sums[sort]))
        places.append(place)
    pairs = []
    for (left, right), pair in zip(moments.paired, moments.pairs, strict=True):
        keys = pair_keys(places[left][pair.left], places[right][pair.right], pair.fold)
        sort = np.argsort(keys)
        pairs.append(Pair(keys[sort], pair.counts[sort]))
    return replace(moments, categories=tuple(categories), pairs=tuple(pairs))


def _cell(keys: Integers) -> Integers:
    cell: Integers = keys & (2**_CELL_BITS - 1)
    return cell


def _fold(keys: Integers) -> Integers:
    fold: Integers = keys >> _CELL_BITS
    return fold
