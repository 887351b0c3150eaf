"""One training set and what is held out of it: the sums that everything is solved from."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.moments import Integers
from tandem.records import Array, Mask
from tandem.solver.double_double import DoubleDouble

# A column is constant where its range is 0. About centres that are near, its sums are then exactly
# 0, or whole numbers whose variance is 0 but for double-double's own rounding: below this share of
# the mean square. The variance of whole numbers that vary is above 1e-17 of it.
CONSTANT = 1e-28
# Features up to which sums that were rounded anyway are kept in double-double; up to the second
# number where relations among some of them may be told.
FEW, _RELATED = 200, 400


def twice_the_digits(whole: Mask) -> bool:
    """Whether sums of features, of which those between `whole` are exact, are in double-double."""
    return len(whole) <= (_RELATED if np.count_nonzero(whole) > 1 else FEW)


@dataclass(frozen=True, slots=True)
class Normal:
    """Sums over rows of (z - centre)(z - centre)', z = [features, target] after cleaning.

    `rows`: how many, each as often as it counts.
    `gram`: shape (p + 1, p + 1), centred at the means of the training set, in raw units; `squares`:
    shape (p + 1,), of every z, about what its rows were summed about, which is what rounding is a
    share of; `exact`: they were summed without rounding; `whole`: shape (p,), features whose sums
    with each other were; `sets`: features of which one is 1 in every row, the others 0.
    """

    rows: float
    gram: DoubleDouble
    squares: Array
    exact: bool
    whole: Mask
    sets: tuple[slice, ...] = ()


@dataclass(frozen=True, slots=True)
class Split:
    """One training set with its fitted cleaning, and the rows that are held out of it (or None).

    `sst`: of the target about its mean, held-out rows, squared units; `shift`: shape (columns,),
    what the sums are about, near the means, in units of the row vector; `centre`: shape (p + 1,),
    means of [features, target] over the training set, after cleaning, raw units; `means`: shape
    (numeric,), of every numeric feature where it is there, raw units; `tables`: of each category,
    shape (levels,), kappa less its offset, of shape (C,) in `offsets`, or which of its 0/1 features
    is 1; `orders`: of each, shape (seen,), positions of its levels by index; `encodings`: of those
    that are encoded by the target, by position, kappa of every index, then of an unseen level;
    `spans`: of every column of the regression, where its features stand among all p; `sets`: of the
    categories that are 0/1 features, by position.
    """

    train: Normal
    test: Normal | None
    sst: float
    shift: Array
    centre: DoubleDouble
    means: DoubleDouble
    tables: tuple[Array | NDArray[np.int32], ...]
    offsets: Array
    encodings: Mapping[int, tuple[float, ...]]
    orders: tuple[Integers, ...]
    spans: tuple[slice, ...]
    sets: Mapping[int, slice]
