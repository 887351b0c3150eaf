"""Centres of every column by fold, where one shift for all rows is far from a training set.

Sums of squares about a shift lose digits with the square of the distance, in deviations, from the
shift to the mean. The shift stands before the scan, by the first rows alone: those may be
fill values, or other years. So the sums say themselves whether it fits every training set. Where
it does not, the rows are summed once more, each fold about a centre of its own, and the folds are
brought to a common centre, set by set, in double-double.
"""

import numpy as np

from tandem.moments import Integers, Moments, RowVector, exact_columns
from tandem.records import Array, Mask
from tandem.solver.double_double import DoubleDouble
from tandem.solver.splits import CONSTANT

# Sum of squares about the centres over that about the mean: 1 + the squared distance in deviations.
# Up to the first number a training set keeps 14 digits, up to the second a fold's own target 11.
_NEAR, _NEAR_ALONE = 30.0, 1e4
# Above this share of the sum of squares, what is left about the mean is no rounding.
_TRUSTED = 1e-6


def centres_for(moments: Moments, vector: RowVector, whole: Mask, training: Mask) -> Array | None:
    """Centres to sum the rows about, by fold and column, shape (k, columns); the target last.

    None where those of `vector` serve: no sum was rounded, or they are near every training set.
    Columns that are near keep theirs. `whole`: columns whose centres must be whole numbers;
    `training`: shape (training sets, k), the folds of each.
    """
    gram = moments.gram
    if exact_columns(gram, vector).all():
        return None
    rows, sums = gram[:, 0, vector.there], gram[:, 0, vector.value]
    squares = gram[:, vector.value, vector.value]
    centres = np.broadcast_to(
        vector.shift if vector.centres is None else vector.centres, rows.shape
    )
    with np.errstate(all="ignore"):  # what is beyond float64 is refused elsewhere
        mean = np.divide(sums, rows, out=np.zeros_like(sums), where=rows > 0)
        within = np.maximum(squares - sums * mean, 0.0)
        far = _far(rows, squares, within, (centres - centres[0]) + mean, training)
        centre = _rounded(centres + mean, within, squares, rows, whole)
    found = np.where(far & (rows > 0), centre, centres)
    return None if np.array_equal(found, centres) else found


def _far(rows: Array, squares: Array, within: Array, mean: Array, training: Mask) -> Mask:
    """Whether a column's centres are far from a training set, or the target's from a fold."""
    far = np.zeros(rows.shape[1], dtype=bool)
    for train in training:
        of, here = rows[train], mean[train]
        middle = (of * here).sum(axis=0) / np.maximum(of.sum(axis=0), 1.0)
        scatter = within[train].sum(axis=0) + (of * (here - middle) ** 2).sum(axis=0)
        far |= squares[train].sum(axis=0) > _NEAR * scatter
    far[-1] |= bool(np.any((squares[:, -1] > _NEAR_ALONE * within[:, -1]) & (rows[:, -1] > 1)))
    return far


def _rounded(mean: Array, within: Array, squares: Array, rows: Array, whole: Mask) -> Array:
    """`mean` to a power of two near the deviation, where that is known: subtracting it is exact."""
    known = within > _TRUSTED * squares
    deviation = np.sqrt(np.divide(within, rows, out=np.ones_like(within), where=known))
    step = np.exp2(np.floor(np.log2(deviation)))
    step = np.where(whole, np.maximum(step, 1.0), step)
    rounded: Array = np.where(known | whole, np.rint(mean / step) * step, mean)
    return rounded


def moved(
    matrix: DoubleDouble, value: Integers, there: Integers, step: DoubleDouble
) -> DoubleDouble:
    """The sums of `matrix`, shape (d, d), with `step` added to each value that is there.

    `value`, `there`: shape (columns,), the places of u and o; `step`: shape (columns,), s.
    With v = u + s o: sum v v' = sum u u' + s_v sum o_v u' + (...)' + s_v s_v' sum o_v o_v'.
    """
    hi, lo = matrix.hi.copy(), matrix.lo.copy()
    added = matrix[value] + matrix[there] * step[:, None]
    hi[value], lo[value] = added.hi, added.lo
    halfway = DoubleDouble(hi, lo)
    across = halfway[:, value] + halfway[:, there] * step[None, :]
    hi[:, value], lo[:, value] = across.hi, across.lo
    return DoubleDouble(hi, lo)


def scatter(parts: DoubleDouble, at: int, centres: Array | None) -> float:
    """sum (y - mean)^2 over some parts; 0 where no more than rounding is left.

    `parts`: sums, shape (parts, d, d), of which `at` is the place of y; `centres`: shape (parts,),
    what y is summed about in each; None: about one number.
    """
    rows, total, squares = parts.hi[:, 0, 0], parts[:, 0, at], parts[:, at, at]
    if centres is not None:  # all about that of the first
        step = DoubleDouble.of(centres) - centres[:1]
        squares = squares + step * (total.scaled(2.0) + step * rows)
        total = total + step * rows
    summed, square = total.sum(axis=0), squares.sum(axis=0)
    found = float((square - summed * summed / float(rows.sum())).rounded())
    return found if found > CONSTANT * float(square.hi) else 0.0
