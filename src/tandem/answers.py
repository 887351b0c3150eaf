"""What a finished run answered, as one value that can be compared and judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tandem.model_keys import GridPoint
from tandem.records import Array
from tandem.results import LinearModel
from tandem.scores import limit


@dataclass(frozen=True)
class Answer:
    """One run of one engine. `metrics[name]` has shape (folds, grid points).

    `test_rows[f]` and `target_deviation[f]`: rows of fold f, each as often as it counts, and the
    population standard deviation of the target in it; `cleaning`: the ledger and every decision;
    `tol`: as asked for, None the default; `features`: how many every column of the regression is;
    `slopes`: of every training set, shape (folds, grid points, features), and `gaps`, as in
    `ErrorSums`, where known; `held_out`: the RMSE of `model` on the hold-out, if any;
    `inverse_squares`: as in `Task`.
    """

    engine: str
    turn: int
    grid: tuple[GridPoint, ...]
    metrics: Mapping[str, Array]
    test_rows: tuple[float, ...]
    target_deviation: Array
    cleaning: Mapping[str, Any]
    best: GridPoint
    model: LinearModel
    tol: float | None
    features: tuple[int, ...]
    slopes: Array | None = None
    gaps: Array | None = None
    held_out: float | None = None
    inverse_squares: float = 0.0

    @property
    def baseline(self) -> float:
        """RMSE of predicting every fold's own mean: the root of the mean square of deviations."""
        return float((self.target_deviation**2).mean() ** 0.5)

    @property
    def best_slopes(self) -> Array | None:
        """Of every training set at `best`, shape (folds, features), where known."""
        return None if self.slopes is None else self.slopes[:, self.grid.index(self.best)]

    def at_limit(self, places: Sequence[int], room: float, repeats: int) -> bool:
        """Whether the mean RMSE at one of the grid points is where one standard error ends.

        To within `room`; `places`: of the points in the grid; `repeats`: of the folds.
        """
        rmse = self.metrics["rmse"]
        means = rmse[:, [*places]].mean(axis=0)
        return bool(np.min(np.abs(means - limit(rmse, repeats))) <= room)
