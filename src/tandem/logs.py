"""Models of the logarithm of a target, in the target's own unit."""

import numpy as np

from tandem.records import Array


def in_unit(residual: Array, log: Array) -> Array:
    """y - exp(log y - residual) = y (1 - exp(-residual)), of y = exp(`log`); shapes broadcast."""
    with np.errstate(over="ignore"):
        found: Array = -np.exp(log) * np.expm1(-residual)
    return found
