"""Systems that are clearly positive definite, and directions that are clearly without variance."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from tandem.moments import Integers
from tandem.records import Array
from tandem.solver.double_double import DoubleDouble, product

APART = 1e10  # ratio of eigenvalues that float64 can tell apart from 0
_OUTSIDE = 1e-13  # share of a direction's square that is rounding
MANY = 100  # features from which a factorisation is worth an import


Solve = Callable[[Array], Array]


class Clear(NamedTuple):
    """`solve(right)`: x of G x = right; `condition`: of G, at most."""

    solve: Solve
    condition: float


def clear(matrix: Array) -> Clear | None:
    """What solves a system whose eigenvalues are within APART of the largest; None: they are not.

    `matrix`: G, symmetric, shape (p, p). Of many features LAPACK's estimate of the condition.
    """
    if len(matrix) <= MANY:
        values = np.linalg.eigvalsh(matrix)
        if values[0] * APART <= values[-1]:
            return None
        return Clear(partial(np.linalg.solve, matrix), float(values[-1] / values[0]))
    from scipy.linalg.lapack import dpocon, dpotrs  # noqa: PLC0415 - slow

    try:
        factor = np.linalg.cholesky(matrix).T  # numpy's: other threads go on meanwhile
    except np.linalg.LinAlgError:
        return None
    share, _ = dpocon(factor, np.abs(matrix).sum(axis=0).max())
    if share * APART <= 1.0:
        return None
    return Clear(lambda right: dpotrs(factor, right)[0], 1.0 / share)


def within(null: Array, on: Integers) -> Array:
    """A basis of the directions in the span of `null` that are 0 but for the features `on`.

    `null`: orthonormal, shape (p, dimensions); of the answer the rows `on`.
    """
    found = null[on]
    if not null.shape[1]:
        return found
    outside, turn = np.linalg.eigh(np.eye(null.shape[1]) - found.T @ found)
    basis: Array = found @ turn[:, outside <= _OUTSIDE]
    return basis


def largest_of(gram: DoubleDouble, values: Array, vectors: Array, count: int) -> float:
    """The largest of the first `count` eigenvalues of G, over the largest of all, by more digits.

    `values`, `vectors`: those of G in float64, shapes (p,) and (p, p), V0 the first `count` and V1
    the others, D1 their values. It is that of the Schur complement V0'S - S'V1 D1^-1 V1'S with
    S = G V0 in double-double: to 1e-31 of the largest, where those of D1 are clearly not 0.
    """
    null, rest = vectors[:, :count], vectors[:, count:]
    moved = product(gram, null).rounded()
    across = rest.T @ moved
    left = null.T @ moved - across.T @ (across / values[count:, None])
    return float(np.linalg.eigvalsh(left)[-1] / values[-1])
