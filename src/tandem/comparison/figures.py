"""One figure that differs, and what it may differ by."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tandem.model_keys import GridPoint
from tandem.records import Array
from tandem.scores import largest_relative_difference

_SINGULAR = 1e-7  # smallest singular value of standardised columns that are not collinear


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of one figure at the place where it is the largest part of what is allowed.

    `absolute` and `relative` are the largest anywhere, `share` = difference / allowed at `where`.
    """

    what: str
    where: str
    absolute: float
    relative: float
    share: float


def largest(
    what: str, ours: Array, theirs: Array, allowed: Array, grid: tuple[GridPoint, ...]
) -> Difference:
    """Of a figure by fold and grid point; all arrays have shape (folds, points)."""
    difference = apart(ours, theirs)
    shares = share(difference, allowed)
    fold, index = np.unravel_index(np.argmax(shares), shares.shape)
    point = grid[index]
    where = (
        f"fold {fold}, reg_param={point.reg_param:g}, elastic_net_param={point.elastic_net_param:g}"
    )
    relative = largest_relative_difference(ours, theirs)
    return Difference(what, where, float(difference.max()), relative, float(shares.max()))


def single(what: str, where: str, ours: float, theirs: float, allowed: float) -> Difference:
    """Of one figure."""
    one, other, room = (np.array([value]) for value in (ours, theirs, allowed))
    difference = apart(one, other)
    relative = largest_relative_difference(one, other)
    return Difference(
        what, where, float(difference[0]), relative, float(share(difference, room)[0])
    )


def apart(left: Array, right: Array) -> Array:
    """|left - right|; 0 where both are NaN, infinite where one is."""
    both = np.isnan(left) & np.isnan(right)
    return np.where(both, 0.0, np.nan_to_num(np.abs(left - right), nan=np.inf))


def share(difference: Array, allowed: Array) -> Array:
    """difference / allowed; where nothing is allowed 0 or infinite."""
    exact = np.where(difference > 0, np.inf, 0.0)
    return np.where(allowed > 0, difference / np.where(allowed > 0, allowed, 1.0), exact)


def near(left: ArrayLike, right: ArrayLike, share: float) -> bool:
    """Whether both have the same shape, and numbers that differ by `share` of them at most."""
    return np.shape(left) == np.shape(right) and np.allclose(left, right, rtol=share, atol=0.0)


def smallest_singular_value(columns: Array, deviations: Array) -> float:
    """Of the standardised columns (features, rows) that are not constant; 0 if collinear."""
    moving = deviations > 0
    if not moving.any():
        return 1.0
    centred = columns[moving] - columns[moving].mean(axis=1, keepdims=True)
    z = centred / (deviations[moving, None] * np.sqrt(columns.shape[1]))
    smallest = float(np.sqrt(max(np.linalg.eigvalsh(z @ z.T)[0], 0.0)))
    return smallest if smallest > _SINGULAR else 0.0
