"""Rows to moments, tile by tile: the loop that every row passes through once.

A tile is a buffer [row vector, rows] that stays in the cache. Its rows are brought into fold
order by one `take` per column, so that one matrix product per fold gives the Gram matrices; where
neighbouring rows share a fold they stay in place, and every run of them gives one product.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.moments.batch import TILE, Batch
from tandem.moments.budget import Allowance, given_up
from tandem.moments.crosstabs import count_pairs, count_rows
from tandem.moments.joints import joined
from tandem.moments.level_sums import LevelSums
from tandem.moments.moments import Category, Integers, Moments
from tandem.moments.row_vector import RowVector
from tandem.records import Array

_APART = 64  # numbers between rows of the buffer: a power of two apart, they share cache lines
_LONG_RUN = 64  # rows in a run of one fold, on average, from which runs stay in place


class Workplace:
    """The buffers of one thread, for row vectors of length `width`, `tile` of them at a time."""

    def __init__(self, width: int, tile: int = TILE) -> None:
        self.rows = tile
        self.tile = np.empty((width, tile + _APART))[:, :tile]
        self.column = np.empty(tile)
        self.place = np.empty(tile, dtype=np.int64)
        self.count = np.arange(tile)
        self.gram = np.empty((width, width))


@dataclass(frozen=True, slots=True)
class Tile:
    """Some rows as row vectors, in runs that share a fold.

    `vectors`: shape (width, rows); `rows`: shape (rows,), the rows of the batch that they are, or
    a slice; `slices`: (fold, first, last) of every run.
    """

    vectors: Array
    rows: Integers | slice
    slices: tuple[tuple[int, int, int], ...]


def moments_of(
    batch: Batch, vector: RowVector, k: int, work: Workplace, allowance: Allowance | None = None
) -> Moments:
    """The moments of the used rows of `batch`, with the sums that `allowance` leaves."""
    gram = np.zeros((k, vector.width, vector.width))
    of_fold = [*gram]  # taken once: a run of rows is short
    columns = batch.categorical
    summed = _summed(batch, k, vector.width, allowance or Allowance())
    joints = joined({c: (len(columns[c].levels), columns[c].codes) for c in summed})
    folds = batch.folds.astype(np.int64)
    sums = LevelSums(joints, folds, k, vector.width) if joints else None
    weights, observed = batch.weights, slice(1 + vector.numeric, -1)
    seen = np.zeros((k, len(vector.imputed)))
    for tile in tiles(batch, vector, k, work):
        weighed = tile.vectors if weights is None else tile.vectors * weights[tile.rows]
        for fold, first, last in tile.slices:
            vectors = tile.vectors[:, first:last]
            np.matmul(weighed[:, first:last], vectors.T, out=work.gram)
            np.add(of_fold[fold], work.gram, out=of_fold[fold])
            if weights is not None:
                seen[fold] += vectors[observed].sum(axis=1)
        if sums is not None:
            sums.add(weighed, tile.rows)
    folds[batch.dropped] = k
    tally = None
    if weights is not None:
        gram = (gram + gram.transpose(0, 2, 1)) / 2.0  # (v u) w is not (v w) u, but for whole ones
        tally = np.column_stack([_tally(batch, weights, k), seen.astype(np.int64)])
    categories = {
        c: count_rows(codes.levels, codes.codes, folds, k, weights)
        for c, codes in enumerate(columns)
        if c not in summed
    }
    for c, cells, found in sums.categories() if sums is not None else ():
        categories[c] = Category(columns[c].levels, cells, found)
    pairs = dict(count_pairs(joints, folds, k, weights))
    return Moments(
        gram,
        tuple(categories[c] for c in range(len(columns))),
        tuple(pairs[pair] for pair in combinations(summed, 2)),
        tally,
    )


def _tally(batch: Batch, weights: Array, k: int) -> Integers:
    """Rows of every fold that are used, have no target, and have weight 0, shape (k, 3)."""
    nothing = weights == 0.0
    no_target, used = np.zeros_like(nothing), ~nothing
    no_target[batch.numeric[-1].missing] = True
    used[batch.dropped] = False
    kinds = (used, no_target & ~nothing, nothing)
    return np.column_stack([np.bincount(batch.folds[kind], minlength=k) for kind in kinds])


def tiles(batch: Batch, vector: RowVector, k: int, work: Workplace) -> Iterator[Tile]:
    """The used rows of `batch` tile by tile, each valid until the next.

    Rows that are not used are left out, or, where rows stay in place, are all 0.
    """
    rows = len(batch.folds)
    folds = batch.folds.astype(np.uint8 if k < 256 else np.uint16)
    in_place = np.count_nonzero(_cuts(folds)) * _LONG_RUN < rows
    if not in_place:
        folds[batch.dropped] = k
    for begin in range(0, rows, work.rows):
        end = min(begin + work.rows, rows)
        here, fill = folds[begin:end], _Fill(batch, vector, work, begin, end)
        if in_place:
            yield Tile(fill.run(None), slice(begin, end), tuple(_runs(here)))
        else:
            counts = np.bincount(here, minlength=k + 1)[:k]
            order = np.argsort(here, kind="stable")[: counts.sum()]
            yield Tile(fill.run(order), order + begin, tuple(_slices(counts)))


class _Fill:
    """Fills the workplace with the row vectors of rows `begin` to `end` of a batch."""

    def __init__(
        self, batch: Batch, vector: RowVector, work: Workplace, begin: int, end: int
    ) -> None:
        self._batch, self._vector, self._work = batch, vector, work
        self._begin, self._end = begin, end

    def run(self, order: Integers | None) -> Array:
        """The row vectors [1, u, o, y] in `order` of the tile; None: in place, dropped rows 0."""
        work, vector = self._work, self._vector
        size = self._end - self._begin if order is None else len(order)
        numeric, tile = vector.numeric, work.tile[:, :size]
        tile[0] = 1.0
        tile[1 + numeric : -1] = 1.0
        if order is not None:
            # Rows that are not taken fall on the place after the last and are written nowhere.
            work.place[: self._end - self._begin] = size
            work.place[order] = work.count[:size]
        indicators, shift = vector.indicator, self._shift()
        for j, cells in enumerate(self._batch.numeric):
            row = 1 + j if j < numeric else -1
            self._column(cells.values, shift[j], tile[row], order)
            if len(cells.missing):
                holes = self._local(cells.missing, order, size)
                tile[row, holes] = 0.0
                if j in indicators:
                    tile[indicators[j], holes] = 0.0
        if order is None:
            tile[:, self._local(self._batch.dropped, None, size)] = 0.0
        return tile

    def _shift(self) -> Array:
        """What every column is summed about, or, where folds have centres, what every row is."""
        centres = self._vector.centres
        if centres is None:
            return self._vector.shift
        # A micro-fold has the centre of its fold.
        folds = self._batch.folds[self._begin : self._end] % len(centres)
        by_row: Array = centres[folds].T
        return by_row

    def _column(
        self, values: NDArray[Any], shift: float | Array, out: Array, order: Integers | None
    ) -> None:
        source = values[self._begin : self._end]
        if order is None:
            np.subtract(source, shift, out=out, dtype=np.float64)
            return
        column = self._work.column[: len(source)]
        np.subtract(source, shift, out=column, dtype=np.float64)
        column.take(order, out=out, mode="clip")  # `raise` would copy first

    def _local(self, positions: Integers, order: Integers | None, size: int) -> Integers:
        """Where in the tile the rows at ascending `positions` of the batch are."""
        first, last = np.searchsorted(positions, (self._begin, self._end))
        local = positions[first:last] - self._begin
        if order is None or len(local) == 0:
            return local
        places = self._work.place[local]
        return places[places < size]


def _slices(counts: Integers) -> Iterator[tuple[int, int, int]]:
    """(fold, first, last) of every fold that has rows, in fold order."""
    first = 0
    for fold, count in enumerate(counts.tolist()):
        if count:
            yield fold, first, first + count
        first += count


def _runs(folds: NDArray[Any]) -> Iterator[tuple[int, int, int]]:
    """(fold, first, last) of every run of one fold."""
    cuts = (np.flatnonzero(_cuts(folds)) + 1).tolist()
    firsts = [0, *cuts]
    return zip(folds[firsts].tolist(), firsts, [*cuts, len(folds)], strict=True)


def _cuts(folds: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether a row's fold is another than that of the row before it, from the second row on."""
    different: NDArray[np.bool_] = folds[1:] != folds[:-1]
    return different


def _summed(batch: Batch, k: int, width: int, allowance: Allowance) -> list[int]:
    """The categories that are not only counted."""
    rows = len(batch.folds)
    cells = {
        c: len(codes.levels) * k
        for c, codes in enumerate(batch.categorical)
        if c not in allowance.counted
    }
    # At most: the sums of the cells that occur, and what it takes to find them.
    sizes = {c: min(size, rows) * width * 8 + size * 5 for c, size in cells.items()}
    return sorted(cells.keys() - given_up(sizes, {}, allowance.limit))
