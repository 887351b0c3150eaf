"""Stages that Spark ML has without weights alone: means, order of levels, mean targets.

Each is fitted to rows that count as often as the column `weight` says.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pyspark.ml import Transformer
from pyspark.ml.base import Estimator
from pyspark.ml.feature import StringIndexerModel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - its name in all of Spark's documentation
from pyspark.sql import types as T  # noqa: N812 - the same

from tandem.categories import frequency_order


class WeightedMeans(Transformer):
    """Missing numbers become `means`, by column; the results are called as `outputs` says."""

    def __init__(self, means: Mapping[str, float], outputs: Mapping[str, str]) -> None:
        super().__init__()
        self.means, self._outputs = means, outputs

    def _transform(self, dataset: DataFrame) -> DataFrame:
        filled = {
            output: F.when(is_there(name), F.col(name)).otherwise(F.lit(self.means[name]))
            for name, output in self._outputs.items()
        }
        return dataset.withColumns(filled)


class WeightedImputer(Estimator[WeightedMeans]):
    """sum v x / sum v over the rows where x is there, of every column in `outputs`."""

    def __init__(self, outputs: Mapping[str, str], weight: str) -> None:
        super().__init__()
        self._outputs, self._weight = outputs, weight

    def _fit(self, dataset: DataFrame) -> WeightedMeans:
        v = F.col(self._weight)
        means = [
            (F.sum(F.when(is_there(x), F.col(x) * v)) / F.sum(F.when(is_there(x), v))).alias(x)
            for x in self._outputs
        ]
        row: Any = dataset.agg(*means).first()
        return WeightedMeans({x: float(row[x]) for x in self._outputs}, self._outputs)


class WeightedIndexer(Estimator[StringIndexerModel]):
    """Levels by descending sum of v, ties by text: Spark's own model, with these labels."""

    def __init__(self, outputs: Mapping[str, str], weight: str) -> None:
        super().__init__()
        self._outputs, self._weight = outputs, weight

    def _fit(self, dataset: DataFrame) -> StringIndexerModel:
        labels = []
        for name in self._outputs:
            found = dataset.groupBy(name).agg(F.sum(self._weight)).collect()
            levels = [level for level, _ in found]
            order = frequency_order(levels, np.array([count for _, count in found]))
            labels.append([levels[i] for i in order.tolist()])
        names = [*self._outputs], [*self._outputs.values()]
        return StringIndexerModel.from_arrays_of_labels(labels, *names, handleInvalid="keep")


class WeightedTargets(Transformer):
    """A level becomes `values[column][level]`, one that is not there `unseen`."""

    def __init__(
        self,
        values: Mapping[str, Mapping[str, float]],
        unseen: float,
        outputs: Mapping[str, str],
    ) -> None:
        super().__init__()
        self.values, self.unseen, self._outputs = values, unseen, outputs

    def _transform(self, dataset: DataFrame) -> DataFrame:
        for name, output in self._outputs.items():
            schema = T.StructType().add(name, T.StringType()).add(output, T.DoubleType())
            rows = [*self.values[name].items()]
            table = F.broadcast(dataset.sparkSession.createDataFrame(rows, schema))
            dataset = dataset.join(table, name, "left").na.fill(self.unseen, [output])
        return dataset

    def by_index(self, name: str, levels: Sequence[str]) -> tuple[float, ...]:
        """Those of `levels` in their order, then that of one that is not there."""
        return (*(self.values[name][level] for level in levels), self.unseen)


class WeightedTargetEncoder(Estimator[WeightedTargets]):
    """(sum v y + m mean) / (sum v + m) of every level, m being `smoothing`; else the mean."""

    def __init__(
        self, outputs: Mapping[str, str], target: str, weight: str, smoothing: float
    ) -> None:
        super().__init__()
        self._outputs, self._target = outputs, target
        self._weight, self._smoothing = weight, smoothing

    def _fit(self, dataset: DataFrame) -> WeightedTargets:
        y, v = F.col(self._target), F.col(self._weight)
        whole: Any = dataset.agg(F.sum(v * y) / F.sum(v)).first()
        mean, m = float(whole[0]), self._smoothing
        values = {}
        for name in self._outputs:
            found = dataset.groupBy(name).agg(F.sum(v * (y - mean)), F.sum(v)).collect()
            values[name] = {level: mean + total / (rows + m) for level, total, rows in found}
        return WeightedTargets(values, mean, self._outputs)


def is_there(name: str) -> Column:
    """Whether a number is neither missing nor NaN."""
    return F.col(name).isNotNull() & ~F.isnan(name)
