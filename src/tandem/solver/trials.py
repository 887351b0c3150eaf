"""Models held against rows, row by row, all in one scan: where sums do not tell their errors."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tandem.moments import Residual
from tandem.records import Array, Mask
from tandem.solver.residuals import residual
from tandem.solver.splits import Split
from tandem.solver.training_sets import Folding

# The models that the rows of every part are held against, if any.
OfParts = Sequence[Sequence[Residual]]
SumErrors = Callable[[OfParts], Array]


_ENOUGH = 1e3  # exp(-residual) is 0 in float64


class RowErrors(NamedTuple):
    """Sums over some rows: squared errors, shape (points,), in units of the target; absolute ones,
    then, where asked for, these as shares of the target, shape (1 or 2, points).

    Of targets in logarithms, `sst`: of squares of the target about its mean, `squares`: about 0.
    """

    squared: Array
    absolute: Array
    sst: float = np.nan
    squares: float = np.nan


class Trials:
    """`models`: of every part those that its rows are held against, each with all its points."""

    def __init__(self, folding: Folding) -> None:
        self._folding = folding
        self.models: list[list[Residual]] = [[] for _ in range(folding.scheme.parts)]
        self._asked: list[tuple[list[tuple[int, int]], float]] = []

    def add(self, split: Split, slopes: Array, parts: Mask) -> None:
        """Hold the models of `slopes`, shape (points, p), against the rows of `parts`.

        Their constants, and the cleaning, are those of the training set of `split`.
        """
        vector, every, asked = self._folding.vector, None, list[tuple[int, int]]()
        in_logs, middle = self._folding.protocol.in_logs, 0.0
        if in_logs:  # one point more that predicts the mean logarithm of the training set
            slopes = np.vstack([slopes, np.zeros(slopes.shape[1])])
            middle = float(np.exp(split.centre[-1].rounded()))
        for part in np.flatnonzero(parts).tolist():
            if every is None or vector.centres is not None:
                every = residual(split, slopes, vector.of_fold(part))
                every = _beside_nothing(every) if in_logs else every
            asked.append((len(self.models[part]), part))
            self.models[part].append(every)
        self._asked.append((asked, middle))

    def summed(self, sum_errors: SumErrors) -> list[RowErrors]:
        """What every call of `add` asked for.

        `sum_errors(models)`: one scan, squared and absolute errors of every row under the models
        of its part, then as shares where asked for, shape (2 or 3, models, parts, points).
        """
        sums, rows = sum_errors(self.models), self._folding.rows
        found = []
        for asked, middle in self._asked:
            squared, *others = np.sum([sums[:, place, part] for place, part in asked], axis=0)
            absolute = np.array(others)
            if not self._folding.protocol.in_logs:
                found.append(RowErrors(squared, absolute))
                continue
            n = sum(rows[part] for _, part in asked)
            # About a number near the mean: about 0, prices that hardly differ lose their digits.
            sst = max(squared[-2] - n * (absolute[0, -1] / n - middle) ** 2, 0.0)
            found.append(RowErrors(squared[:-2], absolute[:, :-2], sst, squared[-1]))
        return found


def held_out_errors(
    folding: Folding, slopes: Array, sum_errors: SumErrors, *, last: bool = False
) -> list[RowErrors]:
    """Errors of models on what folds are tested on: `slopes`, shape (folds, points, p), raw units.

    `last`: of models of all rows on the hold-out, shape (1, points, p).
    """
    return held_out_trials(folding, slopes, last=last).summed(sum_errors)


def held_out_trials(folding: Folding, slopes: Array, *, last: bool = False) -> Trials:
    """Such models, to be held against what their folds are tested on."""
    trials, scheme = Trials(folding), folding.scheme
    splits = [folding.whole()] if last else folding.splits()
    tested = [scheme.of_holdout] if last else scheme.tested
    for split, own, parts in zip(splits, slopes, tested, strict=True):
        trials.add(split, own, parts)
    return trials


def _beside_nothing(found: Residual) -> Residual:
    """`found`, of logarithms, and one point more that predicts 0: its errors are the target."""
    nothing = np.zeros((1, found.row.shape[1]))
    nothing[0, 0] = _ENOUGH
    return Residual(
        np.vstack([found.row, nothing]),
        np.vstack([found.by_index, np.zeros((1, found.by_index.shape[1]))]),
        found.indices,
        {c: np.vstack([of, np.zeros((1, of.shape[1]))]) for c, of in found.by_feature.items()},
    )
