"""The only judge: from error sums to metrics, and from metrics to the chosen grid point."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tandem.model_keys import Choose, GridPoint
from tandem.records import Array
from tandem.results import ErrorSums, Scores


def judge(
    sums: ErrorSums,
    grid: Sequence[GridPoint] = (),
    choose: Choose = Choose.BEST,
    repeats: int = 1,
) -> Scores:
    """RMSE = sqrt(sse / n_test), R2 = 1 - sse / sst, others by_row / n_test; (folds, points).

    RMSE is in units of the target; no fold may be empty (`folds.check_folds`). R2 is NaN on a fold
    whose target is constant. `best` is as `winner` says.
    """
    n_test = np.asarray(sums.n_test, dtype=np.float64)[:, None]
    rmse = np.sqrt(sums.sse / n_test)
    sst = np.where(sums.sst > 0, sums.sst, np.nan)[:, None]
    best = winner(rmse, grid, choose, repeats)
    others = {name: of / n_test for name, of in sums.by_row.items()}
    return Scores(rmse=rmse, r2=1.0 - sums.sse / sst, best=best, others=others)


def with_medians(scores: Scores, medians: Array) -> Scores:
    """`scores` with the median absolute error of every fold at the chosen point, shape (folds,)."""
    found = np.full_like(scores.rmse, np.nan)
    found[:, scores.best] = medians
    return replace(scores, others={**scores.others, "median_ae": found})


def winner(rmse: Array, grid: Sequence[GridPoint], choose: Choose, repeats: int = 1) -> int:
    """The place of the grid point that is the model; `rmse`: shape (folds, points).

    That of the smallest mean RMSE over folds, the first of equals, as in Spark's CrossValidator.
    By one standard error: of its elastic_net_param, the largest reg_param whose mean is at most
    s / sqrt(k) above the smallest, s being the sample standard deviation of that point's RMSEs
    (L. Breiman and others, Classification and regression trees, 1984, section 3.4.3).
    """
    means = rmse.mean(axis=0)
    best = int(np.argmin(means))
    if choose is Choose.BEST:
        return best
    most, share = limit(rmse, repeats), grid[best].elastic_net_param
    near = [g for g, p in enumerate(grid) if p.elastic_net_param == share and means[g] <= most]
    return max(near, key=lambda g: float(grid[g].reg_param))


def limit(rmse: Array, repeats: int = 1) -> float:
    """The smallest mean RMSE over folds and one standard error; `rmse`: shape (folds, points)."""
    means = rmse.mean(axis=0)
    best = int(np.argmin(means))
    return float(means[best]) + standard_error(rmse[:, best], repeats)


def standard_error(rmse: Array, repeats: int = 1) -> float:
    """s / sqrt(k) of the RMSE of `repeats` times k folds, shape (folds,).

    s: their sample standard deviation. That the same rows are tested again makes no error smaller.
    """
    return float(rmse.std(ddof=1) / np.sqrt(len(rmse) / repeats))


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
