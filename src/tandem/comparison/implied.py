"""The l1 penalty that a model was fitted with, by its gradients.

At the minimum sign(w_j) (g_j - l2 w_j) = l1 for every weight that is not 0, g = c - G w. What
iterations leave undone differs from weight to weight; a wrong penalty moves all of them alike, and
shows where it is far smaller than what the solver leaves of the distance to the minimum.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tandem.model_keys import GridPoint
from tandem.records import Array
from tandem.solver import Standard, penalty

# Seen of Spark ML, 45 grid points on nine tables: the mean is within 1.1 deviations of 1.
_DEVIATIONS = 10.0
# What gradients may lack alike, by what predictions may: for so few weights that their deviation
# says little.
_ALIKE = 0.002
_FEW = 4  # weights, of all training sets, that tell a deviation


class Implied(NamedTuple):
    """The mean, in shares of the penalty asked for, and how far from 1 it may be."""

    share: float
    room: float


def implied_l1(
    standards: Sequence[Standard], slopes: Array, point: GridPoint, stops: float
) -> Implied | None:
    """Over all training sets, `slopes` of shape (sets, features) in raw units; None: too few.

    `stops`: what the solver may leave of predictions, in deviations of the target.
    """
    shares, alike = [np.empty(0)], 0.0
    for standard, own in zip(standards, slopes, strict=True):
        l1, l2 = penalty(point, standard.target_deviation)
        weights = own[standard.varies] * standard.scale
        pull = standard.xy.hi - standard.xx.hi @ weights - l2 * weights
        on = weights != 0.0
        if l1 > 0.0:
            shares.append((np.sign(weights) * pull)[on] / l1)
            alike = max(alike, _ALIKE * stops * standard.target_deviation / l1)
    found = np.concatenate(shares)
    if len(found) < _FEW:
        return None
    return Implied(float(found.mean()), _DEVIATIONS * float(found.std(ddof=1)) + alike)
