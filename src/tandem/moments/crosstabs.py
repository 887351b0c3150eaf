"""Rows by fold and level, and by fold and two levels, over one batch; those of fold k are none.

`weights`: how often every row counts, shape (rows,); None: once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.moments.grouping import Numbers, added, few, occurring
from tandem.moments.joints import Joint
from tandem.moments.moments import Category, Integers, Pair, divided, level_keys, pair_keys
from tandem.records import Array

# The numbers of two categories, ascending, and their pair.
Crossed = tuple[tuple[int, int], Pair]
Weights = Array | None


def count_rows(
    levels: tuple[str, ...], codes: Numbers, folds: Integers, k: int, weights: Weights = None
) -> Category:
    """Rows by (fold, level) of a category that is only counted."""
    size = max(len(levels), 1)
    keys, rows = _counted(folds * size + codes, k * size, weights)
    fold, level = divided(keys, size)
    return Category(levels, level_keys(level, fold), rows[:, None].astype(np.float64))


def count_pairs(
    joints: Sequence[Joint], folds: Integers, k: int, weights: Weights = None
) -> Iterator[Crossed]:
    """Rows by (fold, level, level), for every two of the categories in `joints`."""
    for joint in joints:
        if joint.parts:
            size = k * joint.size
            cells, rows = _counted(folds * joint.size + joint.codes, size, weights)
            yield from _within(joint, k, *divided(cells, joint.size), rows)
    for left, right in combinations(joints, 2):
        yield from _between(left, right, folds, k, weights)


def _counted(cells: NDArray[Any], size: int, weights: Weights) -> tuple[Integers, NDArray[Any]]:
    """The numbers below `size` that occur, ascending, and how often their rows count."""
    if weights is None:
        return occurring(cells, size)
    used = np.flatnonzero(cells < size)
    return added(cells[used], size, weights[used])


def _between(
    left: Joint, right: Joint, folds: Integers, k: int, weights: Weights
) -> Iterator[Crossed]:
    """Every two categories of which one is in `left` and one in `right`."""
    size = k * left.size * right.size
    if few(size, len(folds)) or not (left.parts or right.parts):
        # Half the bytes to move where they suffice.
        of: NDArray[Any] = folds.astype(np.int32 if size * 2 < 2**31 else np.int64)
        cells = (of * left.size + left.codes) * right.size + right.codes
        cells, counts = _counted(cells, size, weights)
        rest, y = divided(cells, right.size)
        yield from _Table(left, right, *divided(rest, left.size), y, counts).pairs(k)
        return
    if not left.parts or (right.parts and right.size > left.size):
        left, right = right, left
    for part, _ in left.parts:
        yield from _between(part, right, folds, k, weights)


def _within(
    joint: Joint, k: int, fold: Integers, code: Integers, rows: NDArray[Any]
) -> Iterator[Crossed]:
    """Every two categories in `joint`, of which there are `rows` by fold and code."""
    if not joint.parts:
        return
    (left, x), (right, y) = joint.parts
    yield from _Table(left, right, fold, x[code], y[code], rows).pairs(k)
    for part, code_of in joint.parts:
        cells, counts = added(fold * part.size + code_of[code], k * part.size, rows)
        yield from _within(part, k, *divided(cells, part.size), counts)


@dataclass(frozen=True, slots=True)
class _Table:
    """`rows` by fold, code of `left`, `x`, and code of `right`, `y`."""

    left: Joint
    right: Joint
    fold: Integers
    x: NDArray[Any]
    y: NDArray[Any]
    rows: NDArray[Any]

    def pairs(self, k: int) -> Iterator[Crossed]:
        """The same by every two of their categories."""
        if self.left.parts:
            for part, code_of in self.left.parts:
                yield from self._of(part, code_of[self.x], k).pairs(k)
        elif self.right.parts or self.left.category > self.right.category:
            yield from self._turned().pairs(k)
        else:
            keys = pair_keys(self.x, self.y, self.fold)
            order = np.argsort(keys, kind="stable")  # at once where they are ascending
            pair = Pair(keys[order], self.rows[order])
            yield (self.left.category, self.right.category), pair

    def _of(self, part: Joint, codes: NDArray[Any], k: int) -> "_Table":
        """With a part of `left` in its place."""
        size = self.right.size
        cells = (self.fold * part.size + codes) * size + self.y
        found, rows = added(cells, k * part.size * size, self.rows)
        rest, y = divided(found, size)
        return _Table(part, self.right, *divided(rest, part.size), y, rows)

    def _turned(self) -> "_Table":
        return _Table(self.right, self.left, self.fold, self.y, self.x, self.rows)
