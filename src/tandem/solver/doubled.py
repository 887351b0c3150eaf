"""Sums of twice the digits: of slices as those of the numbers, of all folds but one, in blocks."""

import numpy as np

from tandem.moments import Slices, sum_of_others
from tandem.solver.double_double import DoubleDouble, concatenated, stacked
from tandem.splits import Splits


def joined(sums: DoubleDouble, slices: Slices | None) -> DoubleDouble:
    """Sums of [1, w, o], shape (..., k, d, width), as those of [1, u, o], w being `slices` of u."""
    if slices is None:
        return sums
    whole = slices.whole
    at = whole.value.reshape(-1, slices.count)
    total = sums[..., at[:, -1]].scaled(slices.unit(slices.count - 1)[:, None])
    for number in reversed(range(slices.count - 1)):
        total = total + sums[..., at[:, number]].scaled(slices.unit(number)[:, None])
    indicators = slice(1 + whole.numeric, whole.width - 1)
    return concatenated(sums[..., :1], total[..., :-1], sums[..., indicators], total[..., -1:])


def training_sums(parts: DoubleDouble, splits: Splits) -> DoubleDouble:
    """The sum of the parts of every training set; in float64 where the parts are no more."""
    if np.any(parts.lo):
        return stacked([parts[members].sum(axis=0) for members in splits.training])
    if not splits.all_others:
        return DoubleDouble.of(splits.sums(parts.hi))
    others = sum_of_others(parts.hi)
    whole = DoubleDouble.of(others[0]) + DoubleDouble.of(parts.hi[0])
    return stacked([*(DoubleDouble.of(one) for one in others), whole])


def block(gram: DoubleDouble, rows: DoubleDouble, corner: DoubleDouble) -> DoubleDouble:
    """[[gram, rows'], [rows, corner]]."""
    halves = zip((gram.hi, gram.lo), (rows.hi, rows.lo), (corner.hi, corner.lo), strict=True)
    return DoubleDouble(*(np.block([[a, b.T], [b, c]]) for a, b, c in halves))
