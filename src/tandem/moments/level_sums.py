"""Sums of row vectors by (category, fold, level) over one batch."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.moments.grouping import numbered
from tandem.moments.joints import Joint
from tandem.moments.moments import Integers, divided, level_keys
from tandem.records import Array


class LevelSums:
    """Sums by the fold and code of `joints`, from which those of their parts follow.

    `folds`: shape (rows,), below `k`; `width`: length of a row vector.
    """

    def __init__(self, joints: Sequence[Joint], folds: Integers, k: int, width: int) -> None:
        self._joints, self._k = joints, k
        self._cells: list[Integers] = []
        self._ends = [0]
        self._places = np.empty((len(folds), len(joints)), dtype=np.int32)
        for c, joint in enumerate(joints):
            cells, places = numbered(folds * joint.size + joint.codes, k * joint.size)
            self._places[:, c] = places + self._ends[-1]
            self._cells.append(cells)
            self._ends.append(self._ends[-1] + len(cells))
        count = self._ends[-1]
        self._sums = np.zeros((count, width))
        self._seen = np.zeros(count, dtype=bool)
        self._short = np.empty(count, dtype=np.int32)

    def add(self, tile: Array, order: Integers | slice) -> None:
        """Add row vectors, shape (width, rows), which are the rows `order` of the batch."""
        places = self._places[order]
        vectors = np.ascontiguousarray(tile.T)
        if len(self._sums) <= places.size:
            self._sums += _summed(places, len(self._sums), vectors)
            return
        self._seen[places] = True
        here = np.flatnonzero(self._seen)
        self._seen[here] = False
        self._short[here] = np.arange(len(here), dtype=np.int32)
        self._sums[here] += _summed(self._short[places], len(here), vectors)

    def categories(self) -> Iterator[tuple[int, Integers, Array]]:
        """The number of every category, and its keys and sums, of the shapes in `Category`."""
        for c, joint in enumerate(self._joints):
            sums = self._sums[self._ends[c] : self._ends[c + 1]]
            yield from _parted(joint, self._cells[c], sums, self._k)


def _parted(
    joint: Joint, cells: Integers, sums: Array, k: int
) -> Iterator[tuple[int, Integers, Array]]:
    fold, level = divided(cells, max(joint.size, 1))
    if not joint.parts:
        yield joint.category, level_keys(level, fold), sums
    for part, code in joint.parts:
        found, places = numbered(fold * part.size + code[level], k * part.size)
        yield from _parted(part, found, _summed(places[:, None], len(found), sums), k)


def _summed(places: NDArray[Any], count: int, vectors: Array) -> Array:
    """Sums of `vectors` at each of `count` places, of which a row of `places` has those of one."""
    from scipy.sparse import csc_matrix  # noqa: PLC0415 - tables without categories need none

    rows, each = places.shape
    ends = np.arange(0, rows * each + 1, each, dtype=np.int32)
    ones = np.ones(places.size)
    found: Array = csc_matrix((ones, places.ravel(), ends), shape=(count, rows)) @ vectors
    return found
