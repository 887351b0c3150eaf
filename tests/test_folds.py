"""The fold of a row: the same for every engine, of equal size, independent of everything."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2

from tandem.fold_keys import FoldKind, Folds
from tandem.folds import EVEN_ROWS, Assignment
from tandem.mixing import mixed
from tandem.oracle_folds import HELD_OUT, folds_of, group_fold

ROWS = 200_000
# A lawful hash trips one of the some hundred checks below once in a thousand rewrites of it.
CHANCE = 1e-5

Integers = NDArray[np.int64]


def assign(rows: int, k: int, seed: int = 0, block: int = 1) -> Integers:
    """The folds of a table of `rows` rows."""
    return Assignment(Folds(k, seed, block), rows).of(0, rows).astype(np.int64)


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


@settings(max_examples=60)
@given(
    rows=st.one_of(st.integers(1, 300), st.integers(EVEN_ROWS - 1, EVEN_ROWS + 2)),
    k=st.integers(2, 1000),
    seed=st.integers(0, 2**64),
    block=st.integers(1, 50),
)
def test_any_table_has_the_folds_that_integers_give(
    rows: int, k: int, seed: int, block: int
) -> None:
    folds = Folds(k, seed, block)
    assert assign(rows, k, seed, block).tolist() == folds_of(rows, folds)


@pytest.mark.parametrize("start", [2**31 - 500, 2**31 - 69 - 500, 2**32 - 500, 2**40 - 500])
def test_large_row_ids_give_what_integers_give(start: int) -> None:
    found = Assignment(Folds(7, 3, 1), 2**41).of(start, 1000)
    assert found.tolist() == [mixed(row, 3) % 7 for row in range(start, start + 1000)]


@pytest.mark.parametrize("start", [2**31, 2**40])
def test_large_row_ids_spread_over_the_folds(start: int) -> None:
    assert_equal_sizes(Assignment(Folds(10, 0, 1), 2**41).of(start, ROWS), 10)


@pytest.mark.parametrize("k", range(2, 21))
@pytest.mark.parametrize("rows", [*range(20, 40), 60, 100, 999, EVEN_ROWS])
def test_folds_of_a_small_table_are_of_even_size(rows: int, k: int) -> None:
    for seed in range(20):
        assert np.ptp(np.bincount(assign(rows, k, seed), minlength=k)) <= 1


def test_blocks_of_a_small_table_are_spread_evenly() -> None:
    sizes = np.bincount(assign(1000, 10, block=10))
    assert sizes.tolist() == [100] * 10


@pytest.mark.parametrize("rows", [60, 5000, EVEN_ROWS + 1])
@pytest.mark.parametrize(("small", "large"), [(2, 4), (3, 12), (5, 10), (7, 98)])
def test_the_fold_for_a_divisor_is_the_fold_modulo_it(rows: int, small: int, large: int) -> None:
    fine, coarse = assign(rows, large, 5), assign(rows, small, 5)
    assert (fine % small == coarse).all()
    assert len({*fine.tolist()}) == min(large, rows)


@pytest.mark.parametrize("seed", [0, 1, 42])
@pytest.mark.parametrize("k", range(2, 21))
def test_folds_are_of_equal_size_to_within_chance(k: int, seed: int) -> None:
    assert_equal_sizes(assign(ROWS, k, seed), k)


@pytest.mark.parametrize("rows", [EVEN_ROWS, ROWS])
@pytest.mark.parametrize("period", [2, 3, 7, 24, 1000])
@pytest.mark.parametrize("k", [2, 3, 5, 7, 10])
def test_folds_are_independent_of_a_periodic_column(k: int, period: int, rows: int) -> None:
    assert_independent(assign(rows, k), np.arange(rows) % period)


@pytest.mark.parametrize("rows", [EVEN_ROWS, ROWS])
def test_folds_are_independent_of_the_order_of_the_rows(rows: int) -> None:
    assert_independent(assign(rows, 5), np.arange(rows) * 20 // rows)


@pytest.mark.parametrize("rows", [EVEN_ROWS, ROWS])
def test_neighbours_are_independent(rows: int) -> None:
    folds = assign(rows, 5)
    for distance in (1, 2, 3):
        assert_independent(folds[:-distance], folds[distance:])


@pytest.mark.parametrize("rows", [EVEN_ROWS, ROWS])
@pytest.mark.parametrize("seeds", [(0, 1), (0, 2), (1, 2), (41, 42), (0, 2**31)])
def test_two_seeds_give_independent_folds(seeds: tuple[int, int], rows: int) -> None:
    left, right = (assign(rows, 5, seed) for seed in seeds)
    assert_independent(left, right)


@pytest.mark.parametrize("block", [2, 7, 100])
def test_the_rows_of_a_block_share_the_fold_of_its_first_row(block: int) -> None:
    rows = np.arange(ROWS)
    alone, shared = assign(ROWS, 5, 1), assign(ROWS, 5, 1, block)
    assert (shared == alone[rows - rows % block]).all()


def test_blocks_are_spread_over_the_folds_like_rows() -> None:
    block = 10
    folds = assign(ROWS, 5, 1, block)[::block]
    assert_equal_sizes(folds, 5)
    assert_independent(folds[:-1], folds[1:])


@pytest.mark.parametrize("of", [7_001, 10_000_000])
@pytest.mark.parametrize("block", [1, 100])
@pytest.mark.parametrize("first", [0, 345, 2_345])
def test_some_rows_have_the_folds_that_they_have_among_all(of: int, first: int, block: int) -> None:
    table = Assignment(Folds(7, 1, block), of)
    assert (table.of(0, 7_001)[first:] == table.of(first, 7_001 - first)).all()


def of_groups(values: list[str | None], k: int, seed: int = 0) -> Integers:
    """The folds of rows whose column holds `values`."""
    folds = Folds(k, seed, kind=FoldKind.GROUP, column="g")
    cells = pa.array(values, pa.string())
    return Assignment(folds, len(values)).of(0, len(values), cells).astype(np.int64)


@settings(max_examples=100)
@given(
    values=st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=40),
    k=st.integers(2, 1000),
    seed=st.integers(0, 2**64),
    data=st.data(),
)
def test_a_group_is_in_one_fold_whatever_rows_there_are(
    values: list[str | None], k: int, seed: int, data: st.DataObject
) -> None:
    by = dict(zip(values, of_groups(values, k, seed).tolist(), strict=True))
    assert by == {value: group_fold(value, Folds(k, seed)) for value in values}
    others = data.draw(st.permutations(values))[: len(values) // 2 + 1]
    assert of_groups(others, k, seed).tolist() == [by[value] for value in others]


def test_groups_are_spread_over_the_folds() -> None:
    names = [str(number) for number in range(20_000)]
    assert_equal_sizes(of_groups(names, 10), 10)
    assert_independent(of_groups(names, 10), of_groups(names, 10, seed=1))
    assert (of_groups(names, 12) % 4 == of_groups(names, 4)).all()


@settings(max_examples=40)
@given(
    rows=st.one_of(st.integers(1, 300), st.integers(EVEN_ROWS - 1, EVEN_ROWS + 2)),
    seed=st.integers(0, 2**64),
    block=st.integers(1, 50),
    share=st.floats(0.01, 0.99),
)
def test_the_hold_out_is_that_share_of_rows(rows: int, seed: int, block: int, share: float) -> None:
    folds = Folds(4, seed, block, holdout=share)
    found = Assignment(folds, rows).of(0, rows).tolist()
    right = [4 if part == HELD_OUT else part for part in folds_of(rows, folds)]
    assert found == right
    if rows <= EVEN_ROWS:
        assert abs(found.count(4) - share * rows) <= 1.5 * block
    else:
        blocks = -(-rows // block)
        assert abs(found.count(4) / rows - share) < 5 * np.sqrt(share * (1 - share) / blocks)
