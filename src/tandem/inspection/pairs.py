"""Means and sums of squares of two columns: they add, and no digit is lost far from zero."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from tandem.records import Array, Mask

_ROUNDING = 1e-12  # of a mean, at most


@dataclass(frozen=True, slots=True)
class Pairs:
    """Of n pairs (x, y): the means, and xx = sum (x - mean)^2, yy, xy = sum (x - mean)(y - mean).

    A mean is a number near it, `near_x`, and the rest, `x`: the difference of two means keeps its
    digits. In units of x, of y, and their products.
    """

    n: int = 0
    near_x: float = 0.0
    x: float = 0.0
    near_y: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    yy: float = 0.0
    xy: float = 0.0

    def __add__(self, other: "Pairs") -> "Pairs":
        if 0 in (self.n, other.n):
            return self if self.n else other
        n = self.n + other.n
        dx = (other.near_x - self.near_x) + (other.x - self.x)
        dy = (other.near_y - self.near_y) + (other.y - self.y)
        share = other.n / n
        weight = self.n * share
        return Pairs(
            n,
            self.near_x,
            self.x + share * dx,
            self.near_y,
            self.y + share * dy,
            self.xx + other.xx + weight * dx * dx,
            self.yy + other.yy + weight * dy * dy,
            self.xy + other.xy + weight * dx * dy,
        )

    @property
    def mean(self) -> float:
        """Of x."""
        return self.near_x + self.x

    @property
    def deviation(self) -> float | None:
        """Standard deviation of x, sqrt(xx / (n - 1)); None of less than two rows."""
        return sqrt(self.xx / (self.n - 1)) if self.n > 1 else None

    @property
    def correlation(self) -> float | None:
        """Pearson's, xy / sqrt(xx yy); None where one of the columns is constant."""
        scale = sqrt(self.xx) * sqrt(self.yy)
        return max(-1.0, min(1.0, self.xy / scale)) if scale > 0 else None


@dataclass(frozen=True, slots=True)
class Centred:
    """A column less a number near its mean, `near`: `off`, shape (rows,), 0 where it is missing.

    `there`: 1.0 where it is not, shape (rows,), None: everywhere; `n`: how many are there;
    `sums`: of `off` and of its squares.
    """

    near: float
    off: Array
    there: Array | None
    n: int
    sums: tuple[float, float]

    def with_(self, target: "Centred") -> Pairs:
        """Pairs of the rows that have both."""
        x, y = self.off, target.off
        n = self.n if target.there is None else target.n
        if self.there is not None and target.there is not None:
            n = round(float(self.there @ target.there))
        if n == 0:
            return Pairs()
        sx, xx = self.sums if target.there is None else _sums(x, target.there)
        sy, yy = target.sums if self.there is None else _sums(y, self.there)
        return Pairs(
            n,
            self.near,
            sx / n,
            target.near,
            sy / n,
            max(xx - sx * sx / n, 0.0),
            max(yy - sy * sy / n, 0.0),
            float(x @ y) - sx * sy / n,
        )

    @property
    def own(self) -> Pairs:
        """Of this column alone; the figures of y are 0."""
        if not self.n:
            return Pairs()
        total, squares = self.sums
        xx = max(squares - total * total / self.n, 0.0)
        return Pairs(self.n, self.near, total / self.n, xx=xx)


def _sums(off: Array, where: Array) -> tuple[float, float]:
    """Of the values and of their squares, in the rows where 1.0 stands."""
    seen = off * where
    return float(seen.sum()), float(seen @ off)


def centred(x: Array, there: Mask | None) -> Centred:
    """The values `x`, shape (present,), that stand where `there`, shape (rows,), is true.

    None: everywhere.
    """
    near = float(x.mean()) if len(x) else 0.0
    if len(x) and abs(near - float(x[0])) <= _ROUNDING * abs(near):
        near = float(x[0])  # so that nothing is left of a constant
    off = x - near
    sums = float(off.sum()), float(off @ off)
    if there is None:
        return Centred(near, off, None, len(x), sums)
    spread = np.zeros(len(there))
    spread[there] = off
    return Centred(near, spread, there.astype(np.float64), len(x), sums)
