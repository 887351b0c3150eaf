"""Numbers of twice the digits: unevaluated sums hi + lo of two float64, elementwise over arrays.

Sums and products are exact to about 2**-104 relative, on any machine (no 80-bit registers needed).
Source: Dekker 1971 (split, product), Knuth (sum), as in Hida, Li and Bailey's QD library.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from tandem.records import Array

_SPLITTER = 134_217_729.0  # 2**27 + 1: cuts 53 bits into two halves whose products are exact
_AT_ONCE = 2**14  # numbers whose intermediate results stay in the cache

Halves = tuple[Array, Array]


@dataclass(frozen=True, slots=True)
class DoubleDouble:
    """hi + lo with |lo| <= ulp(hi) / 2; both arrays of one shape, which broadcasts as numpy's."""

    hi: Array
    lo: Array

    # numpy then leaves `array * value` to the operators below
    __array_ufunc__ = None

    @classmethod
    def of(cls, values: Any) -> Self:
        """Plain float64 numbers."""
        hi = np.asarray(values, dtype=np.float64)
        return cls(hi, np.zeros(hi.shape))  # of a large one nothing is touched yet

    def __add__(self, other: "DoubleDouble | Array | float") -> "DoubleDouble":
        return _by_rows(_sum, self, _lifted(other))

    def __neg__(self) -> "DoubleDouble":
        return DoubleDouble(-self.hi, -self.lo)

    def __sub__(self, other: "DoubleDouble | Array | float") -> "DoubleDouble":
        return self + -_lifted(other)

    def __mul__(self, other: "DoubleDouble | Array | float") -> "DoubleDouble":
        return _by_rows(_product, self, _lifted(other))

    def __truediv__(self, other: "DoubleDouble | Array | float") -> "DoubleDouble":
        right = _lifted(other)
        first = self.hi / right.hi
        rest = self - right * first
        second = rest.hi / right.hi
        rest = rest - right * second
        return DoubleDouble(*_quick_sum(first, second)) + rest.hi / right.hi

    def __getitem__(self, index: Any) -> "DoubleDouble":
        return DoubleDouble(self.hi[index], self.lo[index])

    def sum(self, axis: int) -> "DoubleDouble":
        """The sum along `axis`, by halves."""
        rest = DoubleDouble(np.moveaxis(self.hi, axis, 0), np.moveaxis(self.lo, axis, 0))
        while (size := len(rest.hi)) > 1:
            half = size // 2
            summed = rest[:half] + rest[half : 2 * half]
            odd = rest[2 * half :]
            rest = DoubleDouble(
                np.concatenate([summed.hi, odd.hi]), np.concatenate([summed.lo, odd.lo])
            )
        return rest[0] if len(rest.hi) else DoubleDouble.of(np.zeros(rest.hi.shape[1:]))

    def rounded(self) -> Array:
        """The nearest float64."""
        total: Array = self.hi + self.lo
        return total

    def scaled(self, power: Array | float) -> "DoubleDouble":
        """Times powers of two, which rounds nothing."""
        return DoubleDouble(self.hi * power, self.lo * power)

    def transposed(self) -> "DoubleDouble":
        """With the last two axes exchanged."""
        return DoubleDouble(self.hi.swapaxes(-1, -2), self.lo.swapaxes(-1, -2))


def concatenated(*parts: DoubleDouble) -> DoubleDouble:
    """Along the last axis."""
    hi, lo = ([getattr(part, half) for part in parts] for half in ("hi", "lo"))
    return DoubleDouble(np.concatenate(hi, axis=-1), np.concatenate(lo, axis=-1))


def stacked(parts: Sequence[DoubleDouble]) -> DoubleDouble:
    """Along a new first axis."""
    return DoubleDouble(
        np.stack([part.hi for part in parts]), np.stack([part.lo for part in parts])
    )


def strips(rows: int) -> Iterator[slice]:
    """Some rows of a square matrix at a time: what is made of them stays in the cache."""
    each = max(_AT_ONCE // max(rows, 1), 1)
    yield from (slice(begin, begin + each) for begin in range(0, rows, each))


def product(left: DoubleDouble, right: Array) -> DoubleDouble:
    """`left @ right`, of shapes (p, q) and (q, m), to about 2**-104 of the rows' largest products.

    Both are cut into pieces of so few bits that float64 sums their products without rounding, in
    any order: Ozaki, Ogita, Oishi and Rump 2012, https://doi.org/10.1007/s11075-011-9478-1.
    """
    bits = (53 - (len(right) - 1).bit_length()) // 2
    lefts = _pieces(left, bits, axis=1)
    rights = _pieces(DoubleDouble.of(right), bits, axis=0)
    total = DoubleDouble.of(np.zeros((len(left.hi), right.shape[1])))
    for order in range(len(lefts)):
        for at in range(order + 1):
            total = total + lefts[order - at] @ rights[at]
    return total


def _pieces(values: DoubleDouble, bits: int, axis: int) -> list[Array]:
    """What sums to `values`, each piece by `bits` smaller than the one before it."""
    largest = np.abs(values.hi).max(axis=axis, keepdims=True, initial=0.0)
    _, power = np.frexp(largest)
    rest, found = values, list[Array]()
    for place in range(-(-104 // bits)):
        # Added to this, a number is rounded to a multiple of 2**(power - bits * (place + 1)).
        large = np.ldexp(0.75, power - bits * (place + 1) + 53)
        piece = (rest.hi + large) - large
        rest = DoubleDouble(*_quick_sum(rest.hi - piece, rest.lo))
        found.append(piece)
    return found


def _lifted(value: "DoubleDouble | Array | float") -> DoubleDouble:
    return value if isinstance(value, DoubleDouble) else DoubleDouble.of(value)


def _by_rows(work: Callable[..., Halves], left: DoubleDouble, right: DoubleDouble) -> DoubleDouble:
    """`work` on both halves of both, some rows at a time: its many steps stay in the cache."""
    halves = left.hi, left.lo, right.hi, right.lo
    shape = np.broadcast_shapes(left.hi.shape, right.hi.shape)
    if math.prod(shape) <= _AT_ONCE:
        return DoubleDouble(*work(*halves))
    found = DoubleDouble(np.empty(shape), np.empty(shape))
    each = max(_AT_ONCE // math.prod(shape[1:]), 1)
    for begin in range(0, shape[0], each):
        rows = slice(begin, begin + each)
        some = (x[rows] if x.shape[:1] == shape[:1] and x.ndim == len(shape) else x for x in halves)
        found.hi[rows], found.lo[rows] = work(*some)
    return found


def _sum(hi: Array, lo: Array, other_hi: Array, other_lo: Array) -> Halves:
    total, error = _two_sum(hi, other_hi)
    low, lowest = _two_sum(lo, other_lo)
    total, error = _quick_sum(total, error + low)
    return _quick_sum(total, error + lowest)


def _product(hi: Array, lo: Array, other_hi: Array, other_lo: Array) -> Halves:
    product, error = _two_product(hi, other_hi)
    return _quick_sum(product, error + (hi * other_lo + lo * other_hi))


def _two_sum(left: Array, right: Array) -> tuple[Array, Array]:
    total = left + right
    shadow = total - left
    return total, (left - (total - shadow)) + (right - shadow)


def _quick_sum(large: Array, small: Array) -> tuple[Array, Array]:
    total = large + small
    return total, small - (total - large)


def _two_product(left: Array, right: Array) -> tuple[Array, Array]:
    product = left * right
    left_hi, left_lo = _split(left)
    right_hi, right_lo = _split(right)
    error = ((left_hi * right_hi - product) + left_hi * right_lo + left_lo * right_hi) + (
        left_lo * right_lo
    )
    return product, error


def _split(value: Array) -> tuple[Array, Array]:
    scaled = _SPLITTER * value
    high = scaled - (scaled - value)
    return high, value - high
