"""Which fold a row is in: a function of row id, k and seed, written once for every frame."""

from collections.abc import Sequence
from typing import TypeVar

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from tandem.errors import DataError
from tandem.settings import Folds

# A prime below 2**31 that is 2 modulo 3, so that cubing is a permutation of the residues and
# every product stays below 2**62: Spark's ANSI mode raises on integer overflow.
_PRIME = 2_147_483_579
_MULTIPLIER = 1_664_525
_ROUNDS = 3
_AT_ONCE = 16384  # their intermediate values stay in the cache

ROW_ID = "row_id"
FOLD = "fold"


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


def fold_expression(folds: Folds) -> nw.Expr:
    """The fold of every row of a frame, as an integer column named `fold`."""
    row = nw.col(ROW_ID)
    return _fold(row - row % folds.block, folds).alias(FOLD)


def fold_numbers(first: int, rows: int, folds: Folds) -> NDArray[np.uint16]:
    """The fold of each of `rows` consecutive row ids from `first`, shape (rows,)."""
    block = first // folds.block
    count = (first + rows - 1) // folds.block - block + 1
    starts = np.arange(block, block + count, dtype=np.uint64) * np.uint64(folds.block)
    found = np.empty(count, dtype=np.uint16)
    for begin in range(0, count, _AT_ONCE):
        part = slice(begin, begin + _AT_ONCE)
        found[part] = _fold(_Rows(starts[part]), folds).values
    skip = first - block * folds.block
    # Not np.repeat, which copies element by element.
    return np.broadcast_to(found[:, None], (count, folds.block)).ravel()[skip : skip + rows]


T = TypeVar("T", nw.Expr, _Rows)


def _fold(row: T, folds: Folds) -> T:
    """fold = h(row, seed) % k, where `row` is the row id of the first row of the block.

    h alternates affine maps and cubes modulo a prime, both permutations, so that folds are of
    equal size to within sampling noise, whatever the order of the rows, and so that the fold for
    a k that divides K is the fold for K modulo k.
    """
    mixed = row % _PRIME
    for number in range(_ROUNDS):
        offset = (folds.seed % _PRIME + 1) * (number + 7) * 1_013_904_223 % _PRIME
        mixed = (mixed * _MULTIPLIER + offset) % _PRIME
        mixed = mixed * mixed % _PRIME * mixed % _PRIME
    return mixed % folds.k


def check_folds(n_test: Sequence[int], folds: Folds) -> None:
    """Raise DataError where a fold got no row, so that no metric is taken of nothing.

    `n_test[f]`: used rows of fold f.
    """
    used = sum(n_test)
    if used < 2:
        raise DataError(f"{used} rows with a target are used: nothing can be held out -> more rows")
    if folds.k > used:
        raise DataError(
            f"folds.k: {folds.k}: more folds than the {used} rows used -> choose folds.k <= {used}"
        )
    empty = [fold for fold, rows in enumerate(n_test) if rows == 0]
    if empty:
        raise DataError(
            f"folds.k: {folds.k}: fold {empty[0]} is empty with {used} rows used -> "
            "choose fewer folds, a smaller folds.block, or another folds.seed"
        )
