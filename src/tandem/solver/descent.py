"""Weights near the minimiser of a lasso or elastic net, from which few steps are left to it.

Proximal gradients with momentum (Beck and Teboulle, A fast iterative shrinkage-thresholding
algorithm, SIAM J. Imaging Sciences 2, 2009), which is dropped where it leads astray (O'Donoghue and
Candes, Adaptive restart for accelerated gradient schemes, Found. Comput. Math. 15, 2015).
"""

import numpy as np

from tandem.records import Array
from tandem.solver.objective import Penalty

# Where this is too few, the active set goes on.
_STEPS = 500
_MANY_ON = 4  # features for each that is in, up to which rows of G are not picked out
_NEAR = 1e-6  # of the largest weight: a step that brings no feature in or out any more


def descend(gram: Array, xy: Array, penalty: Penalty, largest: float, start: Array) -> Array:
    """Weights that `start` leads to, shape (p,).

    `gram`: G, shape (p, p), with its `largest` eigenvalue; `xy`: c, shape (p,).
    """
    l1, l2 = penalty
    step, momentum = 1.0 / (largest + l2), 1.0
    weights = ahead = start
    for _ in range(_STEPS):
        on = np.flatnonzero(ahead)
        product = gram @ ahead if len(on) * _MANY_ON > len(xy) else ahead[on] @ gram[on]
        moved = ahead - step * (product + l2 * ahead - xy)
        new = np.sign(moved) * np.maximum(np.abs(moved) - step * l1, 0.0)
        change = new - weights
        if (ahead - new) @ change > 0.0:
            momentum = 1.0
        before, momentum = momentum, (1.0 + np.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
        weights, ahead = new, new + (before - 1.0) / momentum * change
        if np.abs(change).max() <= _NEAR * np.abs(weights).max():
            break
    return weights
