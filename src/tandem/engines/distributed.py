"""Spark: repartition, cache, StringIndexer, StandardScaler, LinearRegression, CrossValidator."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from typing import Any

import narwhals as nw
import numpy as np
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.base import Estimator, Transformer
from pyspark.ml.evaluation import RegressionEvaluator
from pyspark.ml.regression import LinearRegression
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 - its name in all of Spark's documentation

from tandem.categories import MISSING, feature_counts, spans
from tandem.cleaning import check_means, measure, take_ledger, valid_row
from tandem.engines.base import Decide, Progress
from tandem.engines.spark_design import FEATURES, portable_model, slopes_of, stages_of
from tandem.engines.spark_weighted import is_there
from tandem.fold_keys import FoldKind
from tandem.folds import FOLD, Assignment
from tandem.model_keys import GridPoint
from tandem.records import Advance, Array, Column, Ledger, Mask, Plan, Task
from tandem.results import HALF, ErrorSums, Facts, LinearModel
from tandem.settings import FitOn
from tandem.spark import (
    by_connect,
    cores,
    end_session,
    partitions,
    session_facts,
    start_session,
)
from tandem.spark.cross_validator import SplitValidator, fold_metrics, places
from tandem.spark.frames import fold_of_row, frame_errors, read_frame, unread_by_spark
from tandem.splits import Splits, check_folds

_SIZE = "absolute error"
# Of a part without a row: rows, how often they count, mean, variance, smallest and largest target.
_NO_ROW = (0, 0.0, 0.0, 0.0, inf, -inf)
_Variation = Callable[[Mask], float]


class Engine:
    """The cluster pipeline that everybody writes."""

    def __init__(self, task: Task, progress: Progress) -> None:
        self.task = task
        self._progress = progress
        self._splits = Splits.of(task.folds)
        self._session: SparkSession | None = None
        self._frame: Any = None
        self._plan: Plan
        self._features: tuple[int, ...]  # of every column
        self._models: Sequence[Sequence[Any]]  # fitted, of every fold and grid point
        self._final: Any  # the fitted model of all rows
        self._cleaning: PipelineModel | None = None  # fitted, where it is fitted on all rows

    def unsupported(self) -> str | None:
        if by_connect(self.task.spark):
            return "its jobs and models are of Spark's own JVM, which Connect does not show"
        return unread_by_spark(self.task.dataset)

    def start(self) -> None:
        self._session = start_session(self.task.spark, f"tandem {self.task.dataset.name}")

    def load(self) -> None:
        assert self._session is not None
        with frame_errors():
            times = self.task.folds.kind is FoldKind.TIME
            rows = read_frame(self._session, self.task.dataset, times=times)
            into = partitions(self.task.spark, cores(self._session))
            self._frame = rows.repartition(into).cache()
            self._frame.count()

    def prepare(self, decide: Decide) -> tuple[Plan, Ledger]:
        plan = decide(measure(nw.from_native(self._frame), self.task.dataset))
        loaded = nw.from_native(self._frame)
        ledger = take_ledger(loaded, plan)
        dataset = self.task.dataset
        assigned = Assignment(self.task.folds, dataset.rows, dataset.fold_labels)
        rows = loaded.filter(valid_row(plan)).to_native().withColumn(FOLD, fold_of_row(assigned))
        kept = [FOLD, *([plan.weight.id] if plan.weight else [])]
        used = rows.select(*(c.id for c in (plan.target, *plan.used)), *kept)
        cleaned = used.na.fill(MISSING, [c.id for c in plan.categorical]).cache()
        cleaned.count()
        self._features = self._counted(cleaned, plan)
        if self.task.cleaning.fit_on is FitOn.ALL:
            stages = self._stages(plan)
            self._cleaning = Pipeline(stages=stages).fit(self._trained_on_all(cleaned))
            prepared = self._cleaning.transform(cleaned)
            prepared = prepared.select(FEATURES, plan.target.id, *kept).cache()
            prepared.count()
            cleaned.unpersist()
            cleaned = prepared
        self._frame.unpersist()
        self._frame, self._plan = cleaned, plan
        return plan, ledger

    def cross_validate(self) -> ErrorSums:
        rows, counts, sst, there = self._part_sums()
        check_folds(rows, self.task.folds)
        check_means(there, rows, self._splits.training)
        n_train, n_test = self._splits.rows(counts)
        estimator, grid = self._search()
        advance = self._progress(self._splits.count * len(grid), "fits")
        validator = SplitValidator(
            self._splits,
            estimator=estimator,
            estimatorParamMaps=grid,
            evaluator=_Evaluator(self.task, self._plan, advance, self.task.scores.by_row),
            numFolds=self._splits.count,
            foldCol=FOLD,
            parallelism=self.task.spark.parallelism,
        )
        found = fold_metrics(validator, self._frame)
        metrics = np.array(found.metrics)
        slopes = [[self._slopes(model) for model in models] for models in found.models]
        tested = np.array(n_test, dtype=np.float64)[:, None]
        sse = metrics[:, :, 0] ** 2 * tested
        self._models = found.models
        others = np.moveaxis(metrics[:, :, 1:], -1, 0) * tested
        by_row = dict(zip(self.task.scores.by_row, others, strict=True))
        variations = np.array([sst(tested) for tested in self._splits.tested])
        sums = ErrorSums(sse, variations, n_train, n_test, by_row=by_row, slopes=np.array(slopes))
        return replace(sums, features=self._features)

    def median_errors(self, point: GridPoint) -> Array:
        place, found = self.task.grid.index(point), []
        for models, tested in zip(self._models, self._splits.tested, strict=True):
            rows = models[place].transform(self._frame.filter(F.col(FOLD).isin(places(tested))))
            y, own = F.col(self._plan.target.id), F.col("prediction")
            if self.task.dataset.in_logs:
                y, own = F.exp(y), F.exp(own)
            found.append(self._median(rows.withColumn(_SIZE, F.abs(y - own))))
        return np.array(found)

    def _median(self, rows: DataFrame) -> float:
        """Of sizes, each as often as its row counts."""
        if not self._plan.weight:
            return _value(rows.agg(F.percentile(_SIZE, 0.5)))
        one = rows.groupBy(_SIZE).agg(F.sum(self._plan.weight.id).alias("counts"))
        together = Window.partitionBy(F.lit(0))
        share = F.sum("counts").over(together.orderBy(_SIZE)) / F.sum("counts").over(together)
        placed = one.select(F.col(_SIZE), share.alias("share"))
        lower = F.min(F.when(F.col("share") >= HALF[0], F.col(_SIZE)))
        upper = F.coalesce(F.min(F.when(F.col("share") > HALF[1], F.col(_SIZE))), F.max(_SIZE))
        return _value(placed.agg((lower + upper) / 2.0))

    def refit(self, point: GridPoint) -> LinearModel:
        estimator, grid = self._search()
        train = self._trained_on_all(self._frame)
        self._final = fitted = estimator.fit(train, grid[self.task.grid.index(point)])
        cleaned = [] if self._cleaning is None else self._cleaning.stages
        stages = [*cleaned, *(fitted.stages if isinstance(fitted, PipelineModel) else [fitted])]
        return portable_model(self._plan, stages, self.task.cleaning.max_levels)

    def hold_out(self) -> ErrorSums | None:
        part = self._splits.holdout
        if part is None:
            return None
        _, rows, sst, _ = self._part_sums()
        found = self._final.transform(self._frame.filter(F.col(FOLD) == part))
        rmse = _Evaluator(self.task, self._plan, lambda _: None).evaluate(found)[0]
        sse = np.array([[rmse**2 * rows[part]]])
        trained = sum(rows[p] for p in places(self._splits.training[-1]))
        return ErrorSums(sse, np.array([sst(self._splits.of_holdout)]), (trained,), (rows[part],))

    def facts(self) -> Facts:
        assert self._session is not None
        # `load` reads the rows once and keeps them, on disk where memory is short. What a lost
        # executor held is read again; Spark does not tell.
        return Facts(scans=1, spark=session_facts(self._session, self.task.spark))

    def close(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            if self._frame is not None:
                self._frame.unpersist()
            end_session(session)

    def _slopes(self, model: Any) -> Array:
        """Of a model that cross-validation fitted, in raw units."""
        cleaned = self._cleaning.stages if self._cleaning is not None else []
        stages = [*cleaned, *(model.stages if isinstance(model, PipelineModel) else [model])]
        by_column = slopes_of(self._plan, {type(stage).__name__: stage for stage in stages})
        found = np.zeros(sum(self._features))
        for own, span in zip(by_column, spans(self._features), strict=True):
            found[span.start : span.start + len(own)] = own  # of levels that it has seen
        return found

    def _counted(self, frame: DataFrame, plan: Plan) -> tuple[int, ...]:
        """How many features every column is."""
        counts = [F.countDistinct(c.id).alias(c.id) for c in plan.one_hot]
        found: Any = frame.agg(*counts).first() if counts else {}
        levels = {c.name: found[c.id] for c in plan.one_hot}
        return feature_counts(plan, levels, self.task.cleaning.max_levels)

    def _part_sums(self) -> tuple[list[int], list[float], _Variation, dict[Column, Any]]:
        """Of every part its rows and how often they count; sst as in ErrorSums, of some parts; and
        rows with a value by part, of the columns that get the mean of training rows.
        """
        y, frame = F.col(self._plan.target.id), self._frame
        y = F.exp(y) if self.task.dataset.in_logs else y
        counts, mean, variance = F.count(y), F.avg(y), F.var_pop(y)
        if self._plan.weight:  # Spark has no variance of weighted rows
            v = F.col(self._plan.weight.id)
            means = frame.groupBy(FOLD).agg((F.sum(v * y) / F.sum(v)).alias("mean"))
            frame = frame.join(F.broadcast(means), FOLD)
            about = F.sum(v * (y - F.col("mean")) ** 2) / F.sum(v)
            counts, mean, variance = F.sum(v), F.first("mean"), about
        imputed = self._plan.imputed if self._cleaning is None else ()
        there = [F.count(F.when(is_there(column.id), 1)) for column in imputed]
        told = (F.count(y), counts, mean, variance, F.min(y), F.max(y), *there)
        of = {int(fold): sums for fold, *sums in frame.groupBy(FOLD).agg(*told).collect()}
        nothing = (*_NO_ROW, *([0] * len(there)))
        found = [of.get(part, nothing) for part in range(self._splits.parts)]
        rows, counted, means, variances, least, most, *filled = zip(*found, strict=True)

        def sst(parts: Mask) -> float:
            at = [*np.flatnonzero(parts)]
            if min(least[p] for p in at) >= max(most[p] for p in at):
                return 0.0
            n, about, spread = (np.array(x)[at] for x in (counted, means, variances))
            middle = n @ about / n.sum()
            return float(n @ (spread + (about - middle) ** 2))

        return [*rows], [*counted], sst, dict(zip(imputed, filled, strict=True))

    def _trained_on_all(self, frame: DataFrame) -> DataFrame:
        """The rows of the model of all rows: without the hold-out."""
        members = self._splits.training[-1]
        return frame if members.all() else frame.filter(F.col(FOLD).isin(places(members)))

    def _regression(self) -> LinearRegression:
        solver = self.task.solver
        regression = LinearRegression(featuresCol=FEATURES, labelCol=self._plan.target.id)
        if self._plan.weight:
            regression.setWeightCol(self._plan.weight.id)
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
        return stages_of(plan, self.task.cleaning)


class _Evaluator(RegressionEvaluator):
    """RMSE and, as asked for in `by_row`, MAE, Spark's, and MAPE; and a tick for the bar.

    CrossValidator only keeps what `evaluate` returns until it averages, so a list will do.
    """

    def __init__(
        self, task: Task, plan: Plan, advance: Advance, by_row: Sequence[str] = ()
    ) -> None:
        super().__init__(labelCol=plan.target.id, metricName="rmse")
        if plan.weight:
            self.setWeightCol(plan.weight.id)
        self._advance, self._by_row, self._in_logs = advance, by_row, task.dataset.in_logs
        self._weight = F.col(plan.weight.id) if plan.weight else F.lit(1.0)

    def evaluate(self, dataset: DataFrame, params: Any = None) -> Any:
        if self._in_logs:
            own = self.getLabelCol(), self.getPredictionCol()
            dataset = dataset.withColumns({name: F.exp(name) for name in own})
        metrics = [super().evaluate(dataset, params)]
        if "mae" in self._by_row:
            metrics.append(super().evaluate(dataset, {self.metricName: "mae"}))
        if "mape" in self._by_row:
            y, v = F.col(self.getLabelCol()), self._weight
            share = F.abs((y - F.col(self.getPredictionCol())) / y)
            metrics += [*(dataset.agg(F.sum(v * share) / F.sum(v)).first() or ())]
        self._advance(1)
        return metrics


def _value(frame: DataFrame) -> float:
    """The one number of a frame."""
    ((found,),) = frame.collect()
    return float(found)
