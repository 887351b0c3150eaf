"""How many rows have an absolute error in each of some bins: one more scan.

Read as whole numbers, the bits of the floating-point numbers from 0 on are in the order of the
numbers. A bin is all numbers with the same leading bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.moments import Batch, Integers, RowVector, Workplace
from tandem.scan.error_sums import Models, used_rows

Bits = NDArray[np.uint64]
# Of every fold the bins that have rows, ascending, and how many; both of shape (bins,).
Counted = tuple[tuple[Bits, Integers], ...]


@dataclass(frozen=True, slots=True)
class Bins:
    """What is counted of every fold: errors whose bits are from `least` to `most`, shape (folds,),
    by their bits without the last `shift`. `folds[part]`: the fold that each model of a part is of.
    """

    folds: Sequence[Sequence[int]]
    least: Bits
    most: Bits
    shift: int


def error_counts(
    batch: Batch, vector: RowVector, work: Workplace, models: Models, bins: Bins
) -> Counted:
    """How many used rows of `batch` every fold has in each of its `bins`, by |e| under the first
    point of its models.
    """
    found: list[list[Bits]] = [[np.empty(0, np.uint64)] for _ in bins.least]
    used = used_rows(batch) > 0.0
    for part, number, rows, errors in models.errors(batch, vector, work):
        fold = bins.folds[part][number]
        bits = np.abs(errors[0, used[rows]]).view(np.uint64)
        inside = (bits >= bins.least[fold]) & (bits <= bins.most[fold])
        found[fold].append(bits[inside] >> bins.shift)
    return tuple(np.unique(np.concatenate(some), return_counts=True) for some in found)


def added(one: Counted, other: Counted) -> Counted:
    """The rows of both."""
    return tuple(_merged(*pair) for pair in zip(one, other, strict=True))


def _merged(one: tuple[Bits, Integers], other: tuple[Bits, Integers]) -> tuple[Bits, Integers]:
    bits, places = np.unique(np.concatenate([one[0], other[0]]), return_inverse=True)
    rows = np.zeros(len(bits), dtype=np.int64)
    np.add.at(rows, places, np.concatenate([one[1], other[1]]))
    return bits, rows
