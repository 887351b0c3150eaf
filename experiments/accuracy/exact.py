"""Least squares in rational numbers: no rounding at all; and how many digits of it others have."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tandem.records import Array


def least_squares(columns: Sequence[Sequence[Any]], target: Sequence[Any]) -> list[Fraction]:
    """Intercept and slopes by the normal equations in rational numbers: no rounding at all."""
    rows = len(target)
    exact = [[Fraction(value) for value in column] for column in (*columns, target)]
    means = [sum(column, Fraction()) / rows for column in exact]
    centred = [[v - m for v in column] for column, m in zip(exact, means, strict=True)]
    *features, y = centred
    system = [[dot(left, right) for right in (*features, y)] for left in features]
    slopes = eliminated(system)
    return [means[-1] - dot(slopes, means[:-1]), *slopes]


def dot(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction())


def eliminated(system: list[list[Fraction]]) -> list[Fraction]:
    """x of [A | b], A positive definite."""
    size = len(system)
    for i in range(size):
        for k in range(i + 1, size):
            factor = system[k][i] / system[i][i]
            system[k] = [a - factor * b for a, b in zip(system[k], system[i], strict=True)]
    x = [Fraction()] * size
    for i in reversed(range(size)):
        x[i] = (system[i][size] - dot(system[i][i + 1 : size], x[i + 1 :])) / system[i][i]
    return x


def digits(found: Sequence[float] | Array, truth: Sequence[Any] | Array, most: float = 15) -> float:
    """LRE = -log10 of the largest relative error, from 0 to `most`; absolute where it is 0."""
    pairs = zip(found, truth, strict=True)
    if not np.all(np.isfinite(found)):
        return 0.0
    error = max(abs((Fraction(a) - Fraction(b)) / (Fraction(b) or 1)) for a, b in pairs)
    return most if error < 10.0**-most else max(0.0, -float(np.log10(float(error))))
