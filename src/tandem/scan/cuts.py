"""How the row groups of a file are cut: into stretches, and those into what a call decodes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tandem.records import File

# Neighbouring row groups are worked on as one until they have this share of their file's rows, or
# as many rows as the second number: fewer sums to send and to add.
_SHARE, _LONG = 1 / 8, 2_097_152
# Row groups of a stretch are one piece while they have so many rows together: each costs as much to
# sum as some thousands of rows.
_JOINED = 65_536

# Rows up to which a column is about a page: a reader that decodes it piece by piece holds it
# packed, unpacked and its dictionary, more than all of two of it decoded at once, some columns
# together. Not where cells are long texts, of more bytes than the last number on average.
_PAGE, _SHORT = 131_072, 16
# Row groups for every thread, at least, from which one thread takes all pieces of each; and cells
# of one, at most.
_EACH, _ALONE = 4, 2**23


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring row groups of a file, worked on as one.

    `first`: the first of them; `sizes`: rows of each; `first_row`: row id of the first row;
    `short`: whether cells are, on average.
    """

    file: File
    first: int
    sizes: tuple[int, ...]
    first_row: int
    short: bool = True

    @property
    def rows(self) -> int:
        """Rows of all."""
        return sum(self.sizes)


def are_short(cells: int, size: int) -> bool:
    """Whether so many cells are, on average, which have `size` bytes together."""
    return size <= _SHORT * cells


def stretches_of(file: File, sizes: Sequence[int], *, short: bool = True) -> Iterator[Stretch]:
    """Stretches of the row groups of `file`, which have `sizes` rows: every row is in one."""
    enough = max(min(file.rows * _SHARE, _LONG), 1)
    begin, first, rows = 0, file.first_row, 0
    for index, size in enumerate(sizes, 1):
        if not rows:
            begin = index - 1  # empty ones before the first row are of no use
        rows += size
        if rows >= enough or (rows and index == len(sizes)):
            yield Stretch(file, begin, tuple(sizes[begin:index]), first, short)
            begin, first, rows = index, first + rows, 0


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring row groups, small ones together: the rows of each by its number.

    `first`: row id of the first row; `at_once`: whether all is decoded together; `each`: rows of
    every call but the last.
    """

    groups: Mapping[int, int]
    first: int
    rows: int
    at_once: bool
    each: int

    @property
    def end(self) -> int:
        """Row id after the last row."""
        return self.first + self.rows


@dataclass(frozen=True, slots=True)
class Cuts:
    """How row groups are cut into calls, for pieces of at most `piece` rows.

    `share`: rows up to which a thread takes a row group alone; `page`: rows of a column that are
    about a page.
    """

    piece: int
    share: float = math.inf
    page: int = _PAGE

    def runs(self, stretch: Stretch) -> Iterator[Run]:
        """The row groups of `stretch`, small ones together."""
        groups, rows, first = dict[int, int](), 0, stretch.first_row
        for index, size in enumerate(stretch.sizes, stretch.first):
            if groups and rows + size > min(self.piece, _JOINED):
                yield self._run(groups, first, rows, stretch)
                groups, rows, first = {}, 0, first + rows
            groups[index] = size
            rows += size
        yield self._run(groups, first, rows, stretch)

    def _run(self, groups: Mapping[int, int], first: int, rows: int, stretch: Stretch) -> Run:
        alone = rows <= self.share
        at_once = len(groups) > 1 or (stretch.short and rows <= self.page * (2 if alone else 1))
        return Run(groups, first, rows, at_once, rows if at_once and alone else self.piece)


def cuts_of(stretches: Sequence[Stretch], columns: int, rows: int, threads: int) -> Cuts:
    """For pieces of at most `rows` rows of so many columns, and so many threads."""
    if threads == 1:
        return Cuts(rows)
    share = sum(stretch.rows for stretch in stretches) / threads / _EACH
    return Cuts(rows, min(share, _ALONE / columns))
