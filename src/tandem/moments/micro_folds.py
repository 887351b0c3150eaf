"""Micro-folds: K folds of which each of the k folds is a union, for every k that divides K.

The fold of a row for k is its fold for K modulo k, so the moments by K folds give those by k
without a row. They cost a scan a little more: shorter slices of a tile, longer tables of levels.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.moments.batch import TILE
from tandem.moments.grouping import runs
from tandem.moments.moments import Category, Moments, Pair, level_keys, pair_keys

# More folds than these are never made for the sake of other k: 1-6, 10, 12, 15, 20, 30 divide it.
MOST = 60

# The share of a scan's time that micro-folds may cost, and what the time of a tile is made of, in
# microseconds: per number in it; per fold; per cell of a fold's Gram. Measured on 2 million rows
# of 5 and 30 columns, 300,000 of 100, 100,000 of 300: 60, 60, 24 and 6 folds cost 13, 5, 5 and
# 4 % more than 3; 48 folds of 100 columns 30 %.
_SHARE = 0.1
_PER_NUMBER, _PER_FOLD, _PER_CELL = 0.018, 2.5, 0.01

# (level, fold) and (level, level, fold) cells up to which tables stay in the processor's cache:
# on flights without tail numbers 12 folds cost 9 % more than 3, with them 6 folds cost 18 % more.
_CELLS = 500_000


def micro_fold_count(k: int, width: int, rows: int, levels: Sequence[int]) -> int:
    """K: the multiple of k with the most divisors that costs a scan little; the least of equals.

    `width`: of the row vector; `rows`: of a row group; `levels`: of every category.
    """
    tile = _PER_NUMBER * width * min(rows, TILE)
    afforded = k + int(_SHARE * tile / (_PER_FOLD + _PER_CELL * width**2))
    cells = width * sum(levels) + sum(left * right for left, right in combinations(levels, 2))
    if cells:
        afforded = min(afforded, _CELLS // cells)
    return max(multiples(k, min(MOST, afforded)), key=lambda number: (_divisors(number), -number))


def multiples(k: int, most: int = MOST) -> range:
    """k and its multiples up to `most`."""
    return range(k, max(most, k) + 1, k)


def _divisors(number: int) -> int:
    return sum(number % divisor == 0 for divisor in range(1, number + 1))


def folded(moments: Moments, k: int) -> Moments:
    """The moments by k folds, from those by a multiple of k: fold f is the sum of f, f + k, ..."""
    if len(moments.gram) == k:
        return moments
    return Moments(
        _added(moments.gram, k),
        tuple(_folded_category(category, k) for category in moments.categories),
        tuple(_folded_pair(pair, k) for pair in moments.pairs),
        None if moments.tally is None else _added(moments.tally, k),
    )


def _added(parts: NDArray[Any], k: int) -> NDArray[Any]:
    found = np.zeros((k, *parts.shape[1:]), dtype=parts.dtype)
    for first in range(0, len(parts), k):
        found += parts[first : first + k]
    return found


def _folded_category(category: Category, k: int) -> Category:
    keys, order, first = runs(level_keys(category.level, category.fold % k))
    return Category(category.levels, keys, np.add.reduceat(category.sums[order], first, axis=0))


def _folded_pair(pair: Pair, k: int) -> Pair:
    keys, order, first = runs(pair_keys(pair.left, pair.right, pair.fold % k))
    return Pair(keys, np.add.reduceat(pair.counts[order], first))
