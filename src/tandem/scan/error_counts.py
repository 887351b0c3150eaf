"""How often rows count whose absolute error is in each of some bins: one more scan.

Read as whole numbers, the bits of the floating-point numbers from 0 on are in the order of the
numbers. A bin is all numbers with the same leading bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.moments import Batch, RowVector, Workplace
from tandem.records import Array
from tandem.scan.error_sums import Models, used_rows

Bits = NDArray[np.uint64]
# Of every fold the bins that have rows, ascending, and how often these count; of shape (bins,).
Counted = tuple[tuple[Bits, Array], ...]


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
    """How often the rows of `batch` in each of its `bins` count, of every fold, by |e| under the
    first point of its models.
    """
    found: list[list[Bits]] = [[np.empty(0, np.uint64)] for _ in bins.least]
    weights: list[list[Array]] = [[] for _ in bins.least]  # where rows have some
    counts = used_rows(batch)
    used = counts > 0.0
    for part, number, rows, errors in models.errors(batch, vector, work):
        fold = bins.folds[part][number]
        bits = np.abs(errors[0, used[rows]]).view(np.uint64)
        inside = (bits >= bins.least[fold]) & (bits <= bins.most[fold])
        found[fold].append(bits[inside] >> bins.shift)
        if batch.weights is not None:
            weights[fold].append(counts[rows][used[rows]][inside])
    return tuple(map(_binned, found, weights))


def added(one: Counted, other: Counted) -> Counted:
    """The rows of both."""
    return tuple(_merged(*pair) for pair in zip(one, other, strict=True))


def _binned(bits: Sequence[Bits], weights: Sequence[Array]) -> tuple[Bits, Array]:
    if weights:
        return _summed(np.concatenate(bits), np.concatenate(weights))
    found, rows = np.unique(np.concatenate(bits), return_counts=True)
    return found, rows.astype(np.float64)


def _merged(one: tuple[Bits, Array], other: tuple[Bits, Array]) -> tuple[Bits, Array]:
    return _summed(np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]]))


def _summed(bits: Bits, counts: Array) -> tuple[Bits, Array]:
    found, places = np.unique(bits, return_inverse=True)
    return found, np.bincount(places, counts, len(found)).astype(np.float64, copy=False)
