"""The only judge: from error sums to metrics, and from metrics to the chosen grid point."""

import numpy as np

from tandem.records import Array
from tandem.results import ErrorSums, Scores


def judge(sums: ErrorSums) -> Scores:
    """RMSE = sqrt(sse / n_test), R2 = 1 - sse / sst, MAE = sae / n_test, each of shape (k, points).

    RMSE and MAE are in units of the target; no fold may be empty (`folds.check_folds`). R2 is NaN
    on a fold whose target is constant. The best point has the smallest mean RMSE; the first of
    equals wins, as in Spark's CrossValidator.
    """
    n_test = np.asarray(sums.n_test, dtype=np.float64)[:, None]
    rmse = np.sqrt(sums.sse / n_test)
    sst = np.where(sums.sst > 0, sums.sst, np.nan)[:, None]
    best = int(np.argmin(rmse.mean(axis=0)))
    mae = None if sums.sae is None else sums.sae / n_test
    return Scores(rmse=rmse, r2=1.0 - sums.sse / sst, best=best, mae=mae)


def of_hold_out(sums: ErrorSums | None) -> dict[str, float]:
    """`rmse`, `r2` (NaN where the target is constant) and `rows`, by sums as of one fold and point.

    Empty where there are none.
    """
    if sums is None:
        return {}
    scores = judge(sums)
    rmse, r2 = float(scores.rmse[0, 0]), float(scores.r2[0, 0])
    return {"rmse": rmse, "r2": r2, "rows": sums.n_test[0]}


def relative_difference(left: Array, right: Array) -> Array:
    """|left - right| / max(|left|, |right|), elementwise; any shape.

    0 where both are 0 or both NaN, infinite where one is NaN.
    """
    scale = np.maximum(np.abs(left), np.abs(right))
    difference = np.abs(left - right) / np.where(scale > 0, scale, 1.0)
    difference = np.where(np.isnan(left) & np.isnan(right), 0.0, difference)
    return np.where(np.isnan(difference), np.inf, difference)


def largest_relative_difference(left: Array, right: Array) -> float:
    """The largest of `relative_difference`, of any shape; 0 of nothing."""
    return float(np.max(relative_difference(left, right), initial=0.0))
