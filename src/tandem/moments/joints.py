"""Categories of one batch taken together: what is summed or counted by the joint category holds
the sums and counts of each.

Two are joined where few of their combinations occur: one follows from the other, as the model of
a plane from its tail number, or both have few levels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from tandem.moments.grouping import Numbers, distinct, in_table, numbered
from tandem.moments.moments import divided

Codes = Numbers

# Combinations, at most, for every level of the larger category; and as many as are few in any case.
_FOLLOWS, _FEW = 1.25, 512
# Rows that show whether it is worth looking at all.
_SAMPLE = 2048


@dataclass(frozen=True, slots=True)
class Joint:
    """One category (its number), or two joints: `parts` has each, and its code for every own code.

    `codes`: of every row, below `size`.
    """

    codes: Codes
    size: int
    category: int = -1
    parts: tuple[tuple["Joint", Codes], ...] = ()


def joined(columns: Mapping[int, tuple[int, Codes]]) -> list[Joint]:
    """Every category (its number, levels and codes) once, in as few joints as is worth while."""
    roots = [Joint(codes, size, c) for c, (size, codes) in columns.items()]
    return _merged(_merged(roots, _following), _small)


def _merged(roots: Sequence[Joint], join: Callable[[Joint, Joint], Joint | None]) -> list[Joint]:
    """Each joined to the smallest larger one to which it can be."""
    waiting, apart = sorted(roots, key=attrgetter("size")), []
    while waiting:
        small = waiting.pop(0)
        for place, large in enumerate(waiting):
            if both := join(small, large):
                waiting[place] = both
                waiting.sort(key=attrgetter("size"))
                break
        else:
            apart.append(small)
    return apart


def _following(small: Joint, large: Joint) -> Joint | None:
    """The two as one if nearly every level of `large` has only one of `small`."""
    rows = len(large.codes)
    if not in_table(small.size * large.size, rows):
        return None
    some = slice(None, None, max(rows // _SAMPLE, 1))
    levels, combinations = large.codes[some], _combined(small, large, some)
    if distinct(combinations) > _FOLLOWS * distinct(levels):
        return None
    both = _joint(small, large)
    return both if both.size <= _FOLLOWS * large.size else None


def _small(small: Joint, large: Joint) -> Joint | None:
    """The two as one if it is small."""
    return _joint(small, large) if small.size * large.size <= _FEW else None


def _joint(small: Joint, large: Joint) -> Joint:
    """The two as one."""
    found, codes = numbered(_combined(small, large), small.size * large.size)
    many, rest = divided(found.astype(np.int32), max(small.size, 1))
    return Joint(codes, len(found), parts=((large, many), (small, rest)))


def _combined(small: Joint, large: Joint, some: slice = slice(None)) -> Codes:
    """Both codes of some rows as one number."""
    return large.codes[some] * np.int32(small.size) + small.codes[some]
