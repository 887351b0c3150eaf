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

TRIDIAGONAL = 400  # features from which T is worth an import
_Solve = Callable[[Array, Integers], Array]


@dataclass(frozen=True, slots=True)
class _Three:
    """G = Q T Q': the diagonal of T, shape (p,), the one beside it, (p - 1,), Q by reflections."""

    diagonal: Array
    beside: Array
    reflections: Array
    scales: Array

    @classmethod
    def of(cls, gram: Array) -> "_Three":
        from scipy.linalg.lapack import dsytrd, dsytrd_lwork  # noqa: PLC0415 - slow

        room = int(dsytrd_lwork(len(gram), lower=1)[0])
        below, diagonal, beside, scales, _ = dsytrd(gram, lower=1, lwork=room)
        return cls(diagonal, beside, np.asfortranarray(below[1:, :-1]), scales)

    def values(self) -> Array:
        from scipy.linalg.lapack import dsterf  # noqa: PLC0415

        found: Array = dsterf(self.diagonal, self.beside)[0]
        return found

    def lowest(self, count: int) -> Array:
        from scipy.linalg import eigh_tridiagonal  # noqa: PLC0415

        span = (0, count - 1)
        _, vectors = eigh_tridiagonal(self.diagonal, self.beside, select="i", select_range=span)
        return self._turned(vectors, b"N")

    def solver(self, strengths: Sequence[float]) -> _Solve | None:
        """(T + l2)^-1 by its factors, turned; None: rounding has made one not positive."""
        from scipy.linalg.lapack import dpttrf, dpttrs  # noqa: PLC0415

        factors = [dpttrf(self.diagonal + l2, self.beside) for l2 in strengths]
        if any(info for *_, info in factors):
            return None

        def solve(right: Array, which: Integers) -> Array:
            turned = np.repeat(self._turned(right.T, b"T"), len(which) // len(right), axis=1)
            for column, at in enumerate(which):
                diagonal, beside, _ = factors[at]
                turned[:, column] = dpttrs(diagonal, beside, turned[:, column])[0]
            return self._turned(turned, b"N").T

        return solve

    def _turned(self, columns: Array, way: bytes) -> Array:
        """Q or, `way` b"T", Q' times `columns`, shape (p, m); the first row stays as it is."""
        from scipy.linalg.lapack import dormqr  # noqa: PLC0415

        found = np.array(columns, order="F")
        room = 64 * (found.shape[1] + 65)  # blocks of 64 reflections, as LAPACK has them
        found[1:] = dormqr(b"L", way, self.reflections, self.scales, found[1:], room)[0]
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
        if self._three is None or not count:
            return np.empty((len(self.gram), 0)) if not count else self.vectors[:, :count]
        return self._three.lowest(count)

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
