"""How many folds are made, and what they fold to."""

import numpy as np
import pytest

from tandem.moments.micro_folds import MOST, folded, micro_fold_count, multiples
from tandem.moments.moments import Moments
from tests.moments import test_moments
from tests.moments.test_moments import Table, same


@pytest.mark.parametrize(
    ("k", "width", "rows", "levels", "made"),
    [
        (3, 37, 100_000, (), 60),
        (7, 37, 100_000, (), 42),
        (20, 37, 100_000, (), 60),
        (31, 37, 100_000, (), 31),
        (100, 37, 100_000, (), 100),
        (3, 8, 100_000, (), 60),
        (3, 122, 100_000, (), 24),
        (3, 362, 100_000, (), 6),
        (3, 1000, 100_000, (), 3),
        (3, 37, 200, (), 3),  # a tile of 200 rows has none to spare
        (3, 37, 100_000, (3, 16, 7), 60),
        (3, 37, 100_000, (16, 3, 105, 4, 36, 128, 7), 12),
        (3, 37, 100_000, (16, 4044, 3, 105, 4, 36, 128, 7), 3),
    ],
)
def test_as_many_as_cost_little(
    k: int, width: int, rows: int, levels: tuple[int, ...], made: int
) -> None:
    assert micro_fold_count(k, width, rows, levels) == made
    assert made in multiples(k)


def test_multiples_are_those_that_may_be_made() -> None:
    assert [*multiples(20)] == [20, 40, 60]
    assert [*multiples(MOST)] == [MOST]
    assert [*multiples(MOST + 1)] == [MOST + 1]


@pytest.mark.parametrize("k", [1, 2, 3, 4, 6, 12])
def test_folding_is_what_summing_by_fewer_folds_gives(
    k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly, for whole numbers: Gram, sums by level, pairs of levels, and their keys."""
    table = Table(700, 1, whole=True)
    table.folds = np.random.default_rng(0).integers(0, 12, 700).astype(np.uint16)

    def moments(folds: int) -> Moments:
        monkeypatch.setattr(test_moments, "K", folds)
        return table.moments()

    fine = moments(12)
    table.folds %= k
    same(folded(fine, k), moments(k))
