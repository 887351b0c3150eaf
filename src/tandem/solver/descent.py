"""Weights near the minimiser of a lasso or elastic net, from which few steps are left to it.

Proximal gradients with momentum (Beck and Teboulle, A fast iterative shrinkage-thresholding
algorithm, SIAM J. Imaging Sciences 2, 2009), which is dropped where it leads astray (O'Donoghue and
Candes, Adaptive restart for accelerated gradient schemes, Found. Comput. Math. 15, 2015).
"""

import math

import numpy as np
from numpy.typing import NDArray

from tandem.records import Array
from tandem.solver.objective import Penalty

# Where this is too few, the active set goes on.
_STEPS = 500
_MANY_ON = 4  # features for each that is in, up to which rows of G are not picked out
_NEAR = 1e-6  # of the largest weight: a step that brings no feature in or out any more


class Descent:
    """Steps in float32, which tells the signs: half as much memory is gone through.

    `gram`: G, shape (p, p), with its `largest` eigenvalue; `xy`: c, shape (p,).
    """

    def __init__(self, gram: Array, xy: Array, largest: float) -> None:
        self._unit = float(np.max(np.abs(xy), initial=0.0)) or 1.0  # float32 ends at 1e38
        self._gram, self._xy = gram.astype(np.float32), (xy / self._unit).astype(np.float32)
        self._largest = largest

    def run(self, penalty: Penalty, start: Array) -> Array:
        """Weights that `start` leads to, shape (p,)."""
        # As Python's own numbers: numpy's would make float64 of all.
        l1, l2 = float(penalty.l1 / self._unit), float(penalty.l2)
        step, momentum = 1.0 / (self._largest + l2), 1.0
        weights = ahead = (start / self._unit).astype(np.float32)
        for _ in range(_STEPS):
            moved = ahead - step * (self._product(ahead) + l2 * ahead - self._xy)
            new = np.sign(moved) * np.maximum(np.abs(moved) - step * l1, 0.0)
            change = new - weights
            if (ahead - new) @ change > 0.0:
                momentum = 1.0
            before, momentum = momentum, (1.0 + math.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
            weights, ahead = new, new + (before - 1.0) / momentum * change
            if np.abs(change).max() <= _NEAR * np.abs(weights).max():
                break
        return weights.astype(np.float64) * self._unit

    def _product(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """G w; of few that are not 0 by their rows alone."""
        on = np.flatnonzero(weights)
        if len(on) * _MANY_ON > len(weights):
            return self._gram @ weights
        return weights[on] @ self._gram[on]
