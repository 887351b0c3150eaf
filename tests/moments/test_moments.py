"""Laws of the moments and of what is solved from them."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tandem.model_keys import GridPoint
from tandem.moments import accumulate
from tandem.moments.accumulate import total
from tandem.moments.batch import Batch, Cells, Codes
from tandem.moments.moments import Integers, Moments, sum_of_others
from tandem.moments.row_vector import RowVector
from tandem.moments.tiling import Workplace, moments_of
from tandem.records import Array
from tandem.solver.encodings import Protocol
from tandem.solver.fits import errors, fit, intercept
from tandem.solver.recentre import canonical
from tandem.solver.training_sets import Folding

K = 3
GRID = tuple(GridPoint(r, a) for r in (0.0, 0.01, 0.3) for a in (0.0, 0.5, 1.0))
NOTHING: Integers = np.empty(0, dtype=np.int64)
LEVELS = ("b", "a", "z", "rare")


class Table:
    """Rows in memory: numeric features with gaps in the last, two categories, a target."""

    def __init__(self, rows: int, seed: int, *, whole: bool = False) -> None:
        rng = np.random.default_rng(seed)
        self.x = rng.normal(size=(rows, 4)) * 3
        if whole:
            self.x = np.rint(self.x * 10)
        self.missing = rng.random(rows) < 0.3
        self.codes = rng.integers(0, 3, (rows, 2))
        self.codes[0] = 3
        self.y = self.x @ [1.0, -2.0, 0.0, 0.5] + 2.0 * self.codes[:, 0] + rng.normal(size=rows)
        if whole:
            self.y = np.rint(self.y)
        self.folds = rng.integers(0, K, rows).astype(np.uint16)
        self.dropped = np.flatnonzero(rng.random(rows) < 0.1)

    def take(self, rows: Integers) -> "Table":
        """The rows at these positions."""
        new = object.__new__(Table)
        for name in ("x", "missing", "codes", "y", "folds"):
            setattr(new, name, getattr(self, name)[rows])
        drop = np.zeros(len(self.y), dtype=bool)
        drop[self.dropped] = True
        new.dropped = np.flatnonzero(drop[rows])
        return new

    def vector(self, shift: float = 0.0) -> RowVector:
        p = self.x.shape[1]
        return RowVector(np.full(p + 1, shift), (p - 1,), tuple(range(p + 2)))

    def moments(self, shift: float = 0.0, tile: int = 64) -> Moments:
        vector = self.vector(shift)
        return moments_of(self.batch(), vector, K, Workplace(vector.width, tile))

    def batch(self) -> Batch:
        p, gaps = self.x.shape[1], np.flatnonzero(self.missing)
        numeric = [Cells(self.x[:, j], gaps if j == p - 1 else NOTHING) for j in range(p)]
        numeric.append(Cells(self.y, NOTHING))
        codes = [Codes(LEVELS, self.codes[:, c]) for c in range(2)]
        return Batch(tuple(numeric), tuple(codes), self.folds, self.dropped)


def solved(
    moments: Moments, vector: RowVector, *, fit_on_all: bool = False
) -> tuple[Array, Array, Array]:
    """Errors (k, grid), and slopes and intercepts of the fits on all rows."""
    folding = Folding(canonical(moments), vector, Protocol(on_all=fit_on_all))
    sse = []
    for split in folding.splits():
        assert split.test is not None
        sse.append(errors(split.test, fit(split.train, GRID).slopes.rounded())[0])
    whole = folding.whole()
    slopes = fit(whole.train, GRID).slopes
    constants = np.array([intercept(whole, slopes[point]) for point in range(len(GRID))])
    return np.array(sse), slopes.rounded(), constants


def same(left: Moments, right: Moments) -> None:
    """Bit for bit, whatever the order of the levels."""
    left, right = canonical(left), canonical(right)
    assert_array_equal(left.gram, right.gram)
    for one, other in zip(left.categories, right.categories, strict=True):
        assert one.levels == other.levels
        assert_array_equal(one.keys, other.keys)
        assert_array_equal(one.sums, other.sums)
    for one, other in zip(left.pairs, right.pairs, strict=True):
        assert_array_equal(one.keys, other.keys)
        assert_array_equal(one.counts, other.counts)


def cut(table: Table, edges: Sequence[int]) -> list[Moments]:
    pieces = np.split(np.arange(len(table.y)), sorted(edges))
    return [table.take(piece).moments() for piece in pieces]


def by_hand(table: Table) -> Array:
    """The Gram matrices by the definition."""
    rows = len(table.y)
    used = np.ones(rows, dtype=bool)
    used[table.dropped] = False
    there = ~table.missing
    u = table.x.copy()
    u[table.missing, -1] = 0.0
    a = np.column_stack([np.ones(rows), u, there, table.y])
    parts = [a[used & (table.folds == fold)] for fold in range(K)]
    return np.array([part.T @ part for part in parts])


@pytest.mark.parametrize("sorted_folds", [False, True])
def test_the_definition(*, sorted_folds: bool) -> None:
    table = Table(500, 1)
    if sorted_folds:  # long runs of one fold stay in place
        table.folds = np.sort(table.folds)
    moments = table.moments()
    assert_allclose(moments.gram, by_hand(table), rtol=1e-12, atol=1e-9)
    used = np.delete(np.arange(500), table.dropped)
    for c in range(2):
        category = moments.categories[c]
        dense = np.zeros((4, K))
        dense[category.level, category.fold] = category.sums[:, 0]
        expected = np.zeros((4, K))
        np.add.at(expected, (table.codes[used, c], table.folds[used]), 1)
        assert_array_equal(dense, expected)
    crosstab = np.zeros((4, 4, K))
    pair = moments.pairs[0]
    crosstab[pair.left, pair.right, pair.fold] = pair.counts
    expected = np.zeros((4, 4, K))
    np.add.at(expected, (*table.codes[used].T, table.folds[used]), 1)
    assert_array_equal(crosstab, expected)


@given(st.lists(st.integers(1, 299), max_size=5), st.integers(0, 5), st.integers(1, 400))
def test_whole_numbers_in_any_order_cut_and_tile(edges: list[int], seed: int, tile: int) -> None:
    table = Table(300, seed, whole=True)
    shuffled = table.take(np.random.default_rng(seed).permutation(300))
    moments = table.moments()
    same(total(cut(shuffled, edges)), moments)
    same(shuffled.moments(tile=tile), moments)


def test_the_answer_of_whole_numbers_does_not_depend_on_order_or_shift() -> None:
    table = Table(300, 7, whole=True)
    shuffled = table.take(np.random.default_rng(0).permutation(300))
    expected = solved(table.moments(), table.vector())
    for found in (
        solved(shuffled.moments(), table.vector()),
        solved(shuffled.moments(shift=5.0), table.vector(shift=5.0)),
    ):
        for left, right in zip(found, expected, strict=True):
            assert_array_equal(left, right)


def test_adding_is_associative_and_commutative() -> None:
    a, b, c = cut(Table(400, 2), [100, 250])
    left, right = total([total([a, b]), c]), total([a, total([b, c])])
    assert_allclose(left.gram, right.gram, rtol=1e-13, atol=1e-11)
    assert_array_equal(total([a, b]).gram, total([b, a]).gram)
    whole = [cut(Table(400, 2, whole=True), [100, 250])[i] for i in range(3)]
    same(total([total(whole[:2]), whole[2]]), total([whole[2], total(whole[1::-1])]))


def test_levels_are_united() -> None:
    table = Table(200, 3, whole=True)
    first, second = table.take(np.arange(100)), table.take(np.arange(100, 200))
    left, right = first.moments(), second.moments()
    renamed = [type(c)(("b", "a", "only here", "rare"), c.keys, c.sums) for c in right.categories]
    joined = total([left, Moments(right.gram, tuple(renamed), right.pairs)])
    assert joined.categories[0].levels == ("b", "a", "z", "rare", "only here")
    rows = joined.categories[0].sums[:, 0].sum()
    assert rows == joined.rows.sum() == joined.pairs[0].counts.sum()


def test_very_many_cells_are_counted_by_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = cut(Table(400, 2, whole=True), [50, 100, 300])
    dense = total(parts)
    for cells in (0, 20):
        monkeypatch.setattr(accumulate, "DENSE_CELLS", cells)
        same(total(parts), dense)


def test_a_doubled_row_weighs_two() -> None:
    """The same data twice: the same fits, twice the errors."""
    table = Table(300, 4)
    sse, slopes, offset = solved(table.moments(), table.vector())
    twice = table.take(np.repeat(np.arange(300), 2))
    found = solved(twice.moments(), table.vector())
    assert_allclose(found[0], 2 * sse, rtol=1e-11)
    assert_allclose(found[1], slopes, atol=1e-11)
    assert_allclose(found[2], offset, atol=1e-11)


@pytest.mark.parametrize("fit_on_all", [False, True])
def test_a_shifted_column_moves_only_the_intercept(*, fit_on_all: bool) -> None:
    table = Table(300, 5)
    sse, slopes, offset = solved(table.moments(), table.vector(), fit_on_all=fit_on_all)
    table.x = table.x + 1024.0
    found = solved(table.moments(shift=1000.0), table.vector(shift=1000.0), fit_on_all=fit_on_all)
    assert_allclose(found[0], sse, rtol=1e-9)
    assert_allclose(found[1], slopes, atol=1e-9)
    assert_allclose(found[2], offset - 1024.0 * slopes[:, :4].sum(axis=1), rtol=1e-9)


def test_a_constant_column_changes_nothing() -> None:
    table = Table(300, 6)
    sse, slopes, _ = solved(table.moments(), table.vector())
    table.x = np.column_stack([np.full(300, 0.1), table.x])
    found = solved(table.moments(), table.vector())
    assert_allclose(found[0], sse, rtol=1e-11)
    assert_array_equal(found[1][:, 0], 0.0)
    assert_allclose(found[1][:, 1:], slopes, atol=1e-11)


def test_an_outlier_in_the_held_out_rows_costs_the_training_set_nothing() -> None:
    table = Table(300, 8)
    row = int(np.setdiff1d(np.flatnonzero(table.folds == 0), table.dropped)[0])
    clean = table.moments()
    table.x[row, 0], table.y[row] = 1e8, -1e8
    dirty = table.moments()
    for moments in (clean, dirty):
        assert len(moments.gram) == K
    expected = next(Folding(canonical(clean), table.vector(), Protocol()).splits())
    found = next(Folding(canonical(dirty), table.vector(), Protocol()).splits())
    assert_array_equal(fit(found.train, GRID).slopes.hi, fit(expected.train, GRID).slopes.hi)


@given(st.integers(1, 8))
def test_sum_of_others(parts: int) -> None:
    values = np.arange(parts * 6.0).reshape(parts, 2, 3) ** 2
    expected = [np.delete(values, i, axis=0).sum(axis=0) for i in range(parts)]
    assert_array_equal(sum_of_others(values), expected)


@pytest.mark.parametrize("ratio", [1e3, 1e6, 1e9])
def test_an_offset_costs_no_digits(ratio: float) -> None:
    """X = c + s N(0, 1) with c / s = `ratio`: as good as the data itself, which holds c + s."""
    rng = np.random.default_rng(0)
    exact = np.rint(rng.normal(size=(500, 3)) * 1000)
    y = np.rint(exact @ [1.0, 2.0, -3.0] + 100 * rng.normal(size=500))
    shift = np.rint(ratio * 1000)
    vector = RowVector(np.array([*np.full(3, shift), 0.0]), (), (0, 1, 2))
    cells = [Cells(exact[:, j] + shift, NOTHING) for j in range(3)]
    batch = Batch((*cells, Cells(y, NOTHING)), (), (np.arange(500) % K).astype(np.uint16), NOTHING)
    moments = moments_of(batch, vector, K, Workplace(vector.width))
    slopes = fit(Folding(moments, vector, Protocol()).whole().train, [GridPoint(0.0, 0.0)])
    centred = exact - exact.mean(axis=0)
    expected = np.linalg.lstsq(centred, y - y.mean())[0]
    assert_allclose(slopes.slopes.hi[0], expected, rtol=1e-14)
