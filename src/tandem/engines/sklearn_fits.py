"""scikit-learn's fits of one training set: a grid point after another, or along a path."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, LinearRegression, enet_path

from tandem.model_keys import GridPoint, Solver
from tandem.records import Array
from tandem.solver import sklearn_estimator

T = TypeVar("T")


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

    `unconverged`: fits so far that stopped at the iteration cap.
    """

    def __init__(self, x: Array, y: Array, solver: Solver) -> None:
        self._x, self._y, self._solver = x, y, solver
        self._deviation = float(y.std()) or 1.0  # of a constant every coefficient is 0 anyway
        self.unconverged = 0

    def at(self, point: GridPoint) -> Fit:
        """One grid point, by itself."""
        estimator = sklearn_estimator(point, self._x.shape, self._deviation, self._solver)
        self._counted(lambda: estimator.fit(self._x, self._y))
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
            estimators = [
                sklearn_estimator(grid[g], self._x.shape, self._deviation, self._solver)
                for g in places
            ]
            if not all(isinstance(one, ElasticNet) for one in estimators):
                yield from ((g, self.at(grid[g])) for g in places)
                continue
            yield from zip(places, self._path(estimators), strict=True)

    def _path(self, estimators: "Sequence[ElasticNet]") -> Iterator[Fit]:
        first = estimators[0]
        middle, means = float(self._y.mean()), self._x.mean(axis=0)
        _, weights, gaps = self._counted(
            lambda: enet_path(
                self._x,
                self._y - middle,
                l1_ratio=first.l1_ratio,
                alphas=[one.alpha for one in estimators],
                precompute=first.precompute,
                tol=first.tol,
                max_iter=first.max_iter,
            )
        )
        for own, gap in zip(weights.T, gaps, strict=True):
            yield Fit(own, middle - float(means @ own), float(gap))

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
