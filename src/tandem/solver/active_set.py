"""A lasso or elastic net from its Gram matrix, exactly: no tolerance shows in the answer."""

from functools import partial

import numpy as np

from tandem.records import Array
from tandem.solver.objective import Penalty
from tandem.solver.positive import MANY, Solve, clear, within

# Rounding of a sum over many rows reaches a few hundred units in the last place.
EPSILON = float(np.finfo(np.float64).eps)
RANK_CUTOFF = 100 * EPSILON
_IDLE = 1e-9  # part of the signs that lies where features follow from one another
_SETTLED = 1e-14  # of max |c|: below it there is nothing left but rounding

_Ints = np.ndarray[tuple[int], np.dtype[np.int64]]


def violation(gram: Array, xy: Array, penalty: Penalty, weights: Array) -> float:
    """max_j of |g_j - l1 sign w_j| where w_j != 0, of |g_j| - l1 where w_j = 0.

    g = c - G w - l2 w is the negative gradient of the smooth part.
    """
    pull = xy - gram @ weights - penalty.l2 * weights
    on = np.abs(pull - penalty.l1 * np.sign(weights))
    off = np.maximum(np.abs(pull) - penalty.l1, 0.0)
    return float(np.max(np.where(weights != 0.0, on, off), initial=0.0))


class ActiveSet:
    """Finite steps to the minimiser: solve for the signs at hand, drop and add one at a time.

    `null`: an orthonormal basis of {w: G w = 0}, shape (p, dimensions); None: it is not known.
    """

    def __init__(self, gram: Array, xy: Array, penalty: Penalty, null: Array | None) -> None:
        self._gram, self._xy, self._penalty = gram, xy, penalty
        self._null = np.empty((len(xy), 0)) if penalty.l2 > RANK_CUTOFF * len(xy) else null
        self._negligible = _SETTLED * float(np.max(np.abs(xy), initial=0.0))

    def run(self, start: Array) -> Array:
        """The minimiser, from a `start` that should be near it."""
        weights, signs, stuck = start.copy(), np.sign(start), False
        been = set[bytes]()
        for _ in range(20 * len(start) + 20):
            if (here := signs.tobytes()) in been:  # what descends comes back by rounding alone
                break
            been.add(here)
            stuck = self._solve_active(weights, signs)
            if stuck or not self._enter(weights, signs):
                break
        return self._smallest(weights, stuck=stuck)

    def _solve_active(self, weights: Array, signs: Array) -> bool:
        """Minimise over the active weights; those that reach 0 leave. True: no way on."""
        for _ in range(len(weights) + 1):
            on = np.flatnonzero(signs)
            if len(on) == 0:
                return False
            direction, target = self._solved(on, weights, signs)
            crossing = weights[on] + direction
            leaves = (crossing * signs[on] <= 0.0) if target else (direction * signs[on] < 0.0)
            if not leaves.any():
                if target:
                    weights[on] = crossing
                return not target
            steps = np.full(len(on), np.inf)
            steps[leaves] = -weights[on][leaves] / direction[leaves]
            first = int(np.argmin(steps))
            weights[on] += steps[first] * direction
            weights[on[first]] = signs[on[first]] = 0.0
        return True

    def _solved(self, on: _Ints, weights: Array, signs: Array) -> tuple[Array, bool]:
        """The way to the minimum for the given signs; or, without one, a way that descends."""
        l1, l2 = self._penalty
        matrix = self._gram.take(on, axis=0).take(on, axis=1)
        matrix.flat[:: len(on) + 1] += l2
        right = self._xy[on] - l1 * signs[on]
        solve, null = self._smallest_norm(on, matrix)
        # Where nothing else changes, weights move until one of them is 0. Against l1, not against
        # all that pulls, this is never small.
        idle = null @ (null.T @ signs[on])
        if np.max(np.abs(idle)) > _IDLE:
            return -l1 * idle, False
        solved = solve(right)
        solved += solve(right - matrix @ solved)
        if null.shape[1]:
            rest = right - matrix @ solved
            if np.max(np.abs(rest)) > 1e-9 * max(np.max(np.abs(right)), l1):
                return rest, False
        return solved - weights[on], True

    def _enter(self, weights: Array, signs: Array) -> bool:
        """Let in the feature that pulls hardest beyond l1; whether there is one."""
        l1, l2 = self._penalty
        pull = self._xy - self._gram @ weights - l2 * weights
        beyond = np.where(signs == 0.0, np.abs(pull) - l1, 0.0)
        hardest = int(np.argmax(beyond))
        if beyond[hardest] <= self._negligible:
            return False
        signs[hardest] = np.sign(pull[hardest])
        return True

    def _smallest_norm(self, on: _Ints, matrix: Array) -> tuple[Solve, Array]:
        """What solves the system of the features `on`, by smallest norm; its null space.

        With a basis N of that: (A + N N') w = right, where it is known; else, or where they are
        fewer, by eigenvalues.
        """
        if self._null is not None and self._null.shape[1] <= len(on):
            if not self._null.shape[1] and len(on) <= MANY:
                return partial(np.linalg.solve, matrix), self._null[on]
            null = within(self._null, on)
            if own := clear(matrix + null @ null.T if null.shape[1] else matrix):
                return own.solve, null
        values, vectors = np.linalg.eigh(matrix)
        kept = values > RANK_CUTOFF * len(values) * float(np.max(values, initial=0.0))
        basis, inverse = vectors[:, kept], 1.0 / values[kept]
        return lambda right: basis @ (inverse * (basis.T @ right)), vectors[:, ~kept]

    def _smallest(self, weights: Array, *, stuck: bool) -> Array:
        """Of all minimisers the one of smallest norm, if its signs allow it.

        Unless `stuck`, `weights` are that for the features in them.
        """
        if self._null is not None and not self._null.shape[1]:
            return weights
        l1 = self._penalty.l1
        pull = self._xy - self._gram @ weights
        on = np.flatnonzero(np.abs(pull) >= l1 * (1.0 - 1e-9))
        if not len(on) or (not stuck and np.array_equal(on, np.flatnonzero(weights))):
            return weights
        matrix = self._gram[np.ix_(on, on)]
        solve, null = self._smallest_norm(on, matrix)
        if not null.shape[1]:
            return weights
        signs = np.sign(pull[on])
        shared = np.zeros_like(weights)
        right = self._xy[on] - l1 * signs
        shared[on] = solve(right)
        shared[on] += solve(right - matrix @ shared[on])
        worse = violation(self._gram, self._xy, self._penalty, shared) > max(
            violation(self._gram, self._xy, self._penalty, weights), self._negligible * 10.0
        )
        return weights if worse or np.any(shared[on] * signs < 0.0) else shared
