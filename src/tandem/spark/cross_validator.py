"""The metrics and models of every fold out of Spark's own cross-validation, which drops both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
from pyspark.ml import tuning
from pyspark.ml.tuning import CrossValidator
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - its name in all of Spark's documentation

from tandem.records import Mask
from tandem.splits import Splits

Fit = Callable[[], tuple[int, Any, Any]]


@dataclass(frozen=True)
class Folds:
    """`metrics[fold][point]`: what the evaluator returned; `models[fold][point]`: fitted."""

    metrics: Sequence[Sequence[Sequence[float]]]
    models: Sequence[Sequence[Any]]


class SplitValidator(CrossValidator):
    """Spark's CrossValidator, trained and tested on what `splits` says of the parts in `foldCol`.

    Where a fold is trained on all others, that is what Spark's own does.
    """

    def __init__(self, splits: Splits, **params: Any) -> None:
        super().__init__(**params)
        self._splits = splits

    def _kFold(self, dataset: DataFrame) -> list[tuple[DataFrame, DataFrame]]:  # noqa: N802 - its
        if self._splits.all_others:
            return super()._kFold(dataset)
        part = F.col(self.getFoldCol())
        pairs = zip(self._splits.training[:-1], self._splits.tested, strict=True)
        return [
            (dataset.filter(part.isin(places(train))), dataset.filter(part.isin(places(test))))
            for train, test in pairs
        ]


def places(members: Mask) -> list[int]:
    """The numbers of the parts that are `members`."""
    found: list[int] = np.flatnonzero(members).tolist()
    return found


class _Measured(Exception):  # noqa: N818 - carries a result, reports no error
    def __init__(self, metrics: list[list[list[float]]]) -> None:
        super().__init__()
        self.metrics = metrics


def fold_metrics(validator: CrossValidator, frame: DataFrame) -> Folds:
    """What Spark's own cross-validation finds of every fold.

    CrossValidator averages the metrics away and then refits. This takes them where it would
    average, and leaves the refit to the stage that is timed as such. Raises AssertionError where
    another version of Spark averages elsewhere.
    """
    points = len(validator.getEstimatorParamMaps())
    models: list[list[Any]] = []
    original = tuning._parallelFitTasks  # noqa: SLF001 - Spark would keep models only to the end

    def kept(*arguments: Any) -> Sequence[Fit]:
        here: list[Any] = [None] * points
        models.append(here)

        def keeping(fit: Fit) -> tuple[int, Any, Any]:
            index, metric, here[index] = fit()
            return index, metric, None

        fits = original(*[*arguments[:-1], True])  # the last: whether to give models back
        return [partial(keeping, fit) for fit in fits]

    def take(metrics: list[list[list[float]]]) -> None:
        raise _Measured(metrics)

    with (
        patch.object(tuning, "_parallelFitTasks", kept),
        patch.object(CrossValidator, "_gen_avg_and_std_metrics", staticmethod(take)),
    ):
        try:
            validator.fit(frame)
        except _Measured as measured:
            return Folds(measured.metrics, models)
    raise AssertionError("CrossValidator no longer averages by _gen_avg_and_std_metrics")
