"""The sums of many files, added as a tree: files, ranges of files, ranges of ranges.

Its shape follows from the number of files alone, so that the sum is the same bit for bit wherever
a range is added up: here, or by tasks, which send one sum on for all files of a range.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from operator import attrgetter
from typing import TypeVar

from tandem.errors import DataError
from tandem.scan.arrow import NotFiniteError
from tandem.scan.cuts import Stretch

T = TypeVar("T")
Add = Callable[[Iterable[T]], T]

# Sums that are added one after another; part of the order of summation: a constant.
WIDE = 64


def levels(count: int) -> list[int]:
    """How many ranges there are of `count` files, of these ranges, and so on, down to WIDE."""
    found = []
    while count > WIDE:
        count = -(-count // WIDE)
        found.append(count)
    return found


def by_file(results: Iterable[T], stretches: Sequence[Stretch], add: Add[T]) -> Iterator[T]:
    """The sum of every file, of the results of its stretches."""
    parts = zip(stretches, results, strict=True)
    for _, members in groupby(parts, lambda pair: pair[0].file):
        yield add(part for _, part in members)


def in_ranges(sums: Iterator[T], count: int, add: Add[T]) -> Iterator[T]:
    """The sums of the last ranges of `count` files, WIDE at most, of the sums of the files."""
    for _ in levels(count):
        sums = _ranges(sums, add)
    return sums


def summed(results: Iterable[T], stretches: Sequence[Stretch], add: Add[T]) -> Iterator[T]:
    """The sums of the last ranges of the files, of the results of all stretches."""
    return in_ranges(by_file(results, stretches, add), len(files_of(stretches)), add)


def files_of(stretches: Sequence[Stretch]) -> list[tuple[Stretch, ...]]:
    """The stretches of every file."""
    return [tuple(members) for _, members in groupby(stretches, attrgetter("file"))]


def range_sums(
    add: Add[T], wide: int, numbered: Iterable[tuple[int, T | Exception]]
) -> Iterator[tuple[int, T | Exception]]:
    """In a task: number and sum of every range of `wide`; `numbered`: of its members, ascending.

    In place of the sum stands the first that is wrong with the data, where anything is.
    """
    for number, members in groupby(numbered, lambda pair: pair[0] // wide):
        try:
            yield number, add(map(_checked, members))
        except (NotFiniteError, DataError) as error:
            yield number, error


def _checked(numbered: tuple[int, T | Exception]) -> T:
    _, part = numbered
    if isinstance(part, Exception):
        raise part
    return part


def _ranges(sums: Iterator[T], add: Add[T]) -> Iterator[T]:
    for first in sums:
        yield add(chain([first], islice(sums, WIDE - 1)))
