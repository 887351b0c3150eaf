"""The oracle's sums and regression: the line of every grid point, by the objective's definition.

As all of the oracle, it shares no code with the engines.
"""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import accumulate
from operator import mul
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tandem.model_keys import GridPoint

Array = NDArray[np.float64]

STEPS = 20  # of the search for signs, times the number of features


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


def fit(
    x: Sequence[Sequence[float]],
    y: Sequence[float],
    grid: Iterable[GridPoint],
    weights: Sequence[Fraction],
) -> list[Line]:
    """The line of every grid point, by z_j = (x_j - mean_j) / s_j, or 0 for a constant column.

    `weights`: how often each row counts.
    """
    n, v = float(sum(weights)), [float(weight) for weight in weights]
    y_mean, centred = centre(y, weights)
    deviation = math.sqrt(math.fsum(map(mul, v, map(mul, centred, centred))) / n)
    means, deviations, z = [], [], []
    for column in zip(*x, strict=True):
        middle, from_mean = centre(column, weights)
        means.append(middle)
        s = math.sqrt(math.fsum(map(mul, v, map(mul, from_mean, from_mean))) / n)
        deviations.append(s or math.inf)
        z.append([value / deviations[-1] for value in from_mean])
    weighed = [[*map(mul, v, column)] for column in z]
    gram = np.array([[math.fsum(map(mul, left, right)) / n for right in z] for left in weighed])
    xy = np.array([math.fsum(map(mul, column, centred)) / n for column in weighed])
    lines = []
    for point in grid:
        found = minimise(gram, xy, point, deviation or 1.0)
        slopes = [float(w) / s for w, s in zip(found, deviations, strict=True)]
        lines.append(Line(y_mean, means, slopes))
    return lines


def weighed(values: Iterable[float], weights: Iterable[Fraction]) -> float:
    """The sum of `values`, each as often as it counts."""
    return math.fsum(map(mul, values, map(float, weights)))


def median(values: Iterable[float], weights: Iterable[Fraction]) -> float:
    """The middle one, each as often as it counts; the mean of two where half stand below each."""
    ordered, counts = zip(*sorted(zip(values, weights, strict=True)), strict=True)
    half, ends = sum(counts) / 2, [*accumulate(counts)]
    lower = next(value for value, end in zip(ordered, ends, strict=True) if end >= half)
    upper = next(value for value, end in zip(ordered, ends, strict=True) if end > half)
    return float((lower + upper) / 2)


def mean(values: Sequence[float], weights: Sequence[Fraction]) -> float:
    """sum / n, within the values' range: rounding does not make the mean of equals another."""
    middle = weighed(values, weights) / float(sum(weights))
    return min(max(middle, min(values)), max(values))


def total_of(cells: Iterable[str], values: Iterable[Fraction]) -> dict[str, Fraction]:
    """The sum of the `values` of every category."""
    sums: dict[str, Fraction] = {}
    for cell, value in zip(cells, values, strict=True):
        sums[cell] = sums.get(cell, Fraction()) + value
    return sums


def target_means(
    cells: Sequence[str], y: Sequence[Fraction], weights: Sequence[Fraction], smoothing: Fraction
) -> tuple[dict[str, float], float]:
    """The smoothed mean target of every category, and the mean of all rows; `y`: weighed."""
    middle = sum(y, Fraction()) / sum(weights)
    rows = total_of(cells, weights)
    return {
        cell: float((total + smoothing * middle) / (rows[cell] + smoothing))
        for cell, total in total_of(cells, y).items()
    }, float(middle)


def centre(values: Sequence[float], weights: Sequence[Fraction]) -> tuple[Fraction, list[float]]:
    """The mean, not rounded, and the values less it."""
    middle = sum(map(mul, map(Fraction, values), weights), Fraction()) / sum(weights)
    return middle, [float(Fraction(value) - middle) for value in values]


def minimise(gram: Array, xy: Array, point: GridPoint, deviation: float) -> Array:
    """The w that minimises w'Gw/2 - q'w + l1 sum |w| + l2/2 sum w^2, with G = Z'Z/n, q = Z'y/n,
    l1 = reg_param * a, l2 = reg_param * (1 - a) / s_y.

    By least squares of the smallest norm; in closed form; or by feature-sign search: for known
    signs of w the minimum solves a linear system, and on the way to it a weight that reaches 0
    leaves; where all stand, the one that pulls hardest enters (H. Lee et al., Efficient sparse
    coding algorithms, 2007). Taken where no condition of Karush, Kuhn and Tucker is violated by
    more than 1e-13 of max |q|. `gram`: G, shape (p, p); `xy`: q, shape (p,); `deviation`: s_y.
    Raises ArithmeticError where none is found: the systems are too near to singular ones.
    """
    l1 = point.reg_param * point.elastic_net_param
    l2 = point.reg_param * (1.0 - point.elastic_net_param) / deviation
    ridge: Array = gram + l2 * np.eye(len(xy))
    if l1 == 0.0:
        return np.array(np.linalg.solve(ridge, xy) if l2 else np.linalg.lstsq(gram, xy)[0])
    weights, signs = np.zeros(len(xy)), np.zeros(len(xy))
    small = 1e-13 * max(abs(xy))
    for _ in range(STEPS * (1 + len(xy))):
        gradient = gram @ weights - xy
        if violation(gradient, weights, l1, l2) <= small:
            return weights
        pull = np.where((signs == 0.0) & (gram.diagonal() > 0.0), np.abs(gradient), 0.0)
        if np.all(np.abs(gradient + l2 * weights + l1 * signs)[signs != 0.0] <= small):
            signs[np.argmax(pull)] = -np.sign(gradient[np.argmax(pull)])
        on = np.flatnonzero(signs)
        right = xy[on] - l1 * signs[on]
        nearer = towards(ridge[np.ix_(on, on)], right, weights[on], signs[on])
        if np.array_equal(nearer, weights[on]):
            break
        weights[on], signs[on] = nearer, np.sign(nearer)
    raise ArithmeticError(f"no minimum found at {point}")


def towards(matrix: Array, right: Array, start: Array, signs: Array) -> Array:
    """From `start` towards A x = b, as far as no x_j leaves its sign; x_j = 0 where one would.

    Where A is singular and no x solves it, along what of b no A x has: the objective falls there
    without an end. `matrix`: A, shape (k, k); `right`: b, `start`, `signs`: shape (k,).
    """
    end: Array = np.array(np.linalg.lstsq(matrix, right)[0])
    beyond = right - matrix @ end
    endless = max(abs(beyond)) > 1e-13 * max(abs(right) + abs(matrix) @ abs(end))
    step = beyond if endless else end - start
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.where(step * signs < 0.0, -start / step, np.inf)
    first = np.argmin(reach)
    if reach[first] > 1.0 and not endless:
        return end
    reached: Array = start + reach[first] * step
    reached[first] = 0.0
    return reached


def violation(gradient: Array, weights: Array, l1: float, l2: float) -> float:
    """max_j of |g_j + l2 w_j + l1 sign w_j| where w_j != 0, and of |g_j| - l1 where w_j = 0.

    `gradient`, `weights`: shape (p,).
    """
    moved = np.abs(gradient + l2 * weights + l1 * np.sign(weights))
    return float(np.max(np.where(weights != 0.0, moved, np.abs(gradient) - l1), initial=0.0))
