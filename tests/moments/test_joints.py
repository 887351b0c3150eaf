"""Joint categories: the sums and counts of every category are those of going row by row."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from tandem.moments.batch import Batch, Cells, Codes
from tandem.moments.grouping import numbered
from tandem.moments.joints import Joint, joined
from tandem.moments.moments import Integers, Moments
from tandem.moments.row_vector import RowVector
from tandem.moments.tiling import Workplace, moments_of

NOTHING: Integers = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Kind:
    """A category of `levels`; it follows from the category `of` but in a `share` of the rows."""

    levels: int
    of: int | None = None
    share: float = 0.0


# The plane of a flight, its model, maker and engine, who flies it; from where, where to.
FLIGHTS = (
    Kind(500),
    Kind(60, of=0),
    Kind(9, of=1),
    Kind(4, of=1),
    Kind(12, of=0, share=0.003),
    Kind(3),
    Kind(300),
)


def codes(kinds: Sequence[Kind], rows: int, seed: int) -> list[Integers]:
    """Codes of categories; those that follow come after what they follow from."""
    rng, found = np.random.default_rng(seed), list[Integers]()
    for kind in kinds:
        free = rng.integers(0, kind.levels, rows)
        if kind.of is None:
            found.append(free)
            continue
        of_level = rng.integers(0, kind.levels, kinds[kind.of].levels)
        found.append(np.where(rng.random(rows) < kind.share, free, of_level[found[kind.of]]))
    return found


def batch(kinds: Sequence[Kind], rows: int, seed: int, k: int, *, runs: bool) -> Batch:
    """Whole numbers, so that every order of adding gives the same sums; categories in any order."""
    rng = np.random.default_rng(seed)
    numbers = tuple(Cells(np.rint(rng.normal(size=rows) * 9), NOTHING) for _ in range(2))
    columns = zip(kinds, codes(kinds, rows, seed), strict=True)
    categories = [
        Codes(tuple(f"{level}" for level in range(kind.levels)), column) for kind, column in columns
    ]
    folds = rng.integers(0, k, rows).astype(np.uint16)
    dropped = np.flatnonzero(rng.random(rows) < rng.choice([0.0, 0.1]))
    order = rng.permutation(len(kinds)).tolist()
    return Batch(
        numbers, tuple(categories[i] for i in order), np.sort(folds) if runs else folds, dropped
    )


def row_by_row(rows: Batch) -> tuple[dict[tuple[int, ...], list[float]], Counter[object]]:
    """Sums of [1, x, y] by (category, fold, level) and rows by two of them; what is used only."""
    used = np.delete(np.arange(len(rows.folds)), rows.dropped).tolist()
    vectors = np.stack([np.ones(len(rows.folds)), *(cells.values for cells in rows.numeric)], 1)
    sums: dict[tuple[int, ...], list[float]] = {}
    counts: Counter[object] = Counter()
    for row in used:
        fold, vector = int(rows.folds[row]), vectors[row].tolist()
        cells = [(c, int(column.codes[row])) for c, column in enumerate(rows.categorical)]
        for c, level in cells:
            old = sums.get((c, fold, level), [0.0] * len(vector))
            sums[c, fold, level] = [a + b for a, b in zip(old, vector, strict=True)]
        counts.update(
            ((c, d), fold, left, right) for (c, left), (d, right) in combinations(cells, 2)
        )
    return sums, counts


def as_found(moments: Moments) -> tuple[dict[tuple[int, ...], list[float]], Counter[object]]:
    """The same of `moments`, whose keys must be ascending."""
    sums, counts = {}, Counter[object]()
    for c, category in enumerate(moments.categories):
        assert np.all(np.diff(category.keys) > 0)
        for fold, level, found in zip(category.fold, category.level, category.sums, strict=True):
            if found[0]:  # cells of dropped rows alone are empty
                sums[c, int(fold), int(level)] = found.tolist()
    for pair, table in zip(moments.paired, moments.pairs, strict=True):
        assert np.all(np.diff(table.keys) > 0)
        assert table.counts.dtype == np.int64
        cells = zip(table.fold, table.left, table.right, table.counts, strict=True)
        for fold, left, right, rows in cells:
            counts[pair, int(fold), int(left), int(right)] = int(rows)
    return sums, counts


@st.composite
def kinds(draw: st.DrawFn) -> tuple[Kind, ...]:
    found: list[Kind] = []
    for place in range(draw(st.integers(0, 6))):
        of = draw(st.none() | st.integers(0, place - 1)) if place else None
        share = draw(st.sampled_from([0.0, 0.01, 0.3]))
        found.append(Kind(draw(st.sampled_from([1, 2, 7, 40, 700])), of, share))
    return tuple(found)


@given(kinds(), st.integers(1, 600), st.integers(0, 99), st.integers(2, 5), st.booleans())
def test_sums_and_counts_are_those_row_by_row(
    kinds: tuple[Kind, ...],
    rows: int,
    seed: int,
    k: int,
    runs: bool,  # noqa: FBT001 - drawn
) -> None:
    data = batch(kinds, rows, seed, k, runs=runs)
    vector = RowVector(np.zeros(2), (), tuple(range(2 + len(kinds))))
    found = moments_of(data, vector, k, Workplace(vector.width, 256))
    assert as_found(found) == row_by_row(data)


@pytest.mark.parametrize("runs", [False, True])
def test_flights_are_counted_row_by_row_too(*, runs: bool) -> None:
    """A joint of 500 levels by one of 300 is too large a table: its parts are counted apart."""
    data = batch(FLIGHTS, 4000, 1, 3, runs=runs)
    vector = RowVector(np.zeros(2), (), tuple(range(2 + len(FLIGHTS))))
    assert as_found(moments_of(data, vector, 3, Workplace(vector.width))) == row_by_row(data)


def roots(kinds: Sequence[Kind], rows: int) -> list[tuple[int, ...]]:
    """The categories in every joint."""

    def within(joint: Joint) -> list[int]:
        parts = [c for part, _ in joint.parts for c in within(part)]
        return parts or [joint.category]

    sizes = [kind.levels for kind in kinds]
    columns = dict(enumerate(zip(sizes, codes(kinds, rows, 0), strict=True)))
    return sorted(tuple(sorted(within(joint))) for joint in joined(columns))


def test_what_follows_is_joined() -> None:
    assert roots(FLIGHTS, 20_000) == [(0, 1, 2, 3, 4), (5,), (6,)]


def test_what_is_small_is_joined() -> None:
    assert roots([Kind(20), Kind(25)], 20_000) == [(0, 1)]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_what_is_independent_and_large_is_not(share: float) -> None:
    assert roots([Kind(40), Kind(50), Kind(30, of=1, share=0.5 + share)], 20_000) == [
        (0,),
        (1,),
        (2,),
    ]


def test_what_a_sample_cannot_tell_apart_is_not_joined() -> None:
    """Few levels of the larger one come twice among the rows that are looked at first."""
    assert roots([Kind(10_000), Kind(7)], 50_000) == [(0,), (1,)]


@pytest.mark.parametrize("size", [50, 10**7])
def test_numbered(size: int) -> None:
    """By a table where there are few numbers, by sorting where there are many."""
    cells = np.array([9, 3, 3, 40, 9])
    found, places = numbered(cells, size)
    assert_array_equal(found, [3, 9, 40])
    assert_array_equal(places, [1, 0, 0, 2, 1])
