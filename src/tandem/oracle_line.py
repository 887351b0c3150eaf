"""The oracle's regression: the line of every grid point, by the definition of the objective.

As all of the oracle, it shares no code with the engines.
"""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from operator import mul
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tandem.settings import GridPoint

Array = NDArray[np.float64]

SETTLED = 3e8  # rounds of coordinate descent without a change of signs, times features squared


class Line(NamedTuple):
    """y = y_mean + sum_j slopes[j] * (x_j - means[j]) in raw units."""

    y_mean: Fraction
    means: list[Fraction]
    slopes: list[float]

    @property
    def intercept(self) -> float:
        """y at x = 0."""
        return float(self.y_mean - sum(map(mul, map(Fraction, self.slopes), self.means)))

    def error(self, x: Sequence[float], y: float) -> float:
        """y less what the line says; through the means, from which rounded numbers are far."""
        away = [float(Fraction(v) - middle) for v, middle in zip(x, self.means, strict=True)]
        return float(Fraction(y) - self.y_mean) - math.fsum(map(mul, self.slopes, away))


def fit(x: Sequence[Sequence[float]], y: Sequence[float], grid: Iterable[GridPoint]) -> list[Line]:
    """The line of every grid point, by z_j = (x_j - mean_j) / s_j, or 0 for a constant column."""
    n = len(y)
    y_mean, centred = centre(y)
    deviation = math.sqrt(math.fsum(map(mul, centred, centred)) / n)
    means, deviations, z = [], [], []
    for column in zip(*x, strict=True):
        middle, from_mean = centre(column)
        means.append(middle)
        s = math.sqrt(math.fsum(map(mul, from_mean, from_mean)) / n)
        deviations.append(s or math.inf)
        z.append([value / deviations[-1] for value in from_mean])
    gram = np.array([[math.fsum(map(mul, left, right)) / n for right in z] for left in z])
    xy = np.array([math.fsum(map(mul, column, centred)) / n for column in z])
    lines = []
    for point in grid:
        weights = minimise(gram, xy, point, deviation or 1.0)
        slopes = [float(w) / s for w, s in zip(weights, deviations, strict=True)]
        lines.append(Line(y_mean, means, slopes))
    return lines


def centre(values: Sequence[float]) -> tuple[Fraction, list[float]]:
    """The mean, not rounded, and the values less it."""
    middle = sum(map(Fraction, values), Fraction()) / len(values)
    return middle, [float(Fraction(value) - middle) for value in values]


def minimise(gram: Array, xy: Array, point: GridPoint, deviation: float) -> Array:
    """The w that minimises w'Gw/2 - q'w + l1 sum |w| + l2/2 sum w^2, with G = Z'Z/n, q = Z'y/n,
    l1 = reg_param * a, l2 = reg_param * (1 - a) / s_y.

    By least squares of the smallest norm; in closed form; or by cyclic coordinate descent, which
    finds the signs of w, and for known signs the minimum solves a linear system. Taken where no
    condition of Karush, Kuhn and Tucker is violated by more than 1e-13 of max |q|. `gram`: G, shape
    (p, p); `xy`: q, shape (p,); `deviation`: s_y. Raises ArithmeticError where none is found: the
    signs have settled, and the system for them is too near to a singular one.
    """
    l1 = point.reg_param * point.elastic_net_param
    l2 = point.reg_param * (1.0 - point.elastic_net_param) / deviation
    ridge: Array = gram + l2 * np.eye(len(xy))
    if l1 == 0.0:
        return np.array(np.linalg.solve(ridge, xy) if l2 else np.linalg.lstsq(gram, xy)[0])
    descent, solved, signs = np.zeros(len(xy)), np.zeros(len(xy)), np.zeros(len(xy))
    settled = 0
    while (settled := settled + 1) * len(xy) ** 2 <= SETTLED:
        if violation(gram @ solved - xy, solved, l1, l2) <= 1e-13 * max(abs(xy)):
            return solved
        for j in np.flatnonzero(gram.diagonal()):
            pull = xy[j] - gram[j] @ descent + gram[j, j] * descent[j]
            descent[j] = math.copysign(max(abs(pull) - l1, 0.0), pull) / ridge[j, j]
        if any(np.sign(descent) != signs):
            signs, solved, settled = np.sign(descent), np.zeros(len(xy)), 0
            on = np.flatnonzero(signs)
            solved[on] = np.linalg.lstsq(ridge[np.ix_(on, on)], xy[on] - l1 * signs[on])[0]
    raise ArithmeticError(f"no minimum found at {point}")


def violation(gradient: Array, weights: Array, l1: float, l2: float) -> float:
    """max_j of |g_j + l2 w_j + l1 sign w_j| where w_j != 0, and of |g_j| - l1 where w_j = 0.

    `gradient`, `weights`: shape (p,).
    """
    moved = np.abs(gradient + l2 * weights + l1 * np.sign(weights))
    return float(np.max(np.where(weights != 0.0, moved, np.abs(gradient) - l1), initial=0.0))
