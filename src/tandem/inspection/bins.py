"""A small histogram whose bins are as wide as a power of two: histograms of parts add exactly."""

from dataclasses import dataclass
from math import floor, frexp, ldexp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.records import Array

MOST = 16
_FINEST = -1000  # the width 2**-1000: no scale overflows


@dataclass(frozen=True, slots=True)
class Bins:
    """`rows[i]` values x with first + i <= x / 2**width < first + i + 1; at most MOST bins.

    The narrowest that hold all values in so many: whatever the parts were, the sum is the same.
    """

    width: int
    first: int
    rows: tuple[int, ...]

    def __add__(self, other: "Bins") -> "Bins":
        width = max(self.width, other.width) - 1
        first, last = 0, MOST
        while last - first >= MOST:
            width += 1
            ends = (*self.ends(width), *other.ends(width))
            first, last = min(ends), max(ends)
        rows = [0] * (last - first + 1)
        for one in (self, other):
            step = width - one.width
            for at, count in enumerate(one.rows, one.first):
                rows[(at >> step) - first] += count
        return Bins(width, first, tuple(rows))

    def ends(self, width: int) -> tuple[int, int]:
        """The first and the last bin in bins of 2**`width`, which is no finer."""
        step = width - self.width
        return self.first >> step, (self.first + len(self.rows) - 1) >> step


def bins(x: Array, rows: NDArray[Any] | None, low: float, high: float) -> Bins:
    """Of the finite values `x`, shape (values,), between `low` and `high`, which are among them.

    `rows`: how often each occurs, shape (values,); None: once.
    """
    if low == high:
        width = max(frexp(low)[1] - 53, _FINEST)
        total = len(x) if rows is None else int(rows.sum())
        return Bins(width, floor(ldexp(low, -width)), (total,))
    width = max(frexp(high - low)[1] - 5, _FINEST)
    while (first := floor(ldexp(low, -width))) + MOST <= floor(ldexp(high, -width)):
        width += 1
    scaled = x * 2.0**-width
    np.floor(scaled, out=scaled)
    scaled -= first
    at = scaled.astype(np.uint8)
    if rows is not None:
        return Bins(width, first, tuple(np.bincount(at, rows).astype(np.int64).tolist()))
    # A third of the time of bincount, which waits for what it has just written.
    found = [int(np.count_nonzero(at == place)) for place in range(int(at.max()) + 1)]
    return Bins(width, first, tuple(found))
