"""How many bytes the sums of categories may take, and which categories give theirs up for it.

A category that gives up its sums, and its pairs with all others, is only counted in the first scan.
Its frequency indices follow from the counts; what they sum to takes a second scan.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

# Bytes of all sums by level and fold in one table of a running sum. A table of twice the size
# costs more than reading the rows again: 5 million rows with 200,000 levels took 11 s of CPU time
# from sums of 75 MB and 19 s from 250 MB, but 9 to 10 s in two scans.
LIMIT = 128 * 2**20
# A byte of a pair's counts against one of sums: most of such a table is never touched.
PAIR_WEIGHT = 0.5

# Rows that the number of levels is estimated from before a scan.
FIRST_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the sums of a part may take: `limit` bytes, and nothing for the categories `counted`.

    A category is called by its position among the categorical features.
    """

    counted: frozenset[int] = frozenset()
    limit: int = LIMIT


def given_up(
    sums: Mapping[int, int], pairs: Mapping[tuple[int, int], int], limit: int
) -> frozenset[int]:
    """The categories without which the bytes of `sums`, and of `pairs` weighted, are in `limit`.

    The costliest first: a pair is put down to its larger category, the one with the larger sums.
    """
    left, found = dict(sums), set()
    rest = {pair: size * PAIR_WEIGHT for pair, size in pairs.items()}
    while left and sum(left.values()) + sum(rest.values()) > limit:
        costs: dict[int, float] = dict(left)
        for pair, size in rest.items():
            costs[max(pair, key=left.__getitem__)] += size
        costliest = max(costs, key=costs.__getitem__)
        found.add(costliest)
        del left[costliest]
        rest = {pair: size for pair, size in rest.items() if costliest not in pair}
    return frozenset(found)


def allowed(sizes: Mapping[int, int]) -> Allowance:
    """What the sums of categories may take, whose tables have `sizes` bytes each, by position."""
    return Allowance(given_up(sizes, {}, LIMIT), LIMIT)


def levels_of(distinct: int, rows: int, of: int) -> int:
    """V with `distinct` = V (1 - exp(-rows / V)), at most `of`: equally frequent levels.

    `rows` rows out of `of` hold `distinct` levels.
    """
    levels = np.geomspace(max(distinct, 1), max(of, distinct, 1), 1000)
    shown = -levels * np.expm1(-rows / levels)
    place = min(int(np.searchsorted(shown, distinct)), len(levels) - 1)
    return int(np.rint(levels[place]))
