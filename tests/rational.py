"""Held-out squared errors of ridge and least squares in rational numbers: no rounding at all."""

from collections.abc import Sequence
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from tandem.records import Array

_EXACT = Context(prec=80)
Column = Sequence[Fraction | None]


def held_out(
    features: Sequence[Column], y: Sequence[Fraction], folds: Sequence[int], reg_param: Fraction
) -> list[Fraction]:
    """MSE on the rows of every fold, fitted on the others; None among the cells gets their mean.

    (G + l2) w = c with l2 = reg_param / s_y, for standardised features, constants left out.
    """
    found = []
    for fold in range(max(folds) + 1):
        train = [i for i, own in enumerate(folds) if own != fold]
        test = [i for i, own in enumerate(folds) if own == fold]
        means = [mean([x[i] for i in train]) for x in features]
        middle = mean([y[i] for i in train])
        x = [[_less(cell, m) for cell in cells] for cells, m in zip(features, means, strict=True)]
        target = [cell - middle for cell in y]
        x = [cells for cells in x if any(cells[i] for i in train)]
        slopes = _fitted(
            [[cells[i] for i in train] for cells in x], [target[i] for i in train], reg_param
        )
        errors = [target[i] - dot(slopes, [cells[i] for cells in x]) for i in test]
        found.append(dot(errors, errors) / len(test))
    return found


def mean(cells: Sequence[Fraction | None]) -> Fraction:
    """Of those that are there."""
    there = [cell for cell in cells if cell is not None]
    return sum(there, Fraction()) / len(there)


def _less(cell: Fraction | None, middle: Fraction) -> Fraction:
    return Fraction() if cell is None else cell - middle


def _fitted(
    x: Sequence[Sequence[Fraction]], y: Sequence[Fraction], reg_param: Fraction
) -> list[Fraction]:
    """Slopes for centred columns."""
    rows = len(y)
    variance = dot(y, y) / rows
    deviation = Fraction(
        _EXACT.sqrt(_EXACT.divide(Decimal(variance.numerator), Decimal(variance.denominator)))
    )
    l2 = reg_param / (deviation or 1)
    system = [[dot(left, right) for right in (*x, y)] for left in x]
    for j, row in enumerate(system):
        row[j] *= 1 + l2
    return eliminated(system)


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
