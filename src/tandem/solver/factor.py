"""Normal equations that only twice the digits decide: factorised, and solved, in double-double.

G = P L D L' P' by steps of Gauss, the largest pivot first (Golub and Van Loan 2013, 4.2.8). Columns
whose pivot is left as 0 follow from those before them.
"""

from dataclasses import dataclass

import numpy as np

from tandem.moments import Integers
from tandem.records import Array
from tandem.solver.double_double import DoubleDouble

_ITERATIONS = 30


@dataclass(frozen=True, slots=True)
class Factor:
    """`order`: shape (p,), columns by pivot; `lower`: L, (p, rank); `pivots`: D, (rank,)."""

    matrix: DoubleDouble
    order: Integers
    lower: DoubleDouble
    pivots: DoubleDouble

    @classmethod
    def of(cls, matrix: DoubleDouble, least: float) -> "Factor":
        """Of a semidefinite `matrix`, (p, p); pivots up to `least` of the first count as 0."""
        size = len(matrix.hi)
        rest = DoubleDouble(matrix.hi.copy(), matrix.lo.copy())
        order, rank = np.arange(size), size
        largest = float(rest.hi.diagonal().max(initial=0.0))
        for j in range(size):
            best = j + int(np.argmax(rest.hi.diagonal()[j:]))
            if rest.hi[best, best] <= least * largest:
                rank = j
                break
            for half in (rest.hi, rest.lo):
                half[[j, best]] = half[[best, j]]
                half[:, [j, best]] = half[:, [best, j]]
            order[[j, best]] = order[[best, j]]
            below = rest[j + 1 :, j]
            share = below / rest[j, j]
            left = rest[j + 1 :, j + 1 :] - share[:, None] * below[None, :]
            rest.hi[j + 1 :, j + 1 :], rest.lo[j + 1 :, j + 1 :] = left.hi, left.lo
            rest.hi[j + 1 :, j], rest.lo[j + 1 :, j] = share.hi, share.lo
        at = np.arange(rank)
        return cls(matrix, order, rest[:, :rank], rest[at, at])

    @property
    def rank(self) -> int:
        """Pivots that are not 0."""
        return len(self.pivots.hi)

    @property
    def full(self) -> bool:
        """Whether no pivot is 0."""
        return self.rank == len(self.order)

    def solve(self, right: DoubleDouble, null: Array | None = None) -> DoubleDouble:
        """x with G x = `right`, both of shape (p,); of several the one of smallest norm.

        `null`: the null space, shape (p, p - rank), where it is known.
        """
        found = self._basic(right)
        if self.full:
            return found
        null = self.null_space() if null is None else null
        for _ in range(2):  # once more for what rounding of the projection has moved
            across = null @ (null.T @ found.hi)
            found = found - across
            rest = right - (self.matrix * found[None, :]).sum(axis=1)
            found = found + self._basic(rest)
        return found - null @ (null.T @ found.hi)

    def null_space(self) -> Array:
        """An orthonormal basis of {x: G x = 0}, shape (p, p - rank)."""
        lower = self.lower.rounded()
        upper, below = lower[: self.rank], lower[self.rank :]
        unit = np.tril(upper, -1) + np.eye(self.rank)
        basis = np.empty((len(self.order), len(below)))
        basis[self.order[: self.rank]] = -np.linalg.solve(unit.T, below.T)
        basis[self.order[self.rank :]] = np.eye(len(below))
        found: Array = np.linalg.qr(basis)[0]
        return found

    def condition(self) -> float:
        """Largest eigenvalue over the smallest that is not 0, by inverse iteration."""
        if not self.rank:
            return 1.0
        vector = DoubleDouble.of(np.random.default_rng(0).normal(size=len(self.order)))
        length, before, null = 0.0, 0.0, self.null_space()
        for _ in range(_ITERATIONS):
            vector = self.solve(vector, null)
            length, before = float(np.linalg.norm(vector.hi)), length
            vector = vector / length
            if abs(length - before) <= 1e-12 * length:
                break
        return float(np.linalg.eigvalsh(self.matrix.hi)[-1]) * length

    def _basic(self, right: DoubleDouble) -> DoubleDouble:
        """A solution that is 0 where columns follow from others."""
        rest = right[self.order[: self.rank]]
        hi, lo = rest.hi.copy(), rest.lo.copy()
        for j in range(self.rank - 1):
            left = DoubleDouble(hi[j + 1 :], lo[j + 1 :])
            left = left - self.lower[j + 1 : self.rank, j] * DoubleDouble(hi[j], lo[j])
            hi[j + 1 :], lo[j + 1 :] = left.hi, left.lo
        divided = DoubleDouble(hi, lo) / self.pivots
        hi, lo = divided.hi.copy(), divided.lo.copy()
        for j in range(self.rank - 1, 0, -1):
            left = DoubleDouble(hi[:j], lo[:j]) - self.lower[j, :j] * DoubleDouble(hi[j], lo[j])
            hi[:j], lo[:j] = left.hi, left.lo
        found = DoubleDouble.of(np.zeros(len(self.order)))
        found.hi[self.order[: self.rank]], found.lo[self.order[: self.rank]] = hi, lo
        return found
