"""Everything that is logged of a run but its files. Pure: what it holds is what is logged."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite

from tandem.engines import color
from tandem.machine import machine_name
from tandem.records import Action
from tandem.redaction import shown
from tandem.reporting import run_note
from tandem.results import Result


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that is logged of a run but its files: metrics are (key, value, step)."""

    params: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[tuple[str, float, int], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    def values(self) -> dict[str, float]:
        """The last value of every metric by its key."""
        return {key: value for key, value, _ in self.metrics}


def describe(result: Result, params: Mapping[str, str], config_hash: str) -> Record:
    """The record of a finished run. Pure: what it holds is what is logged."""
    best = {
        "best.reg_param": repr(result.best.reg_param),
        "best.elastic_net_param": repr(result.best.elastic_net_param),
    }
    spark = result.facts.spark.settings if result.facts.spark else {}
    tags = {
        "engine": result.engine,
        "kind": "run",
        "data.fingerprint": result.task.dataset.fingerprint,
        "config.hash": config_hash,
        "machine": machine_name(),
        "mlflow.runName": _run_name(result),
        "mlflow.note.content": shown(run_note(result)),
        "mlflow.runColor": color(result.engine),
    }
    if result.facts.counted:
        tags["data.counted_categories"] = ", ".join(result.facts.counted)
    metrics = tuple(
        (key, float(value), step) for key, value, step in _metrics(result) if isfinite(value)
    )
    return Record({**params, **spark, **best}, metrics, tags)


def _run_name(result: Result) -> str:
    dataset = result.task.dataset
    return f"{result.engine}-{dataset.name}-{dataset.rows}r-{result.task.folds.k}f"


def _metrics(result: Result) -> Iterator[tuple[str, float, int]]:
    scores, ledger, best = result.scores, result.ledger, result.scores.best
    yield "cv/rmse_mean", scores.rmse_mean[best], 0
    yield "cv/rmse_std", scores.rmse_std[best], 0
    yield "cv/r2_mean", scores.r2[:, best].mean(), 0
    for fold in range(result.task.folds.k):
        yield "fold/rmse", scores.rmse[fold, best], fold
        yield "fold/r2", scores.r2[fold, best], fold
    if scores.mae is not None:
        yield "cv/mae_mean", scores.mae[:, best].mean(), 0
        for fold, mae in enumerate(scores.mae[:, best]):
            yield "fold/mae", mae, fold
    for index in range(len(result.task.grid)):
        yield "grid/rmse_mean", scores.rmse_mean[index], index
        yield "grid/rmse_std", scores.rmse_std[index], index
    yield from ((key, value, 0) for key, value in result.times.items())
    yield "data/rows", ledger.rows_in, 0
    yield "data/rows_used", ledger.rows_used, 0
    yield "data/rows_dropped_target", ledger.rows_dropped_target, 0
    yield "data/rows_dropped_missing", ledger.rows_dropped_missing, 0
    yield "data/rows_rejected", ledger.rows_rejected, 0
    yield "data/rows_from_cache", ledger.rows_from_cache, 0
    yield "data/cells_imputed", ledger.cells_imputed, 0
    yield "data/scans", result.facts.scans, 0
    yield "data/features", len(result.plan.used), 0
    yield "data/levels", sum(map(len, result.model.levels.values())), 0
    yield "cv/fits", result.task.folds.k * len(result.task.grid), 0
    yield "data/columns_dropped", len(result.plan.columns(Action.DROP_COLUMN)), 0
    yield "cv/unconverged_fits", result.sums.unconverged, 0
    if designs := result.sums.designs:
        for fold, design in enumerate(designs):
            yield "fold/rank", design.rank, fold
            yield "fold/condition", design.condition, fold
        yield "cv/rank_min", min(design.rank for design in designs), 0
        yield "cv/condition_max", max(design.condition for design in designs), 0
    yield "memory/peak_mb", result.peak_mb, 0
    if result.facts.moments_mb is not None:
        yield "memory/moments_mb", result.facts.moments_mb, 0
    if spark := result.facts.spark:
        yield "spark/jobs", spark.jobs, 0
        yield "spark/tasks", spark.tasks, 0
