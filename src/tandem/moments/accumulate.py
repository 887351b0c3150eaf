"""The running sum of moments, part by part, within a budget of bytes.

Where the tables of all categories and their pairs would take more than the budget, the costliest
category is from then on only counted. Which ones depends on the parts and their order alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.moments import budget
from tandem.moments.grouping import runs
from tandem.moments.moments import (
    Category,
    Integers,
    Moments,
    Pair,
    divided,
    level_keys,
    pair_keys,
    pairs_of,
    positions,
)
from tandem.records import Array

# Cells of a pair of categories that are counted in a dense table; beyond, by sorted keys.
DENSE_CELLS = 8_000_000
# Keys that wait for being sorted in, beyond as many as there are.
_WAITING = 1_000_000


def total(parts: Iterable[Moments], limit: int | None = None) -> Moments:
    """The sum of `parts` (at least one), added in their order, its tables within the budget."""
    waiting = iter(parts)
    first = next(waiting)
    accumulator: Accumulator | None = None
    for part in waiting:
        if accumulator is None:
            most = budget.LIMIT if limit is None else limit
            accumulator = Accumulator(first.gram.shape, len(first.categories), most)
            accumulator.add(first)
        accumulator.add(part)
    return accumulator.moments() if accumulator else first


def table_bytes(levels: int, folds: int, width: int) -> int:
    """Bytes of a running sum by level and fold."""
    return _capacity(levels) * folds * width * 8


class Accumulator:
    """The running sum of parts, in the order in which they come; memory independent of rows."""

    def __init__(self, shape: Sequence[int], categories: int, limit: int) -> None:
        self._gram = np.zeros(shape)
        self._tally: Integers | None = None
        self._limit = limit
        # A level that is asked for the first time gets the next number.
        self._places = [defaultdict[str, int](count().__next__) for _ in range(categories)]
        self._sums = {c: _Sums(shape[0], shape[1]) for c in range(categories)}
        self._rows: dict[int, _Counts] = {}  # of the categories without sums
        self._pairs = {pair: _Counts(shape[0]) for pair in pairs_of(categories, frozenset())}

    def add(self, part: Moments) -> None:
        """Add one part."""
        self._gram += part.gram
        if part.tally is not None:
            self._tally = part.tally if self._tally is None else self._tally + part.tally
        places = [
            positions(category.levels, known)
            for known, category in zip(self._places, part.categories, strict=True)
        ]
        sizes = [len(known) for known in self._places]
        pairs = dict(zip(part.paired, part.pairs, strict=True))
        self._give_up(frozenset(part.counted))
        self._give_up(self._beyond(sizes, pairs))
        for c, category in enumerate(part.categories):
            level, fold = places[c][category.level], category.fold
            if c in self._sums:
                self._sums[c].add(level, fold, category.sums, sizes[c])
            else:
                self._rows[c].add_rows(level, fold, self._counts(category), sizes[c])
        for (left, right), counts in self._pairs.items():
            pair = pairs[left, right]
            at = places[left][pair.left], places[right][pair.right], pair.fold
            counts.add(*at, pair.counts, (sizes[left], sizes[right]))

    def moments(self) -> Moments:
        """The sum so far."""
        categories = []
        for c, known in enumerate(self._places):
            levels = tuple(known)
            if c in self._sums:
                categories.append(self._sums[c].category(levels))
            else:
                rows = self._rows[c].pair()
                categories.append(Category(levels, rows.keys, rows.counts[:, None].astype(float)))
        pairs = tuple(counts.pair() for counts in self._pairs.values())
        return Moments(self._gram.copy(), tuple(categories), pairs, self._tally)

    def _beyond(
        self, sizes: Sequence[int], pairs: Mapping[tuple[int, int], Pair]
    ) -> frozenset[int]:
        """The categories whose tables would be too much with a part of these `pairs`."""
        folds, width = self._gram.shape[:2]
        sums = {c: table_bytes(sizes[c], folds, width) for c in self._sums}
        counts = {
            (left, right): table.bytes_with(len(pairs[left, right].keys), sizes[left], sizes[right])
            for (left, right), table in self._pairs.items()
        }
        return budget.given_up(sums, counts, self._limit)

    def _give_up(self, categories: frozenset[int]) -> None:
        """Keep only the rows of `categories`."""
        for c in sorted(categories & self._sums.keys()):
            known = self._sums.pop(c).category(())
            self._rows[c] = _Counts(len(self._gram))
            levels = len(self._places[c])
            self._rows[c].add_rows(known.level, known.fold, self._counts(known), levels)
        self._pairs = {at: table for at, table in self._pairs.items() if not categories & {*at}}

    def _counts(self, category: Category) -> NDArray[Any]:
        """How often the rows of every key count: whole numbers where they have no weights."""
        rows = category.sums[:, 0]
        return np.rint(rows).astype(np.int64) if self._tally is None else rows


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
        occurs = np.ascontiguousarray((self._table[:, :, 0] != 0).T)  # the column of the rows
        fold, level = np.nonzero(occurs)
        return Category(levels, level_keys(level, fold), self._table[level, fold])


class _Counts:
    """A growing dense table (fold, level, level) while it is small, sorted keys beyond."""

    def __init__(self, folds: int) -> None:
        # Half the bytes to touch while no count can reach 2**31.
        self._table: NDArray[Any] | None = np.zeros((folds, 0, 0), dtype=np.int32)
        self._rows: int | np.floating[Any] = 0
        self._waiting: list[Pair] = []
        self._compacted = 0

    def add_rows(self, level: Integers, fold: Integers, rows: NDArray[Any], levels: int) -> None:
        """Rows of a single category: all at level 0 of another."""
        self.add(np.zeros_like(level), level, fold, rows, (1, levels))

    def add(
        self,
        left: Integers,
        right: Integers,
        fold: Integers,
        counts: NDArray[Any],
        sizes: tuple[int, int],
    ) -> None:
        if self._table is not None:
            self._grow(self._table, *sizes)
        if self._table is not None:
            self._rows += counts.sum()
            if self._rows >= 2**31 or counts.dtype == np.float64:
                self._table = self._table.astype(counts.dtype, copy=False)
            _, lefts, rights = self._table.shape
            self._table.ravel()[(fold * lefts + left) * rights + right] += counts
            return
        self._waiting.append(Pair(pair_keys(left, right, fold), counts))
        if self._keys() > 2 * self._compacted + _WAITING:
            self._waiting = [self.pair()]
            self._compacted = self._keys()

    def bytes_with(self, more: int, left: int, right: int) -> int:
        """Bytes after `more` keys of a part, with so many levels."""
        if self._table is not None:
            cells = int(np.prod(self._shape(self._table, left, right), dtype=np.float64))
            if cells <= DENSE_CELLS:
                return cells * self._table.itemsize
            return 16 * (more + int(np.count_nonzero(self._table)))
        return 16 * (more + self._keys())

    def pair(self) -> Pair:
        if self._table is not None:
            _, left, right = self._table.shape
            cells = np.flatnonzero(self._table != 0)  # of booleans: five times faster
            rest, level = divided(cells, max(right, 1))
            fold, other = divided(rest, max(left, 1))
            counts = self._table.ravel()[cells]
            counts = counts.astype(np.float64 if counts.dtype == np.float64 else np.int64)
            return Pair(pair_keys(other, level, fold), counts)
        keys = np.concatenate([pair.keys for pair in self._waiting])
        counts = np.concatenate([pair.counts for pair in self._waiting])
        found, order, first = runs(keys)
        return Pair(found, np.add.reduceat(counts[order], first) if len(first) else counts)

    def _keys(self) -> int:
        return sum(len(pair.keys) for pair in self._waiting)

    def _shape(self, table: NDArray[Any], left: int, right: int) -> tuple[int, int, int]:
        """Of the table for so many levels; as it is where they have room in it."""
        folds, lefts, rights = table.shape
        if left <= lefts and right <= rights:
            return folds, lefts, rights
        return folds, _capacity(left), _capacity(right)

    def _grow(self, table: NDArray[Any], left: int, right: int) -> None:
        shape = self._shape(table, left, right)
        if shape == table.shape:
            return
        if np.prod(shape, dtype=np.float64) > DENSE_CELLS:
            self._waiting, self._table = [self.pair()], None
            return
        self._table = np.zeros(shape, dtype=table.dtype)
        self._table[:, : table.shape[1], : table.shape[2]] = table


def _capacity(levels: int) -> int:
    """The next power of two: a table is laid out anew a few times only."""
    return 1 << max(levels - 1, 0).bit_length()
