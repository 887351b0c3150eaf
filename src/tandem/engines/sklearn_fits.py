"""scikit-learn's fits of one training set: a grid point after another, or along a path."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, LinearRegression, Ridge, enet_path

from tandem.model_keys import GridPoint, Solver
from tandem.records import Array
from tandem.results import HALF
from tandem.solver import sklearn_estimator

T = TypeVar("T")


def mean(values: Array, counts: Array | None) -> float:
    """Mean of `values`, shape (n,), each as often as it counts."""
    return float(np.average(values, weights=counts) if counts is not None else values.mean())


def mean_square(values: Array, counts: Array | None) -> float:
    """Mean of squares about the mean, of rows that count so."""
    if counts is None:
        return float(values.var())
    return mean((values - mean(values, counts)) ** 2, counts)


def total(values: Array, counts: Array | None) -> float:
    """The sum of `values`, shape (n,), each as often as it counts."""
    return float(np.sum(values) if counts is None else counts @ values)


def median(values: Array, counts: Array | None) -> float:
    """The mean of the smallest of `values` up to which half of the rows stand, and of the smallest
    up to which more do, each as often as it counts.
    """
    if counts is None:
        return float(np.median(values))
    order = np.argsort(values)
    below = np.cumsum(counts[order])[:-1] / counts.sum()
    middle = [np.count_nonzero(below < HALF[0]), np.count_nonzero(below <= HALF[1])]
    return float(values[order[middle]].mean())


def rows_of(y: Array, counts: Array | None) -> float:
    """How many rows, each as often as it counts."""
    return len(y) if counts is None else float(counts.sum())


def rooted(x: Array, counts: Array | None) -> Array:
    """Rows times the roots of how often they count, about 1: x'x is then the sum that it is."""
    return x if counts is None else x * np.sqrt(counts / counts.mean())[:, None]


class Fit(NamedTuple):
    """y = intercept + Z weights, `weights` of shape (p,); the duality gap where it stopped, in
    squared units of y, NaN where it does not iterate; singular values where it found them, else
    None.
    """

    weights: Array
    intercept: float
    gap: float
    rank: int | None = None
    singular: Array | None = None


class Fits:
    """Of one training set: standardised features `x`, shape (n, p), and the target `y`, (n,).

    `counts`: how often every row counts, shape (n,); None: once. `unconverged`: fits so far that
    stopped at the iteration cap.
    """

    def __init__(self, x: Array, y: Array, solver: Solver, counts: Array | None = None) -> None:
        self._x, self._y, self._solver, self._counts = x, y, solver, counts
        self._rows = len(y) if counts is None else float(counts.sum())
        # Of a constant every coefficient is 0 anyway.
        self._deviation = float(np.sqrt(mean_square(y, counts))) or 1.0
        self.unconverged = 0

    def at(self, point: GridPoint) -> Fit:
        """One grid point, by itself."""
        estimator = self._estimator(point)
        self._counted(lambda: estimator.fit(self._x, self._y, sample_weight=self._counts))
        gap = estimator.dual_gap_ if isinstance(estimator, ElasticNet) else np.nan
        found = Fit(estimator.coef_, float(estimator.intercept_), float(gap))
        if isinstance(estimator, LinearRegression):
            return found._replace(rank=int(estimator.rank_), singular=estimator.singular_)
        return found

    def along(self, grid: Sequence[GridPoint]) -> Iterator[tuple[int, Fit]]:
        """The place of every grid point with its fit, each elastic_net_param down its penalties.

        Each begins where the one before ended. A ridge needs no beginning.
        """
        for share in dict.fromkeys(point.elastic_net_param for point in grid):
            places = [g for g, point in enumerate(grid) if point.elastic_net_param == share]
            places.sort(key=lambda place: -grid[place].reg_param)
            estimators = [self._estimator(grid[g]) for g in places]
            if not all(isinstance(one, ElasticNet) for one in estimators):
                yield from ((g, self.at(grid[g])) for g in places)
                continue
            yield from zip(places, self._path(estimators), strict=True)

    def _path(self, estimators: "Sequence[ElasticNet]") -> Iterator[Fit]:
        first, x = estimators[0], self._x
        middle, means = mean(self._y, self._counts), np.average(x, axis=0, weights=self._counts)
        y = self._y - middle
        if self._counts is not None:  # the path takes no weights
            root = np.sqrt(self._counts * len(y) / self._rows)
            x, y = np.asfortranarray((x - means) * root[:, None]), y * root
        _, weights, gaps = self._counted(
            lambda: enet_path(
                x,
                y,
                l1_ratio=first.l1_ratio,
                alphas=[one.alpha for one in estimators],
                precompute=first.precompute,
                tol=first.tol,
                max_iter=first.max_iter,
            )
        )
        for own, gap in zip(weights.T, gaps, strict=True):
            yield Fit(own, middle - float(means @ own), float(gap))

    def _estimator(self, point: GridPoint) -> "ElasticNet | Ridge | LinearRegression":
        shape = self._x.shape
        return sklearn_estimator(point, shape, self._deviation, self._solver, self._rows)

    def _counted(self, ask: Callable[[], T]) -> T:
        """What is asked for; a fit that has not converged is counted, and told once."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            found = ask()
        for warning in caught:
            if issubclass(warning.category, ConvergenceWarning):
                self.unconverged += 1
            else:
                warnings.warn(warning.message, warning.category, stacklevel=2)
        return found
