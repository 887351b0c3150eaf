"""Sums of twice the digits: of slices as those of the numbers, of all folds but one, in blocks."""

from collections.abc import Sequence

import numpy as np

from tandem.moments import Slices, sum_of_others
from tandem.records import Array
from tandem.solver.double_double import DoubleDouble, concatenated, stacked
from tandem.splits import Splits


def joined(sums: DoubleDouble, slices: Slices | None) -> DoubleDouble:
    """Sums of [1, w, o], shape (..., k, d, width), as those of [1, u, o], w being `slices` of u."""
    if slices is None:
        return sums
    whole, shape = slices.whole, (*sums.hi.shape[:-1], len(slices.exact))
    total = DoubleDouble.of(np.zeros(shape))
    for columns, places, unit in slices.parts():
        more = total[..., columns] + sums[..., places].scaled(unit[:, None])
        total.hi[..., columns], total.lo[..., columns] = more.hi, more.lo
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


def bordered(
    gram: DoubleDouble, rows: DoubleDouble, corner: Sequence[Sequence[DoubleDouble]]
) -> DoubleDouble:
    """[[gram, rows'], [rows, corner]]; `corner`: its rows of blocks, up to the diagonal."""
    lower, begin = [[gram]], 0
    for row in corner:
        end = begin + len(row[-1].hi)
        lower.append([rows[begin:end], *row])
        begin = end
    return DoubleDouble(
        *(_framed([[getattr(one, half) for one in row] for row in lower]) for half in ("hi", "lo"))
    )


def _framed(lower: Sequence[Sequence[Array]]) -> Array:
    ends = np.cumsum([len(row[-1]) for row in lower]).tolist()
    spans = [slice(end - len(row[-1]), end) for end, row in zip(ends, lower, strict=True)]
    whole = np.empty((ends[-1], ends[-1]))
    for down, row in zip(spans, lower, strict=True):
        for across, one in zip(spans, row, strict=False):
            whole[down, across] = one
            if across is not down:
                whole[across, down] = one.T
    return whole
