"""Large arrays are worked on some rows at a time; each number is the same as alone."""

from fractions import Fraction
from operator import add, mul

import numpy as np
import pytest

from tandem.records import Array
from tandem.solver.double_double import DoubleDouble, product

Shape = tuple[int, ...]


def drawn(shape: Shape, seed: int) -> DoubleDouble:
    """Numbers with digits in both halves."""
    hi, lo = np.random.default_rng(seed).normal(size=(2, *shape))
    return DoubleDouble(hi, lo * 2.0**-54)


def halves(value: DoubleDouble) -> Array:
    """Both, along a new first axis."""
    return np.array([value.hi, value.lo])


def spread(value: DoubleDouble, shape: Shape) -> DoubleDouble:
    """The same numbers in a larger shape."""
    return DoubleDouble(np.broadcast_to(value.hi, shape), np.broadcast_to(value.lo, shape))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((300, 200), (300, 200)),
        ((300, 200), (200,)),
        ((300, 1), (1, 200)),
        ((1, 60_000), ()),
        ((60_000,), (60_000,)),
        ((3, 100, 200), (100, 200)),
        ((200, 300), (1, 300)),
    ],
)
def test_large_arrays_have_the_bits_of_their_columns(left: Shape, right: Shape) -> None:
    size = np.broadcast_shapes(left, right)
    one, other = drawn(left, 0), drawn(right, 1)
    for work in (add, mul):
        found = work(one, other)
        assert found.hi.shape == size
        for at in range(0, size[-1], size[-1] // 5):
            column = (spread(x, size)[..., at : at + 1] for x in (one, other))
            assert np.array_equal(halves(found[..., at : at + 1]), halves(work(*column)))


def test_products_of_matrices_lose_nothing() -> None:
    """Of numbers whose sizes lie far apart, against whole fractions."""
    rng = np.random.default_rng(5)
    left, right = drawn((6, 70), 1), rng.normal(size=(70, 2))
    sizes = 10.0 ** rng.integers(-9, 9, (6, 70))
    left = DoubleDouble(left.hi * sizes, left.lo * sizes)
    found = product(left, right)
    rows = [[*map(Fraction, row)] for row in left.hi.tolist()]
    lows = [[*map(Fraction, row)] for row in left.lo.tolist()]
    for i, j in np.ndindex(6, 2):
        column = [*map(Fraction, right[:, j].tolist())]
        expected = sum((a + b) * c for a, b, c in zip(rows[i], lows[i], column, strict=True))
        off = Fraction(float(found.hi[i, j])) + Fraction(float(found.lo[i, j])) - expected
        assert abs(off) <= Fraction(2) ** -100 * max(map(abs, rows[i])) * max(map(abs, column))
