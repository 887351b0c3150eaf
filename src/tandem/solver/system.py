"""One system of normal equations, by eigenvalues or by factors, and all that is solved of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tandem.records import Array, Mask
from tandem.solver.active_set import EPSILON, RANK_CUTOFF
from tandem.solver.collinear import NEARLY, Groups, groups
from tandem.solver.double_double import DoubleDouble, product
from tandem.solver.factor import Factor
from tandem.solver.objective import Penalty
from tandem.solver.positive import APART, clear, largest_of, within
from tandem.solver.spectrum import Spectrum
from tandem.solver.splits import FEW
from tandem.solver.standard import Rank

SHOWS = 1e-10  # share of the weights from which it shows that rounding moved them
_ILL_CONDITIONED = 1e4  # ratio of eigenvalues from which double-double residuals pay
_REFINEMENTS = 8


@dataclass(frozen=True, slots=True)
class System:
    """G, shape (p, p), by its eigenvalues; where need be by its factors too."""

    gram: DoubleDouble
    spectrum: Spectrum
    zero: float  # eigenvalues up to it count as 0
    factor: Factor | None
    rank: Rank

    @classmethod
    def of(cls, gram: DoubleDouble, rank: Rank) -> "System":
        """G, shape (p, p), of which `rank` is known."""
        spectrum = Spectrum.of(gram.hi, whole=rank.least is not None)
        values = spectrum.values
        zero = RANK_CUTOFF * len(values) * float(np.max(values, initial=0.0))
        if rank.least is None:
            return cls(gram, spectrum, zero, None, rank)
        # Where there are fewer rows than features, the others are 0 whatever their digits say.
        small = int(np.count_nonzero(values * APART <= values[-1]))
        enough = len(values) - small >= min(len(values), rank.most)
        sure = enough or largest_of(gram, values, spectrum.vectors, small) <= rank.least
        factor = None if sure else Factor.of(gram, rank.least)
        return cls(gram, spectrum, zero, factor, rank)

    @property
    def values(self) -> Array:
        """The eigenvalues of G, ascending, shape (p,)."""
        return self.spectrum.values

    def kept(self, l2: float = 0.0) -> Mask:
        """Which eigenvalues of G + l2 are not taken as 0."""
        return self.values + l2 > self.zero

    @property
    def null(self) -> Array | None:
        """An orthonormal basis of {w: G w = 0}, shape (p, dimensions).

        None: it is in doubt, or most of all directions, of which few are in an active set.
        """
        away = int(np.count_nonzero(~self.kept()))
        if self.factor or 2 * away > len(self.values):
            return None
        return self.spectrum.lowest(away)

    def away(self, l2: float = 0.0) -> Array:
        """The eigenvectors of G + l2 whose eigenvalues are taken as 0, shape (p, dimensions)."""
        return self.spectrum.lowest(int(np.count_nonzero(~self.kept(l2))))

    def facts(self) -> tuple[int, float, Groups]:
        """Rank, condition number, and the features that (nearly) follow from one another."""
        if self.factor:
            rank, condition = self.factor.rank, float(np.sqrt(self.factor.condition()))
        else:
            rank = int(np.count_nonzero(self.kept()))
            condition = float(np.sqrt(self.condition()))
        missing = len(self.values) - rank
        if missing > len(self.rank.sets):
            if not self.factor or self.factor.full:
                return rank, condition, groups(self.spectrum.onto_lowest(missing))
            null = self.factor.null_space()
            return rank, condition, groups(null @ null.T)
        if condition <= NEARLY:
            return rank, condition, ()
        least = self.spectrum.lowest(missing + 1)[:, missing:]
        return rank, condition, groups(least @ least.T)

    def condition(self, l2: float = 0.0) -> float:
        """Largest over smallest eigenvalue of G + l2 that is not taken as 0."""
        kept = self.values[self.kept(l2)] + l2
        return float(kept[-1] / kept[0]) if len(kept) else 1.0

    def roundings(self, pairs: Sequence[tuple[Penalty, Array]]) -> Array:
        """As `Solution.rounding` says, shape (points,).

        Of many features, one bound for all lassos where it is small: the eigenvalues of the
        features that are in any of them enclose those of each.
        """
        lassos = [weights for penalty, weights in pairs if penalty.l1 > 0.0]
        if len(self.values) > FEW and lassos:
            together = np.any(lassos, axis=0).astype(np.float64)
            bound = self.rounding(Penalty(1.0, 0.0), together)
            if bound <= SHOWS:
                found = [bound if p.l1 > 0.0 else self.rounding(p, w) for p, w in pairs]
                return np.array(found)
        return np.array([self.rounding(penalty, weights) for penalty, weights in pairs])

    def rounding(self, penalty: Penalty, weights: Array) -> float:
        """Of one; without a bound where an eigenvalue was taken as 0.

        With P = 1 - N N', N the null space that G is free of rounding in, and least, least_on the
        smallest eigenvalues of G + l2 beside N and of the features in it, |(G + l2)_on^-1 P| is at
        most (least least_on)^-1/2: (G + l2)_on >= least P_on.
        """
        values, known = self.values + penalty.l2, self.rank.free()
        least, sets = np.min(values[known:], initial=np.inf), len(self.rank.sets)
        if penalty.l1 > 0.0 and values[-1] * EPSILON > SHOWS * values[0]:
            on = np.flatnonzero(weights)
            values = np.asarray(np.linalg.eigvalsh(self.gram.hi[np.ix_(on, on)])) + penalty.l2
            known, sets = self.rank.free(on), self.rank.within(on)
        if penalty.l2 == 0.0:
            known = max(known, sets)
        elif known and penalty.l1 > 0.0 and penalty.l2 * APART <= values[-1]:
            return np.inf  # `settled` needs factors there
        values = values[known:]
        if len(values) == 0:
            return 0.0
        if values[0] <= self.zero:
            return np.inf
        return EPSILON * float(values[-1] / np.sqrt(values[0] * max(values[0], least)))

    def ridges(self, xy: DoubleDouble, strengths: Sequence[float]) -> Iterator[DoubleDouble]:
        """w = V (D + l2)^-1 V'c over the eigenvalues that are not 0, refined; or by factors.

        At every l2; all together where float64 serves them, so that G is gone through once.
        """
        plain = [] if self.rank.least is not None else [*strengths]
        if np.any(self.gram.lo):
            plain = [l2 for l2 in plain if not self.hard(l2)]
        found = dict(zip(plain, self._together(xy.hi, plain), strict=True))
        for l2 in strengths:
            yield found[l2] if l2 in found else self._alone(xy, l2)

    def hard(self, l2: float) -> bool:
        """Whether one refinement is not enough."""
        return self.condition(l2) > _ILL_CONDITIONED

    def _together(self, xy: Array, strengths: Sequence[float]) -> Iterator[DoubleDouble]:
        """As `ridges`, with residuals in float64."""
        going = np.arange(len(strengths))
        l2 = np.array(strengths)[:, None]
        hard = np.array([self.hard(one) for one in strengths], dtype=bool)
        solve = self.spectrum.solver(strengths, self.zero)
        found = DoubleDouble.of(solve(xy[None, :], going))
        before = np.full(len(strengths), np.inf)
        for _ in range(_REFINEMENTS):
            now = found[going]
            left = xy - now.hi @ self.gram.hi - l2[going] * now.hi
            step = solve(left, going)
            now = now + step
            found.hi[going], found.lo[going] = now.hi, now.lo
            size = np.abs(step).max(axis=1)
            more = (size > 1e-16 * np.abs(now.hi).max(axis=1)) & (size < before[going] / 2)
            before[going] = size  # of rounding, if they get no smaller
            going = going[hard[going] & more]
            if not len(going):
                break
        return (found[place] for place in range(len(strengths)))

    def _alone(self, xy: DoubleDouble, l2: float) -> DoubleDouble:
        """As `ridges`, with residuals in double-double, or by factors."""
        if self.factor and self.values[0] + l2 <= self.values[-1] / APART:
            return self._factor(l2).solve(xy)
        solve, one = self.spectrum.solver([l2], self.zero), np.zeros(1, dtype=np.int64)
        weights = DoubleDouble.of(solve(xy.hi[None, :], one)[0])
        for _ in range(_REFINEMENTS if self.hard(l2) else 1):
            products = self.gram * weights[None, :]
            left = (xy - products.sum(axis=1) - weights * l2).rounded()
            step = solve(left[None, :], one)[0]
            weights = weights + step
            if np.max(np.abs(step), initial=0.0) <= 1e-16 * np.max(np.abs(weights.hi), initial=0.0):
                break
        return weights

    def settled(self, xy: DoubleDouble, penalty: Penalty, weights: Array) -> DoubleDouble:
        """A lasso's or elastic net's `weights`, solved for once more for their signs."""
        on = np.flatnonzero(weights)
        if (self.rank.least is None and self.rank.null is None) or len(on) == 0:
            return DoubleDouble.of(weights)
        signs = np.sign(weights[on])
        right = xy[on] - signs * penalty.l1
        null = self.null if penalty.l2 == 0.0 else None
        if null is not None and null.shape[1] <= len(on) and within(null, on).shape[1]:
            return DoubleDouble.of(weights)  # several weights are the minimum
        matrix = self.gram[np.ix_(on, on)] + penalty.l2 * np.eye(len(on))
        if own := clear(matrix.hi):
            rounded = self.rank.least is None or len(self.values) > FEW
            if rounded and own.condition * EPSILON <= SHOWS:
                return DoubleDouble.of(weights)
            left = right - product(matrix, weights[on][:, None])[:, 0]
            solved = DoubleDouble.of(weights[on]) + own.solve(left.rounded())
        else:
            factor = System.of(matrix, self.rank).factor
            if factor is None or not factor.full:
                return DoubleDouble.of(weights)
            solved = factor.solve(right)
        if np.any(np.sign(solved.hi) != signs):
            return DoubleDouble.of(weights)
        found = DoubleDouble.of(np.zeros_like(weights))
        found.hi[on], found.lo[on] = solved.hi, solved.lo
        return found

    def _factor(self, l2: float) -> Factor:
        """Of G + l2."""
        assert self.factor is not None
        assert self.rank.least is not None
        if l2 == 0.0:
            return self.factor
        return Factor.of(self.gram + l2 * np.eye(len(self.values)), self.rank.least)
