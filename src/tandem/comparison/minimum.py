"""How far models are from the minimum of the objective, by the sums of a training set."""

import numpy as np

from tandem.records import Array
from tandem.solver import Normal, Penalty, Standard


def duality_gap(standard: Standard, weights: Array, point: Penalty) -> float:
    """What `weights` may lack of the minimum at most, in shares of y'y/n: primal less dual.

    With r = y - Zw: the dual point is r scaled by min(1, l1 / max |Z'r/n - l2 w|).
    """
    l1, l2 = point
    gram, xy, yy = standard.xx.hi, standard.xy.hi, standard.yy
    pull = xy - gram @ weights
    rest = yy - xy @ weights - pull @ weights
    beyond = float(np.max(np.abs(pull - l2 * weights), initial=0.0))
    scale = min(1.0, l1 / beyond) if beyond else 1.0
    size = weights @ weights
    gap = (
        0.5 * (1.0 + scale**2) * (rest + l2 * size)
        + l1 * np.abs(weights).sum()
        - scale * (yy - xy @ weights)
    )
    return float(gap) / (yy or 1.0)


def left_over(standard: Standard, weights: Array, point: Penalty) -> float:
    """The largest |g_j - l1 sign w_j| where w_j != 0, or |g_j| - l1 elsewhere; g = c - (G + l2) w.

    In shares of the largest number that cancels in it.
    """
    gram = standard.xx.hi
    pull = standard.xy.hi - gram @ weights - point.l2 * weights
    on = np.abs(pull - point.l1 * np.sign(weights))
    beyond = np.where(weights == 0.0, np.maximum(np.abs(pull) - point.l1, 0.0), on)
    cancels = np.abs(standard.xy.hi) + np.abs(gram) @ np.abs(weights)
    return float(np.max(beyond, initial=0.0) / (np.max(cancels, initial=0.0) or 1.0))


def deviations(train: Normal) -> Array:
    """Of every feature, then of the target, in raw units, shape (p + 1,)."""
    found: Array = np.sqrt(np.maximum(train.gram.hi.diagonal() / train.rows, 0.0))
    return found


def distance(standard: Standard, slopes: Array, minimum: Array) -> Array:
    """|Z (w - w*)| / sqrt(n), in deviations of the target, shape (points,)."""
    step = (slopes - minimum)[:, standard.varies] * standard.scale
    squares = np.sum(step @ standard.xx.hi * step, axis=1)
    found: Array = np.sqrt(np.maximum(squares, 0.0)) / standard.target_deviation
    return found
