"""Rows by fold and level, and by fold and two levels, over one batch."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.moments import Category, Integers, Pair, level_keys, pair_keys

# Cells of a table of counts that are worth their zeros, beyond four per row.
_FEW = 8192


def count_rows(levels: tuple[str, ...], codes: Integers, folds: Integers, k: int) -> Category:
    """Rows by (fold, level) of a category that is only counted."""
    size = max(len(levels), 1)
    keys, rows = _occurring(folds * size + codes, k * size)
    fold, level = np.divmod(keys, size)
    return Category(levels, level_keys(level, fold), rows[:, None].astype(np.float64))


def count_pairs(
    sizes: Sequence[int], columns: Sequence[Integers], folds: Integers, k: int
) -> Iterator[Pair]:
    """Rows by (fold, level, level), for every two of `columns` with `sizes` levels."""
    if len(sizes) < 2:
        return
    largest, second, *_ = sorted(sizes, reverse=True)
    narrow = np.int32 if k * largest * second < 2**31 else np.int64  # half the bytes to move
    short: list[NDArray[Any]] = [column.astype(narrow) for column in (folds, *columns)]
    for c, size in enumerate(sizes):
        base = short[0] * size + short[1 + c]
        for other in range(c + 1, len(sizes)):
            yield _pair(base * sizes[other] + short[1 + other], size, sizes[other], k)


def _pair(combined: NDArray[Any], left: int, right: int, k: int) -> Pair:
    """Count (fold * left + level) * right + level."""
    keys, rows = _occurring(combined, k * left * right)
    rest, level_right = np.divmod(keys, right)
    fold, level_left = np.divmod(rest, left)
    return Pair(pair_keys(level_left, level_right, fold), rows)


def _occurring(cells: NDArray[Any], size: int) -> tuple[Integers, Integers]:
    """The numbers below `size` that occur, ascending, and how often."""
    if size <= 4 * len(cells) + _FEW:
        table = np.bincount(cells, minlength=size)
        keys = np.flatnonzero(table != 0)  # of booleans: five times faster
        return keys, table[keys]
    ordered = np.sort(cells)
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    return ordered[first].astype(np.int64), np.diff(first, append=len(ordered))
