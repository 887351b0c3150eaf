"""Least squares in rational numbers: no rounding at all; and how many digits of it others have."""

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from itertools import compress
from operator import mul
from typing import Any

import numpy as np

from tandem.records import Array

_EXACT = Context(prec=80)


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


def held_out(
    features: Sequence[Sequence[float]], y: Sequence[float], folds: Sequence[int]
) -> list[Fraction]:
    """MSE on the rows of every fold of least squares on the others."""
    parts = [sums(features, y, [own == fold for own in folds]) for fold in range(max(folds) + 1)]
    lines = [elastic_net(added(p for p in parts if p is not test)) for test in parts]
    return [mean_square(test, line) for test, line in zip(parts, lines, strict=True)]


def sums(
    features: Sequence[Sequence[float]], y: Sequence[float], rows: Sequence[bool]
) -> list[list[Fraction]]:
    """Of the products of any two of 1, the features and y, over some rows, in whole numbers."""
    columns, units = [[1] * sum(rows)], [1]
    for values in (*features, y):
        pairs = [value.as_integer_ratio() for value in compress(values, rows)]
        units.append(max(below for _, below in pairs))  # a power of two
        columns.append([above * (units[-1] // below) for above, below in pairs])
    return [
        [Fraction(sum(map(mul, a, b)), one * two) for b, two in zip(columns, units, strict=True)]
        for a, one in zip(columns, units, strict=True)
    ]


def added(parts: Iterable[list[list[Fraction]]]) -> list[list[Fraction]]:
    """The sums of all rows of the parts."""
    return [[sum(cells, Fraction()) for cells in zip(*rows, strict=True)]
            for rows in zip(*parts, strict=True)]  # fmt: skip


def elastic_net(
    of: list[list[Fraction]],
    reg_param: float = 0.0,
    ratio: float = 0.0,
    signs: Sequence[float] | None = None,
) -> list[Fraction]:
    """Intercept and slopes from `sums` of rows; of a constant 0. Standard deviations to 80 digits.

    `signs`: of the slopes, where ratio is above 0. That they are those of the minimum is proved by
    the conditions of Karush, Kuhn and Tucker.
    """
    rows, last = of[0][0], len(of) - 1
    gram = [[(of[i][j] - of[0][i] * of[0][j] / rows) / rows for j in range(last + 1)]
            for i in range(last + 1)]  # fmt: skip
    deviation = [_root(gram[j][j]) for j in range(last + 1)]
    l1 = Fraction(reg_param) * Fraction(ratio)
    l2 = Fraction(reg_param) * (1 - Fraction(ratio)) / (deviation[last] or 1)
    signs = [0, *(signs or [0] * (last - 1)), 0]
    pull = [l1 * s * int(np.sign(sign)) for s, sign in zip(deviation, signs, strict=True)]
    active = [j for j in range(1, last) if deviation[j] and (pull[j] or not l1)]
    system = [[*(gram[i][j] + (l2 * deviation[i] ** 2 if i == j else 0) for j in active),
               gram[i][last] - pull[i]] for i in active]  # fmt: skip
    slopes = [Fraction()] * (last + 1)
    for j, slope in zip(active, eliminated(system), strict=True):
        slopes[j] = slope
        assert slope * pull[j] >= 0
    for j in {*range(1, last)} - {*active}:
        assert abs(gram[j][last] - dot(gram[j], slopes)) <= l1 * deviation[j]
    return [(of[0][last] - dot(of[0], slopes)) / rows, *slopes[1:last]]


def mean_square(of: list[list[Fraction]], line: Sequence[Fraction]) -> Fraction:
    """Of the errors of intercept and slopes on rows that have these `sums`."""
    error = [*(-term for term in line), Fraction(1)]
    return dot(error, [dot(error, row) for row in of]) / of[0][0]


def _root(square: Fraction) -> Fraction:
    above, below = Decimal(square.numerator), Decimal(square.denominator)
    return Fraction(_EXACT.sqrt(_EXACT.divide(above, below)))


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
