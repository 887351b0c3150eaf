"""What a careful reader would ask of a cross-validation, where the answer is worth a line."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from tandem.model import feature
from tandem.result import Result

_SPREAD = 0.1  # standard deviation of the RMSE over folds, of its mean
_COLLINEAR = 1e4  # condition number; a coefficient's variance grows with its square
_SUSPECT = 0.95  # share of the target's variance that a single feature explains


def findings(result: Result, rows: pd.DataFrame) -> tuple[str, ...]:
    """Lines on the grid, the folds, the fit, collinearity, leakage; none where all is well.

    `rows`: raw rows with a target, from all over the dataset.
    """
    parts = (_edge(result), _folds(result), _mean(result), _collinear(result), _leaks(result, rows))
    return tuple(line for part in parts for line in part)


def _edge(result: Result) -> Iterator[str]:
    penalties = sorted({point.reg_param for point in result.task.grid})
    best = result.best.reg_param
    if len(penalties) == 1 or (best != penalties[-1] and best not in penalties[:1]):
        return
    if best > 0:  # below 0 there is nothing to try
        which, more = ("largest", "larger") if best == penalties[-1] else ("smallest", "smaller")
        yield (
            f"the best reg_param, {best:g}, is the {which} of the grid -> try {more} ones: "
            "model.reg_param=[...]"
        )


def _folds(result: Result) -> Iterator[str]:
    scores = result.scores
    mean, deviation = scores.rmse_mean[scores.best], scores.rmse_std[scores.best]
    if deviation > _SPREAD * mean:
        yield (
            f"RMSE differs between folds by {deviation / mean:.0%} of its mean (standard "
            "deviation) -> compare models with care; look for outliers, or use more rows"
        )


def _mean(result: Result) -> Iterator[str]:
    r2 = float(np.mean(result.scores.r2[:, result.scores.best]))
    if r2 <= 0:
        yield (
            f"R2 is {r2:.3g} on held-out rows: no better than predicting the mean -> these "
            "features do not tell the target linearly, or there are too few rows"
        )


def _collinear(result: Result) -> Iterator[str]:
    designs = result.sums.designs
    if not designs:
        return
    worst = max(designs, key=lambda design: (design.missing, design.condition))
    if worst.missing:
        yield (
            f"{worst.missing} of {worst.features} features follow from the others: their single "
            "coefficients mean little (the predictions are not affected) -> dataset.exclude=[...]"
        )
    elif worst.condition > _COLLINEAR:
        yield (
            f"features are nearly collinear (condition number {worst.condition:.1e}): their single "
            "coefficients mean little -> dataset.exclude=[...]"
        )


def _leaks(result: Result, rows: pd.DataFrame) -> Iterator[str]:
    target = rows[result.task.dataset.target.name].to_numpy(dtype=np.float64)
    for name in result.model.coefficients:
        share = _explained(feature(result.model, rows[name], name), target)
        if share > _SUSPECT:
            yield (
                f"{name} alone explains {share:.1%} of the target ({len(rows):,} rows): is it "
                f"known before the target is? -> if not, dataset.exclude=[{name}]"
            )


def _explained(
    x: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    y: "np.ndarray[tuple[int], np.dtype[np.float64]]",
) -> float:
    """The squared correlation of x and y; 0 where one is constant."""
    x, y = x - x.mean(), y - y.mean()
    scale = float(x @ x) * float(y @ y)
    return float(x @ y) ** 2 / scale if scale > 0 else 0.0
