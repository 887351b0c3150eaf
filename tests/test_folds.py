"""The fold of a row: the same on every frame, of equal size, independent of everything."""

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2

from tandem.folds import FOLD, ROW_ID, fold_expression, fold_numbers
from tandem.settings import Folds

ROWS = 200_000
# A lawful hash trips one of the some hundred checks below once in a thousand rewrites of it.
CHANCE = 1e-5

Integers = NDArray[np.int64]

libraries = pytest.mark.parametrize("library", ["pandas", "pyarrow"])


def slow_fold(row: int, folds: Folds) -> int:
    """The docstring's formula in Python's integers, which never overflow."""
    prime = 2**31 - 69
    x = row // folds.block * folds.block
    for number in (7, 8, 9):
        offset = (folds.seed % prime + 1) * number * 1_013_904_223
        x = pow(x * 1_664_525 + offset, 3, prime)
    return x % folds.k


def assign(rows: Sequence[int] | Integers, folds: Folds, library: str = "pandas") -> Integers:
    ids = np.asarray(rows, dtype=np.int64)
    native = pd.DataFrame({ROW_ID: ids}) if library == "pandas" else pa.table({ROW_ID: ids})
    frame = nw.from_native(native).with_columns(fold_expression(folds))
    assert frame[FOLD].dtype == nw.Int64
    return frame[FOLD].to_numpy()


def chi_square(table: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    return float(np.sum((table - expected) ** 2 / expected))


def assert_independent(left: Integers, right: Integers) -> None:
    table = np.zeros((left.max() + 1, right.max() + 1))
    np.add.at(table, (left, right), 1)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / len(left)
    freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
    assert chi_square(table, expected) < chi2.isf(CHANCE, freedom)


def assert_equal_sizes(folds: Integers, k: int) -> None:
    sizes = np.bincount(folds, minlength=k).astype(np.float64)
    assert len(sizes) == k
    assert chi_square(sizes, np.full(k, len(folds) / k)) < chi2.isf(CHANCE, k - 1)


@libraries
@settings(max_examples=60, deadline=None, database=None)
@given(
    rows=st.lists(st.integers(0, 2**41), min_size=1, max_size=30),
    k=st.integers(2, 1000),
    seed=st.integers(0, 2**64),
    block=st.integers(1, 10**7),
)
def test_any_frame_gives_what_integers_give(
    library: str, rows: list[int], k: int, seed: int, block: int
) -> None:
    folds = Folds(k, seed, block)
    assert assign(rows, folds, library).tolist() == [slow_fold(row, folds) for row in rows]


@libraries
@pytest.mark.parametrize("start", [2**31 - 500, 2**31 - 69 - 500, 2**32 - 500, 2**40 - 500])
def test_large_row_ids_give_what_integers_give(library: str, start: int) -> None:
    folds, rows = Folds(7, 3, 1), range(start, start + 1000)
    assert assign(rows, folds, library).tolist() == [slow_fold(row, folds) for row in rows]


@pytest.mark.parametrize("start", [2**31, 2**40])
def test_large_row_ids_spread_over_the_folds(start: int) -> None:
    assert_equal_sizes(assign(np.arange(start, start + ROWS), Folds(10, 0, 1)), 10)


@pytest.mark.parametrize(("small", "large"), [(2, 4), (3, 12), (5, 10), (7, 98)])
def test_the_fold_for_a_divisor_is_the_fold_modulo_it(small: int, large: int) -> None:
    rows = np.arange(10_000)
    fine, coarse = assign(rows, Folds(large, 5, 1)), assign(rows, Folds(small, 5, 1))
    assert (fine % small == coarse).all()
    assert len({*fine.tolist()}) == large


@pytest.mark.parametrize("seed", [0, 1, 42])
@pytest.mark.parametrize("k", range(2, 21))
def test_folds_are_of_equal_size_to_within_sampling_noise(k: int, seed: int) -> None:
    assert_equal_sizes(assign(np.arange(ROWS), Folds(k, seed, 1)), k)


@pytest.mark.parametrize("period", [2, 3, 7, 24, 1000])
@pytest.mark.parametrize("k", [2, 3, 5, 7, 10])
def test_folds_are_independent_of_a_periodic_column(k: int, period: int) -> None:
    rows = np.arange(ROWS)
    assert_independent(assign(rows, Folds(k, 0, 1)), rows % period)


def test_folds_are_independent_of_the_order_of_the_rows() -> None:
    rows = np.arange(ROWS)
    assert_independent(assign(rows, Folds(5, 0, 1)), rows * 20 // ROWS)


def test_neighbours_are_independent() -> None:
    folds = assign(np.arange(ROWS), Folds(5, 0, 1))
    for distance in (1, 2, 3):
        assert_independent(folds[:-distance], folds[distance:])


@pytest.mark.parametrize("seeds", [(0, 1), (0, 2), (1, 2), (41, 42), (0, 2**31)])
def test_two_seeds_give_independent_folds(seeds: tuple[int, int]) -> None:
    rows = np.arange(ROWS)
    left, right = (assign(rows, Folds(5, seed, 1)) for seed in seeds)
    assert_independent(left, right)


@pytest.mark.parametrize("block", [2, 7, 100])
def test_the_rows_of_a_block_share_the_fold_of_its_first_row(block: int) -> None:
    rows = np.arange(10_000)
    alone, shared = assign(rows, Folds(5, 1, 1)), assign(rows, Folds(5, 1, block))
    assert (shared == alone[rows - rows % block]).all()


def test_blocks_are_spread_over_the_folds_like_rows() -> None:
    block = 10
    folds = assign(np.arange(ROWS), Folds(5, 1, block))[::block]
    assert_equal_sizes(folds, 5)
    assert_independent(folds[:-1], folds[1:])


def test_the_fold_of_a_row_depends_on_no_other_row() -> None:
    rows = np.random.default_rng(0).permutation(5000)
    everywhere = assign(np.arange(5000), Folds(3, 0, 1))
    assert (assign(rows, Folds(3, 0, 1)) == everywhere[rows]).all()
    assert (assign(rows[:10], Folds(3, 0, 1)) == everywhere[rows[:10]]).all()


@pytest.mark.parametrize("block", [1, 100])
@pytest.mark.parametrize("first", [0, 12_345, 2**40])
def test_consecutive_rows_have_the_folds_of_a_frame(first: int, block: int) -> None:
    folds, rows = Folds(7, 1, block), np.arange(first, first + 40_000)
    assert (fold_numbers(first, len(rows), folds) == assign(rows, folds)).all()
