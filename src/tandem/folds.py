"""Which fold a row is in: a function of row id, k and seed, and of the rows of a small table.

Or of what stands in a column: rows that share a value of it are in one fold.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tandem.fold_keys import FoldKind, Folds
from tandem.mixing import PRIME, mixed
from tandem.splits import Splits

_AT_ONCE = 16384  # their intermediate values stay in the cache

# Up to so many rows folds are of even size; beyond, they differ by what chance makes them differ:
# of 10 folds of 100,000 rows by 1 %. An engine that cannot count rows gets them as a list.
EVEN_ROWS = 10_000

ROW_ID = "row_id"
FOLD = "fold"

# The value of a column of folds whose rows are in every training set.
ALWAYS = "-1"

# Hexadecimal digits of a digest that make the number of a group: 60 bits, which Spark's integers
# hold too.
GROUP_DIGITS = 15
GROUPS = 16**GROUP_DIGITS


class _Rows:
    """Unsigned integers of numpy, with the remainder by a quotient: twice as fast as its own."""

    def __init__(self, values: NDArray[np.uint64]) -> None:
        self.values = values

    def __add__(self, other: int) -> "_Rows":
        return _Rows(self.values + np.uint64(other))

    def __mul__(self, other: "_Rows | int") -> "_Rows":
        factor = other.values if isinstance(other, _Rows) else np.uint64(other)
        return _Rows(self.values * factor)

    def __mod__(self, other: int) -> "_Rows":
        divisor = np.uint64(other)
        whole = self.values // divisor
        whole *= divisor
        return _Rows(np.subtract(self.values, whole, out=whole))


@dataclass(frozen=True, slots=True)
class Assignment:
    """The fold of every row of a table of `rows` rows: h(b, seed) % k, b the row's first neighbour.

    Of groups, the rows that share a value of a column: `group_number` % k. Of a column that says
    the folds itself: the place of its value among `labels`; k, which no fold is tested on, for
    ALWAYS. Of time: of_blocks[b], b being how many of `labels` are not later. With repeats, k is
    that of the cells which folds are made of.

    Neighbours are the `folds.block` rows that share a fold. h is a permutation of the row ids, so
    folds are of equal size to within chance: rows are spread as if each had drawn its fold. Up to
    EVEN_ROWS rows, the rank of h among all blocks stands in its place: the sizes of two folds
    differ by one block at most. In both, the fold for a k that divides K is that for K modulo k.
    """

    folds: Folds
    rows: int
    labels: tuple[str, ...] = ()

    @property
    def parts(self) -> int:
        """What a row can be put into: the folds, and what is tested by none of them."""
        return Splits.of(self.folds).parts

    @property
    def divisible(self) -> bool:
        """Whether the fold for a k that divides K is that for K modulo k."""
        return self.folds.kind in {FoldKind.KFOLD, FoldKind.GROUP} and not self.folds.holdout

    @property
    def k(self) -> int:
        """What numbers are taken modulo: folds, or the cells that repeats make folds of."""
        return self.folds.cells

    def finer(self, k: int) -> Self:
        """The same with `k` folds, once."""
        return replace(self, folds=replace(self.folds, k=k, repeats=1))

    @property
    def even(self) -> bool:
        """Whether the sizes of two folds differ by one block at most."""
        return self.rows <= EVEN_ROWS

    @property
    def depends_on(self) -> tuple[int | float | str | None, ...]:
        """Everything but k that the fold of a row depends on."""
        folds = self.folds
        rows = self.rows if self.even else 0
        if folds.kind is FoldKind.GROUP:
            return (folds.kind, folds.column, folds.seed, folds.holdout)
        if folds.kind is FoldKind.COLUMN:
            return (folds.kind, folds.column, folds.seed, rows, folds.holdout, *self.labels)
        if folds.kind is FoldKind.TIME:
            return (folds.kind, folds.column, folds.holdout, *self.labels)
        return (folds.seed, folds.block, rows, folds.holdout)

    def of(
        self, first: int, rows: int, cells: pa.Array | pa.ChunkedArray | None = None
    ) -> NDArray[Any]:
        """The fold of each of `rows` consecutive row ids from `first`, shape (rows,).

        `cells`: of the column that folds go by, where they go by one.
        """
        if cells is not None and self.folds.kind is FoldKind.TIME:
            return self._by_time(cells)
        if cells is not None:
            found = self._by_value(cells)
            if self.folds.kind is FoldKind.COLUMN and self.folds.holdout:
                found[self.by_row.of(first, rows) == self.k] = self.parts - 1
            return found
        size = self.folds.block
        block = first // size
        count = (first + rows - 1) // size - block + 1
        found = np.empty(count, dtype=np.uint16 if self.k <= 2**16 else np.int64)
        if self.even:
            blocks = -(-self.rows // size)
            ranks = _ranks(self.folds.seed, size, blocks)[block : block + count]
            found[:] = self._part(_Rows(ranks), blocks)
        else:
            starts = np.arange(block, block + count, dtype=np.uint64) * np.uint64(size)
            for begin in range(0, count, _AT_ONCE):
                part = slice(begin, begin + _AT_ONCE)
                found[part] = self._part(mixed(_Rows(starts[part]), self.folds.seed), PRIME)
        skip = first - block * size
        # Not np.repeat, which copies element by element.
        return np.broadcast_to(found[:, None], (count, size)).ravel()[skip : skip + rows]

    @property
    def of_blocks(self) -> list[int]:
        """The part of every block of time, in their order: as `Splits` numbers them."""
        k = self.k
        if not self.folds.gap_size[0]:
            return [k, *range(k), *range(k + 1, self.parts)]
        pairs = [part for fold in range(k) for part in (k + 1 + fold, fold)]
        return [k, *pairs, *range(2 * k + 1, self.parts)]

    def _by_time(self, cells: pa.Array | pa.ChunkedArray) -> NDArray[Any]:
        array = plain(cells)
        if pa.types.is_integer(array.type) and not all(map(_is_whole, self.labels)):
            array = array.cast(pa.float64())  # other files of the table hold fractions
        block = np.zeros(len(array), dtype=np.uint16)
        for label in self.labels:
            later = pc.greater_equal(array, pa.scalar(label).cast(array.type)).cast(pa.uint8())
            block += np.frombuffer(later.buffers()[1], np.uint8, len(later), later.offset)
        return np.array(self.of_blocks, dtype=np.uint16)[block]

    @property
    def by_row(self) -> "Assignment":
        """Which rows are held out, in part k, where folds do not say it of groups."""
        return replace(self, folds=replace(self.folds, kind=FoldKind.KFOLD, block=1))

    def _part(self, numbers: _Rows, of: int) -> NDArray[Any]:
        """Number % k; of the smallest numbers, which are below `of`, the hold-out."""
        found = (numbers % self.k).values
        if limit := self.folds.held_out(of):
            found[numbers.values < limit] = self.parts - 1
        return found

    def _by_value(self, cells: pa.Array | pa.ChunkedArray) -> NDArray[Any]:
        values, codes = coded(cells)
        if self.folds.kind is FoldKind.GROUP:
            drawn = np.array([group_number(one, self.folds.seed) for one in (*values, None)])
            found = self._part(_Rows(drawn.astype(np.uint64)), GROUPS).tolist()
        else:
            places = {label: fold for fold, label in enumerate(self.labels)} | {ALWAYS: self.k}
            found = [places[value] for value in values]
        return np.array(found, dtype=np.uint16 if self.k < 2**16 else np.int64)[codes]


def _is_whole(label: str) -> bool:
    return label.removeprefix("-").isdigit()


def plain(cells: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The cells in one piece, shape (rows,): codes of texts as texts, fractions as float64."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    if pa.types.is_string(cells.type) or pa.types.is_string_view(cells.type):
        cells = cells.cast(pa.large_string())
    if pa.types.is_floating(cells.type):
        cells = cells.cast(pa.float64())
    return cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells


def coded(cells: pa.Array | pa.ChunkedArray) -> tuple[list[str], NDArray[np.int32]]:
    """The distinct values as text, and the place of every row's among them, shape (rows,).

    The place of a gap is the one after the last.
    """
    array = plain(cells)
    if pa.types.is_floating(array.type):  # all whole, or the dataset would not have been opened
        array = pc.if_else(pc.is_nan(array), None, array).cast(pa.int64())
    coded = array.cast(pa.large_string()).dictionary_encode()
    indices = coded.indices.fill_null(len(coded.dictionary))
    # From the buffer: what Arrow has for it imports pandas.
    codes = np.frombuffer(indices.buffers()[1], np.int32, len(indices), indices.offset * 4)
    return coded.dictionary.to_pylist(), codes


def group_number(value: str | None, seed: int) -> int:
    """The first 60 bits of the SHA-256 of `seed:value`, of `seed` where there is no value.

    A function of the bytes of the value alone: whatever rows and other groups there are.
    """
    text = f"{seed}" if value is None else f"{seed}:{value}"
    return int(hashlib.sha256(text.encode()).hexdigest()[:GROUP_DIGITS], 16)


@lru_cache(maxsize=4)
def _ranks(seed: int, size: int, blocks: int) -> NDArray[np.uint64]:
    """How many of the `blocks` blocks have a smaller h, of each."""
    starts = np.arange(blocks, dtype=np.uint64) * np.uint64(size)
    ranks = np.empty(blocks, dtype=np.uint64)
    ranks[np.argsort(mixed(_Rows(starts), seed).values)] = np.arange(blocks, dtype=np.uint64)
    return ranks
