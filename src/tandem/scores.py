"""The only judge: from error sums to metrics, and from metrics to the chosen grid point."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tandem.findings import ErrorSums
from tandem.records import Array, GridPoint

ILL_CONDITIONED = 1e8  # condition number of the features from which half of all digits are lost


@dataclass(frozen=True, slots=True)
class Scores:
    """Held-out metrics by fold (rows) and grid point (columns), and the index of the best point.

    `mae` is None where it was not asked for.
    """

    rmse: Array
    r2: Array
    best: int
    mae: Array | None = None

    @property
    def rmse_mean(self) -> Array:
        """Mean RMSE over folds for every grid point."""
        mean: Array = self.rmse.mean(axis=0)
        return mean

    @property
    def rmse_std(self) -> Array:
        """Population standard deviation of the RMSE over folds for every grid point."""
        deviation: Array = self.rmse.std(axis=0)
        return deviation


def judge(sums: ErrorSums) -> Scores:
    """RMSE = sqrt(sse / n_test), R2 = 1 - sse / sst, MAE = sae / n_test, per fold and grid point.

    R2 is NaN on a fold whose target is constant. The best point has the smallest mean RMSE;
    the first of equals wins, as in Spark's CrossValidator.
    """
    n_test = np.asarray(sums.n_test, dtype=np.float64)[:, None]
    rmse = np.sqrt(sums.sse / n_test)
    sst = np.where(sums.sst > 0, sums.sst, np.nan)[:, None]
    best = int(np.argmin(rmse.mean(axis=0)))
    mae = None if sums.sae is None else sums.sae / n_test
    return Scores(rmse=rmse, r2=1.0 - sums.sse / sst, best=best, mae=mae)


def doubt(sums: ErrorSums, grid: Sequence[GridPoint]) -> str | None:
    """Why coefficients without a penalty mean little, and what to do; None where they do not.

    A penalty makes them well determined; the errors are so in any case.
    """
    if all(point.reg_param > 0 for point in grid) or not sums.designs:
        return None
    fold, worst = max(enumerate(sums.designs), key=lambda d: (d[1].missing, d[1].condition))
    where = f"rank {worst.rank} of {worst.features} features, training set of fold {fold}, "
    number = f"condition number {worst.condition:.1e}"
    step = "-> drop a feature, or choose model.reg_param above 0"
    if worst.missing:
        return (
            f"{where}{number} without the rest: some are collinear, or too nearly so for the "
            f"digits at hand; coefficients at reg_param=0 are those of smallest norm {step}"
        )
    if worst.condition > ILL_CONDITIONED:
        return f"{where}{number}: coefficients at reg_param=0 hold few digits {step}"
    return None


def relative_difference(left: Array, right: Array) -> Array:
    """|left - right| / max(|left|, |right|), elementwise.

    0 where both are 0 or both NaN, infinite where one is NaN.
    """
    scale = np.maximum(np.abs(left), np.abs(right))
    difference = np.abs(left - right) / np.where(scale > 0, scale, 1.0)
    difference = np.where(np.isnan(left) & np.isnan(right), 0.0, difference)
    return np.where(np.isnan(difference), np.inf, difference)


def largest_relative_difference(left: Array, right: Array) -> float:
    """The largest of `relative_difference`; 0 of nothing."""
    return float(np.max(relative_difference(left, right), initial=0.0))
