"""What Spark ML makes of raw columns: its stages, and what these found as plain numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pyspark.ml import Transformer
from pyspark.ml.base import Estimator
from pyspark.ml.feature import (
    Imputer,
    OneHotEncoder,
    SQLTransformer,
    StandardScaler,
    StringIndexer,
    TargetEncoder,
    VectorAssembler,
)
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in all of Spark's documentation

from tandem.categories import MISSING, by_column, spans
from tandem.engines.spark_weighted import (
    WeightedImputer,
    WeightedIndexer,
    WeightedTargetEncoder,
)
from tandem.records import Array, Plan
from tandem.results import LinearModel
from tandem.settings import Cleaning

FEATURES = "features"


def stages_of(plan: Plan, cleaning: Cleaning) -> list["Estimator[Any] | Transformer"]:
    """Impute, index, encode, assemble, scale: the fitted part of the cleaning, for Spark ML."""
    # Complete columns pass through it unchanged; their means are for rows still to come.
    imputed = {c.id: f"{c.id}_imputed" for c in plan.numeric}
    indexed = {c.id: f"{c.id}_index" for c in plan.categorical}
    by_target = {c.id: f"{c.id}_encoded" for c in plan.target_encoded}
    one_hot = {c.id: f"{c.id}_encoded" for c in plan.one_hot}
    stages: list[Any] = []
    if imputed:
        stages.append(_imputer(plan, imputed))
    if indexed:
        stages.append(_indexer(plan, indexed))
    if by_target:
        stages.append(_target_encoder(plan, by_target, cleaning.smoothing))
    if one_hot:
        stages += _indicators(one_hot, cleaning.max_levels)
    of = {column.id: column.id for column in plan.used} | imputed | indexed | by_target | one_hot
    assembled = [of[column.id] for column in plan.used]
    stages.append(VectorAssembler(inputCols=assembled, outputCol="assembled"))
    stages.append(StandardScaler(inputCol="assembled", outputCol=FEATURES))
    return stages


def _imputer(plan: Plan, outputs: dict[str, str]) -> "Estimator[Any]":
    if plan.weight:
        return WeightedImputer(outputs, plan.weight.id)
    return Imputer(inputCols=[*outputs], outputCols=[*outputs.values()])


def _indexer(plan: Plan, outputs: dict[str, str]) -> "Estimator[Any]":
    if plan.weight:
        return WeightedIndexer(outputs, plan.weight.id)
    names = [*outputs.values()]
    return StringIndexer(inputCols=[*outputs], outputCols=names, handleInvalid="keep")


def _target_encoder(plan: Plan, outputs: dict[str, str], smoothing: float) -> "Estimator[Any]":
    if plan.weight:
        return WeightedTargetEncoder(outputs, plan.target.id, plan.weight.id, smoothing)
    return TargetEncoder(
        inputCols=[f"{name}_index" for name in outputs],
        outputCols=[*outputs.values()],
        labelCol=plan.target.id,
        targetType="continuous",
        smoothing=smoothing,
        handleInvalid="keep",
    )


def _indicators(outputs: dict[str, str], max_levels: int) -> list["Estimator[Any] | Transformer"]:
    """Levels beyond the most frequent ones share an index, then each index has a feature."""
    least = [f"least({name}_index, {max_levels}D) AS {name}_capped" for name in outputs]
    statement = " ".join(["SELECT *,", ", ".join(least), "FROM __THIS__"])
    capped, names = [f"{name}_capped" for name in outputs], [*outputs.values()]
    # A level that is not known to it becomes zeros, as one that shares no feature should.
    encoder = OneHotEncoder(inputCols=capped, outputCols=names, handleInvalid="keep")
    return [SQLTransformer(statement=statement), encoder]


def portable_model(plan: Plan, stages: list[Any], max_levels: int) -> LinearModel:
    """The fitted Spark stages as plain numbers, the scaling folded into the coefficients."""
    by_type = {type(stage).__name__: stage for stage in stages}
    regression = by_type["LinearRegressionModel"]
    means: dict[str, float] = {}
    if plan.numeric:
        weighted = by_type.get("WeightedMeans")
        row = weighted.means if weighted else by_type["ImputerModel"].surrogateDF.first()
        means = {column.name: float(row[column.id]) for column in plan.numeric}
    levels: dict[str, tuple[str | None, ...]] = {}
    if plan.categorical:
        labels = by_type["StringIndexerModel"].labelsArray
        levels = {
            column.name: tuple(None if x == MISSING else x for x in found)
            for column, found in zip(plan.categorical, labels, strict=True)
        }
    coefficients, effects = by_column(plan, slopes_of(plan, by_type), levels, max_levels)
    return LinearModel(
        intercept=float(regression.intercept),
        coefficients=coefficients,
        means=means,
        levels=levels,
        encodings=_targets(plan, by_type, levels) | effects,
        sources=plan.sources,
    )


def _targets(
    plan: Plan, by_type: Mapping[str, Any], levels: Mapping[str, Sequence[str | None]]
) -> dict[str, tuple[float, ...]]:
    """Of every column that is encoded by the target, that of each index and of unseen levels."""
    if (weighted := by_type.get("WeightedTargets")) is None:
        return _target_values(plan, by_type.get("TargetEncoderModel"), levels)
    texts = {name: [MISSING if x is None else x for x in of] for name, of in levels.items()}
    return {c.name: weighted.by_index(c.id, texts[c.name]) for c in plan.target_encoded}


def _target_values(
    plan: Plan, encoder: Any, levels: Mapping[str, Sequence[object]]
) -> dict[str, tuple[float, ...]]:
    """The same by Spark's own encoder."""
    if encoder is None:
        return {}
    encoded = plan.target_encoded
    most = max(len(levels[column.name]) for column in encoded)
    session = SparkSession.active()
    indices = session.range(most + 1).select(
        *(F.col("id").cast("double").alias(name) for name in encoder.getInputCols())
    )
    rows = encoder.transform(indices).orderBy(encoder.getInputCols()[0]).collect()
    found = {}
    for column, output in zip(encoded, encoder.getOutputCols(), strict=True):
        size = len(levels[column.name]) + 1
        found[column.name] = tuple(float(row[output]) for row in rows[:size])
    return found


def slopes_of(plan: Plan, by_type: dict[str, Any]) -> list[Array]:
    """Coefficients of every column in raw units, of the fitted stages by the names of their types.

    Of shape (features,): 1, or the levels that it has seen, where they are 0/1 features.
    """
    regression, scaler = by_type["LinearRegressionModel"], by_type["StandardScalerModel"]
    deviations = scaler.std.toArray()
    scale = np.divide(1.0, deviations, out=np.zeros_like(deviations), where=deviations > 0)
    found: Array = regression.coefficients.toArray() * scale
    sizes = by_type["OneHotEncoderModel"].categorySizes if plan.one_hot else []
    of = dict(zip(plan.one_hot, sizes, strict=True))
    return [found[span] for span in spans(of.get(column, 1) for column in plan.used)]
