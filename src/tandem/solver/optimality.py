"""How far answers are from the conditions of Karush, Kuhn and Tucker, of all points at once."""

from collections.abc import Sequence

import numpy as np

from tandem.records import Array
from tandem.solver.objective import Penalty


def violations(
    gram: Array, xy: Array, points: Sequence[Penalty], weights: Array, vectors: Sequence[Array]
) -> Array:
    """max_j of |g_j - l1 sign w_j| where w_j != 0, of |g_j| - l1 where w_j = 0; shape (points,).

    g = c - G w - l2 w, as in `active_set.violation`, in shares of the largest number that cancels
    in it, max |c| or max |G| |w|. `weights`: shape (points, p); `vectors[g]`: eigenvectors that
    are taken as collinear at point g, shape (p, any), along which nothing counts.
    """
    l1, l2 = (np.array(of)[:, None] for of in zip(*points, strict=True))
    left = xy - weights @ gram - l2 * weights
    for point, away in enumerate(vectors):
        if away.size:
            left[point] -= away @ (away.T @ left[point])
    on = np.abs(left - l1 * np.sign(weights))
    beyond = np.where(weights != 0.0, on, np.maximum(np.abs(left) - l1, 0.0)).max(axis=1)
    cancels = (np.abs(weights) @ np.abs(gram)).max(axis=1)
    scale = np.maximum(cancels, np.max(np.abs(xy)))
    found: Array = beyond / np.where(scale > 0.0, scale, 1.0)
    return found
