"""The eigenvalues of a Gram matrix, and what solves it with any ridge.

Of many features a matrix T of three diagonals takes the place of the eigenvectors: G = Q T Q' costs
a third of them, and (T + l2) w = c next to nothing at every l2 (L. Elden, Algorithms for the
regularization of ill-conditioned least squares problems, BIT 17, 1977).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tandem.moments import Integers
from tandem.records import Array
from tandem.solver.lapack import BLOCK, call

TRIDIAGONAL = 400  # features from which T is worth an import
_Solve = Callable[[Array, Integers], Array]


@dataclass(frozen=True, slots=True)
class _Three:
    """G = Q T Q': the diagonal of T, shape (p,), the one beside it, (p - 1,), Q by reflections."""

    diagonal: Array
    beside: Array
    below: Array
    scales: Array

    @classmethod
    def of(cls, gram: Array) -> "_Three":
        size, below = len(gram), np.array(gram, order="F")
        diagonal, beside, scales = np.empty(size), np.empty(size - 1), np.empty(size - 1)
        room = np.empty(BLOCK * size)
        call("dsytrd", b"L", size, below, size, diagonal, beside, scales, room, len(room))
        return cls(diagonal, beside, below, scales)

    def values(self) -> Array:
        found = self.diagonal.copy()
        call("dsterf", len(found), found, self.beside.copy())
        return found

    def between(self, first: int, last: int) -> Array:
        from scipy.linalg import eigh_tridiagonal  # noqa: PLC0415 - slow

        span = (first, last - 1)
        _, vectors = eigh_tridiagonal(self.diagonal, self.beside, select="i", select_range=span)
        return self._turned(vectors, b"N")

    def solver(self, strengths: Sequence[float]) -> _Solve | None:
        """(T + l2)^-1 by its factors, turned; None: rounding has made one not positive."""
        factors = [(self.diagonal + l2, self.beside.copy()) for l2 in strengths]
        size = len(self.diagonal)
        if any(call("dpttrf", size, *factor) for factor in factors):
            return None

        def solve(right: Array, which: Integers) -> Array:
            turned = np.repeat(self._turned(right.T, b"T").T, len(which) // len(right), axis=0)
            for row, at in zip(turned, which, strict=True):
                call("dpttrs", size, 1, *factors[at], row, size)
            return self._turned(turned.T, b"N").T

        return solve

    def _turned(self, columns: Array, way: bytes) -> Array:
        """Q or, `way` b"T", Q' times `columns`, shape (p, m)."""
        found = np.array(columns, order="F")
        size, count = found.shape
        room = np.empty(BLOCK * (count + BLOCK + 1))
        sides = b"L", b"L", way, size, count
        call("dormtr", *sides, self.below, size, self.scales, found, size, room, len(room))
        return found


@dataclass(frozen=True)
class Spectrum:
    """`gram`: G, symmetric, shape (p, p); `values`: its eigenvalues, shape (p,), ascending."""

    gram: Array
    values: Array
    _three: _Three | None = None
    _vectors: Array | None = None

    @classmethod
    def of(cls, gram: Array, *, whole: bool = False) -> "Spectrum":
        """Of G, shape (p, p); `whole`: all its eigenvectors will be asked for."""
        if not whole and len(gram) >= TRIDIAGONAL:
            three = _Three.of(gram)
            return cls(gram, three.values(), three)
        values, vectors = np.linalg.eigh(gram)
        return cls(gram, values, _vectors=vectors)

    @cached_property
    def vectors(self) -> Array:
        """The eigenvectors, shape (p, p)."""
        return np.linalg.eigh(self.gram)[1] if self._vectors is None else self._vectors

    def lowest(self, count: int) -> Array:
        """The eigenvectors of the `count` smallest eigenvalues, shape (p, count)."""
        return self._between(0, count)

    def onto_lowest(self, count: int) -> Array:
        """V V' of these eigenvectors, shape (p, p), from them or from all others."""
        size = len(self.gram)
        if 2 * count <= size:
            vectors = self._between(0, count)
            return vectors @ vectors.T
        vectors = self._between(count, size)
        return np.eye(size) - vectors @ vectors.T

    def _between(self, first: int, last: int) -> Array:
        """Those from one place to before another, shape (p, last - first)."""
        few = 2 * (last - first) <= len(self.gram)  # of many, one by one takes longer than all
        if self._three and few:
            return self._three.between(first, last) if first < last else self.gram[:, :0]
        return self.vectors[:, first:last]

    def solver(self, strengths: Sequence[float], zero: float) -> _Solve:
        """`solve(right, which)`: (G + l2)^+ right, shape (m, p), with l2 the `strengths[which]`.

        Eigenvalues of G + l2 up to `zero` count as 0. `right`: shape (m, p), or (1, p) for all;
        `which`: shape (m,).
        """
        positive = min(strengths, default=0.0) + self.values[0] > zero
        if self._three and positive and (solve := self._three.solver(strengths)):
            return solve
        shifted = self.values + np.array(strengths)[:, None]
        inverse = np.divide(1.0, shifted, out=np.zeros_like(shifted), where=shifted > zero)
        vectors = self.vectors
        return lambda right, which: (inverse[which] * (right @ vectors)) @ vectors.T
