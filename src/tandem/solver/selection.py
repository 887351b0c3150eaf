"""Medians of absolute errors, exact and in bounded memory, by a few scans: radix selection.

The first scan counts rows by the leading bits of their error. The bin that the median is in is
looked at again by the bits that follow, until it is a number.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.records import Array
from tandem.results import HALF
from tandem.solver.training_sets import Folding
from tandem.solver.trials import OfParts, held_out_trials

Bits = NDArray[np.uint64]
# One scan: of every fold the bins that have rows, ascending, and how often these count. Asked with
# the models of every part, the folds that they are of, and, as `scan.Bins` has them, least, most
# and shift.
Count = Callable[
    [OfParts, Sequence[Sequence[int]], Bits, Bits, int], Sequence[tuple[Bits, NDArray[Any]]]
]

# Bins of all folds that are counted at once, of 16 bytes each. Where so few rows are left, every
# number is a bin.
_MOST = 2**20


def medians(folding: Folding, slopes: Array, count: Count) -> Array:
    """The mean of the two middle ones of |e| on what folds are tested on, shape (folds,).

    The smallest up to which half of the rows stand, and the smallest up to which more do, each row
    as often as it counts. `slopes`: of the models, shape (folds, 1, p), raw units.
    """
    scheme, models = folding.scheme, held_out_trials(folding, slopes).models
    folds = [np.flatnonzero(of_part).tolist() for of_part in scheme.tested.T]
    inside = np.array(scheme.rows(folding.rows)[1], np.float64)
    halves = np.multiply.outer(HALF, inside)
    least, most = np.zeros(len(inside), np.uint64), np.full(len(inside), np.uint64(2**64 - 1))
    digits = max((_MOST // (2 * len(inside))).bit_length() - 1, 1)  # the two may be in two bins
    below, shift = np.zeros_like(inside), 64
    while shift:
        few = not folding.weighted and inside.sum() <= _MOST
        shift = 0 if few else max(shift - digits, 0)
        for fold, (bits, rows) in enumerate(count(models, folds, least, most, shift)):
            ends = below[fold] + np.cumsum(rows)
            lower, upper = halves[:, fold]
            first = np.searchsorted(ends[:-1], lower, side="left")
            last = np.searchsorted(ends[:-1], upper, side="right")
            below[fold] = ends[first] - rows[first]
            inside[fold] = ends[last] - below[fold]
            least[fold] = bits[first] << shift
            most[fold] = (bits[last] << shift) | np.uint64(2**shift - 1)
    middle: Array = np.array([least, most]).view(np.float64).mean(axis=0)
    return middle
