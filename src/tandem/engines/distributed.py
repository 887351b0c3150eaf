"""Spark: repartition, cache, StringIndexer, StandardScaler, LinearRegression, CrossValidator."""

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.base import Estimator, Transformer
from pyspark.ml.evaluation import RegressionEvaluator
from pyspark.ml.feature import (
    Imputer,
    StandardScaler,
    StringIndexer,
    TargetEncoder,
    VectorAssembler,
)
from pyspark.ml.regression import LinearRegression
from pyspark.ml.tuning import CrossValidator
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in all of Spark's documentation

from tandem.cleaning import MISSING, measure, take_ledger, valid_row
from tandem.engines.base import Decide, Progress
from tandem.folds import FOLD, Assignment, check_folds
from tandem.records import Advance, Array, Ledger, Plan, Task
from tandem.results import ErrorSums, Facts, LinearModel
from tandem.settings import FitOn, GridPoint
from tandem.spark import partitions, session_facts, start_session
from tandem.spark.cross_validator import fold_metrics
from tandem.spark.frames import fold_of_row, frame_errors, read_frame, unread_by_spark

_FEATURES = "features"


class Engine:
    """The cluster pipeline that everybody writes."""

    def __init__(self, task: Task, progress: Progress) -> None:
        self.task = task
        self._progress = progress
        self._session: SparkSession | None = None
        self._frame: DataFrame
        self._plan: Plan
        self._cleaning: PipelineModel | None = None  # fitted, where it is fitted on all rows

    def unsupported(self) -> str | None:
        return unread_by_spark(self.task.dataset)

    def start(self) -> None:
        self._session = start_session(self.task.spark, f"tandem {self.task.dataset.name}")

    def load(self) -> None:
        assert self._session is not None
        with frame_errors():
            rows = read_frame(self._session, self.task.dataset)
            self._frame = rows.repartition(partitions(self.task.spark)).cache()
            self._frame.count()

    def prepare(self, decide: Decide) -> tuple[Plan, Ledger]:
        plan = decide(measure(nw.from_native(self._frame), self.task.dataset))
        loaded = nw.from_native(self._frame)
        ledger = take_ledger(loaded, plan)
        assigned = Assignment(self.task.folds, self.task.dataset.rows)
        rows = loaded.filter(valid_row(plan)).to_native().withColumn(FOLD, fold_of_row(assigned))
        used = rows.select(*(c.id for c in (plan.target, *plan.used)), FOLD)
        cleaned = used.na.fill(MISSING, [c.id for c in plan.categorical]).cache()
        cleaned.count()
        if self.task.cleaning.fit_on is FitOn.ALL:
            self._cleaning = Pipeline(stages=self._stages(plan)).fit(cleaned)
            prepared = self._cleaning.transform(cleaned)
            prepared = prepared.select(_FEATURES, plan.target.id, FOLD).cache()
            prepared.count()
            cleaned.unpersist()
            cleaned = prepared
        self._frame.unpersist()
        self._frame, self._plan = cleaned, plan
        return plan, ledger

    def cross_validate(self) -> ErrorSums:
        n_test, sst = self._fold_sums()
        check_folds(n_test, self.task.folds)
        estimator, grid = self._search()
        advance = self._progress(self.task.folds.k * len(grid), "fits")
        validator = CrossValidator(
            estimator=estimator,
            estimatorParamMaps=grid,
            evaluator=_Evaluator(self._plan.target.id, advance, mae=self.task.mae),
            numFolds=self.task.folds.k,
            foldCol=FOLD,
            parallelism=self.task.spark.parallelism,
        )
        found = fold_metrics(validator, self._frame)
        metrics = np.array(found.metrics)
        slopes = [[self._slopes(model) for model in models] for models in found.models]
        n_train = tuple(sum(n_test) - rows for rows in n_test)
        rows = np.array(n_test, dtype=np.float64)[:, None]
        sse = metrics[:, :, 0] ** 2 * rows
        sae = metrics[:, :, 1] * rows if self.task.mae else None
        return ErrorSums(sse, sst, n_train, tuple(n_test), sae=sae, slopes=np.array(slopes))

    def refit(self, point: GridPoint) -> LinearModel:
        estimator, grid = self._search()
        fitted: Any = estimator.fit(self._frame, grid[self.task.grid.index(point)])
        if self._cleaning is not None:
            return portable_model(self._plan, [*self._cleaning.stages, fitted])
        return portable_model(self._plan, fitted.stages)

    def facts(self) -> Facts:
        assert self._session is not None
        # `load` reads the rows once and keeps them, on disk where memory is short. What a lost
        # executor held is read again; Spark does not tell.
        return Facts(scans=1, spark=session_facts(self._session, self.task.spark))

    def close(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            session.stop()

    def _slopes(self, model: Any) -> Array:
        """Of a model that cross-validation fitted, in raw units."""
        cleaned = self._cleaning.stages if self._cleaning is not None else []
        stages = [*cleaned, *(model.stages if isinstance(model, PipelineModel) else [model])]
        return _raw({type(stage).__name__: stage for stage in stages})

    def _fold_sums(self) -> tuple[list[int], Any]:
        y = F.col(self._plan.target.id)
        variance_of = F.when(F.min(y) == F.max(y), 0.0).otherwise(F.var_pop(y))
        groups = self._frame.groupBy(FOLD).agg(F.count(y), variance_of).collect()
        rows = {int(fold): (int(n), float(variance)) for fold, n, variance in groups}
        n_test = [rows.get(fold, (0, 0.0))[0] for fold in range(self.task.folds.k)]
        return n_test, np.array([n * rows.get(fold, (0, 0.0))[1] for fold, n in enumerate(n_test)])

    def _regression(self) -> LinearRegression:
        solver = self.task.solver
        regression = LinearRegression(featuresCol=_FEATURES, labelCol=self._plan.target.id)
        if solver.tol is not None:
            regression.setTol(solver.tol)
        if solver.max_iter is not None:
            regression.setMaxIter(solver.max_iter)
        return regression

    def _search(self) -> tuple["Estimator[Any]", list[Any]]:
        """The estimator, and the grid as Spark's parameter maps in the order of the task's grid."""
        regression = self._regression()
        grid = [
            {
                regression.regParam: point.reg_param,
                regression.elasticNetParam: point.elastic_net_param,
            }
            for point in self.task.grid
        ]
        if self._cleaning is not None:
            return regression, grid
        return Pipeline(stages=[*self._stages(self._plan), regression]), grid

    def _stages(self, plan: Plan) -> list["Estimator[Any] | Transformer"]:
        return cleaning_stages(plan, self.task.cleaning.smoothing)


def cleaning_stages(plan: Plan, smoothing: float) -> list["Estimator[Any] | Transformer"]:
    """Impute, index, encode, assemble, scale: the fitted part of the cleaning as Spark ML stages.

    `smoothing`: of the categories that are encoded by the target.
    """
    stages: list[Any] = []
    source = {column.id: column.id for column in plan.used}
    if plan.numeric:
        # Complete columns pass through it unchanged; their means are for rows still to come.
        numeric = [c.id for c in plan.numeric]
        source |= {name: f"{name}_imputed" for name in numeric}
        stages.append(Imputer(inputCols=numeric, outputCols=[source[name] for name in numeric]))
    if plan.categorical:
        categorical = [c.id for c in plan.categorical]
        source |= {name: f"{name}_index" for name in categorical}
        outputs = [source[name] for name in categorical]
        stages.append(
            StringIndexer(inputCols=categorical, outputCols=outputs, handleInvalid="keep")
        )
    if plan.target_encoded:
        encoded = [column.id for column in plan.target_encoded]
        indexed = [source[name] for name in encoded]
        source |= {name: f"{name}_encoded" for name in encoded}
        encoder = TargetEncoder(
            inputCols=indexed,
            outputCols=[source[name] for name in encoded],
            labelCol=plan.target.id,
            targetType="continuous",
            smoothing=smoothing,
            handleInvalid="keep",
        )
        stages.append(encoder)
    assembled = [source[column.id] for column in plan.used]
    stages.append(VectorAssembler(inputCols=assembled, outputCol="assembled"))
    stages.append(StandardScaler(inputCol="assembled", outputCol=_FEATURES))
    return stages


def portable_model(plan: Plan, stages: list[Any]) -> LinearModel:
    """The fitted Spark stages as plain numbers, the scaling folded into the coefficients."""
    by_type = {type(stage).__name__: stage for stage in stages}
    regression = by_type["LinearRegressionModel"]
    coefficients = _raw(by_type)
    means: dict[str, float] = {}
    if plan.numeric:
        row = by_type["ImputerModel"].surrogateDF.first()
        means = {column.name: float(row[column.id]) for column in plan.numeric}
    levels: dict[str, tuple[str | None, ...]] = {}
    if plan.categorical:
        labels = by_type["StringIndexerModel"].labelsArray
        levels = {
            column.name: tuple(None if x == MISSING else x for x in found)
            for column, found in zip(plan.categorical, labels, strict=True)
        }
    names = (column.name for column in plan.used)
    return LinearModel(
        intercept=float(regression.intercept),
        coefficients=dict(zip(names, coefficients.tolist(), strict=True)),
        means=means,
        levels=levels,
        encodings=_target_values(plan, by_type.get("TargetEncoderModel"), levels),
    )


def _target_values(
    plan: Plan, encoder: Any, levels: Mapping[str, Sequence[object]]
) -> dict[str, tuple[float, ...]]:
    """Of every column that is encoded by the target, that of each index and of unseen levels."""
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


def _raw(by_type: dict[str, Any]) -> Array:
    """Coefficients in raw units, shape (p,), of the fitted stages by the names of their types."""
    regression, scaler = by_type["LinearRegressionModel"], by_type["StandardScalerModel"]
    deviations = scaler.std.toArray()
    scale = np.divide(1.0, deviations, out=np.zeros_like(deviations), where=deviations > 0)
    found: Array = regression.coefficients.toArray() * scale
    return found


class _Evaluator(RegressionEvaluator):
    """RMSE and, where asked for, MAE: Spark's, one after the other; and a tick for the bar.

    CrossValidator only keeps what `evaluate` returns until it averages, so a pair will do.
    """

    def __init__(self, target: str, advance: Advance, *, mae: bool) -> None:
        super().__init__(labelCol=target, metricName="rmse")
        self._advance, self._mae = advance, mae

    def evaluate(self, dataset: DataFrame, params: Any = None) -> Any:
        metrics = [super().evaluate(dataset, params)]
        if self._mae:
            metrics.append(super().evaluate(dataset, {self.metricName: "mae"}))
        self._advance(1)
        return metrics
