"""Features that follow from others exactly, told by sums that were not rounded.

Sums of whole numbers are exact, also where those of other columns are not: so is a relation among
them (a time is 100 times its hour and its minute; a city tells its country). Along such a direction
v, |v| = 1, G v = 0 and c'v = 0, but for the rounding of the other columns' sums. A small penalty
would show that, and nothing else of it: without it, the answer has the digits of all the others.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tandem.moments import EXACT, Integers, Moments, RowVector, exact_columns
from tandem.records import Array, Mask
from tandem.solver.active_set import EPSILON
from tandem.solver.double_double import DoubleDouble, product
from tandem.solver.positive import APART, largest_of
from tandem.solver.splits import Normal, twice_the_digits
from tandem.solver.standard import Standard, least_pivot
from tandem.solver.system import SHOWS


def whole_features(
    moments: Moments, vector: RowVector, places: Integers, encoded: Mapping[int, object]
) -> Mask:
    """Whether no sum of a feature with another such one was rounded, shape (p,).

    `places`: of every feature its column, by position among [numeric features, categories];
    `encoded`: the categories that are encoded by the target.
    """
    if vector.exact:  # the moments are of slices
        return np.ones(len(places), dtype=bool)
    exact = exact_columns(moments.gram, vector)[:-1]
    exact[[*vector.imputed]] = False  # the mean that stands for a missing value is none
    rows = moments.rows.sum()
    levels = np.array([len(category.levels) for category in moments.categories], dtype=np.float64)
    indices = levels**2 * rows < EXACT
    indices[[*encoded]] = False
    found: Mask = np.append(exact, indices)[places] & (moments.tally is None)
    return found


def freed(standard: Standard, train: Normal, l2: float) -> Standard:
    """P G P and P c in place of G and c, P = 1 - N N' with N the directions of no variance.

    They are those among the features `train.whole` that twice the digits confirm. `standard`, of
    `train`, as it is where there are none, where it is exact or too large to have the digits, or
    where a ridge of `l2` lets nothing show.
    """
    gram, on = standard.xx, np.flatnonzero(train.whole[standard.varies])
    if train.exact or len(on) < 2 or not twice_the_digits(train.whole):
        return standard
    if l2 * SHOWS > EPSILON * np.abs(gram.hi).sum(axis=0).max():
        return standard
    least = least_pivot(train.rows, len(gram.hi))
    directions = _without_variance(gram[np.ix_(on, on)], least)
    null = np.zeros((len(gram.hi), directions.shape[1]))
    null[on] = directions
    if not null.size:
        return standard
    xx = _beside(_beside(gram, null).transposed(), null)
    xy = _beside(standard.xy[None, :], null)[0]
    return replace(standard, xx=xx, xy=xy, rank=replace(standard.rank, null=null))


def _beside(rows: DoubleDouble, null: Array) -> DoubleDouble:
    """`rows` P, shape (m, q), with `null` for N."""
    return rows - product(product(rows, null), null.T)


def _without_variance(gram: DoubleDouble, least: float) -> Array:
    """An orthonormal basis of {w: G w = 0}, shape (p, dimensions); none where that is in doubt."""
    values, vectors = np.linalg.eigh(gram.hi)
    small = int(np.count_nonzero(values * APART <= values[-1]))
    if small and largest_of(gram, values, vectors, small) > least:
        small = 0
    found: Array = vectors[:, :small]
    return found
