"""The tree that sums of files are added in."""

from collections.abc import Iterable

import pytest

from tandem.errors import DataError
from tandem.records import File
from tandem.scan.cuts import Stretch
from tandem.scan.ranges import WIDE, by_file, files_of, in_ranges, levels, range_sums


def joined(parts: Iterable[str]) -> str:
    return f"({''.join(parts)})"


def test_stretches_are_added_within_their_file() -> None:
    files = [File(name, 1, 0) for name in "ab"]
    stretches = [Stretch(file, group, (1,), 0) for file in files for group in range(2)]
    assert [*by_file("1234", stretches, joined)] == ["(12)", "(34)"]
    assert [*map(len, files_of(stretches))] == [2, 2]


def test_few_files_are_added_one_after_another() -> None:
    assert levels(WIDE) == []
    assert [*in_ranges(iter("abc"), 3, joined)] == ["a", "b", "c"]


@pytest.mark.parametrize("count", [WIDE + 1, WIDE**2, WIDE**2 + 1, 100_000])
def test_every_file_is_in_one_range_in_order(count: int) -> None:
    found = [*in_ranges(map(str, range(count)), count, ",".join)]
    assert ",".join(found).split(",") == [*map(str, range(count))]
    assert len(found) == levels(count)[-1] <= WIDE


def test_tasks_add_the_same_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tandem.scan.ranges.WIDE", 2)
    numbered: Iterable[tuple[int, str | Exception]] = enumerate("abcdefg")
    for _ in levels(7):
        numbered = range_sums(joined, 2, numbered)
    assert [found for _, found in numbered] == [*in_ranges(iter("abcdefg"), 7, joined)]


def test_the_first_wrong_file_stands_for_its_range() -> None:
    wrong = DataError("c"), DataError("d")
    numbered = enumerate(["a", "b", *wrong, "e"])
    assert [*range_sums(joined, 2, numbered)] == [(0, "(ab)"), (1, wrong[0]), (2, "(e)")]
