"""Held-out squared errors of ridge and least squares in rational numbers: no rounding at all."""

from collections.abc import Sequence
from decimal import Context, Decimal
from fractions import Fraction

from tests.problems import dot, eliminated

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
