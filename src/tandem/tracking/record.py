"""Everything that is logged of a run but its files. Pure: what it holds is what is logged."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

import numpy as np

from tandem.machine import machine_name
from tandem.records import Action
from tandem.redaction import shown
from tandem.registry import color
from tandem.reporting import run_note
from tandem.results import Result
from tandem.scores import of_hold_out

KEY_TAG = "record.key"


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that is logged of a run but its files: metrics are (key, value, step)."""

    params: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[tuple[str, float, int], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    def values(self) -> dict[str, float]:
        """The last value of every metric by its key."""
        return {key: value for key, value, _ in self.metrics}


def describe(result: Result, params: Mapping[str, str], config_hash: str, key: str = "") -> Record:
    """The record, known by `key`, of a finished run. Pure: what it holds is what is logged."""
    best = {
        "best.reg_param": repr(result.best.reg_param),
        "best.elastic_net_param": repr(result.best.elastic_net_param),
    }
    spark = result.facts.spark.settings if result.facts.spark else {}
    tags = {
        "engine": result.engine,
        "kind": "run",
        KEY_TAG: key,
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
        (key, float(value), step)
        for key, values in _metrics(result).items()
        for step, value in enumerate(np.atleast_1d(values))
        if isfinite(value)
    )
    return Record({**params, **spark, **best}, metrics, tags)


def _run_name(result: Result) -> str:
    dataset = result.task.dataset
    return f"{result.engine}-{dataset.name}-{dataset.rows}r-{result.task.folds.count}f"


def _metrics(result: Result) -> dict[str, Any]:
    """By key a number, or one for every step: by fold (`fold/`), by grid point (`grid/`)."""
    scores, sums, facts, best = result.scores, result.sums, result.facts, result.scores.best
    ledger = {name.removesuffix("_in"): count for name, count in asdict(result.ledger).items()}
    found: dict[str, Any] = {
        "cv/rmse_mean": scores.rmse_mean[best],
        "cv/rmse_std": scores.rmse_std[best],
        "cv/r2_mean": scores.r2[:, best].mean(),
        "cv/fits": scores.rmse.size,
        "cv/unconverged_fits": sums.unconverged,
        **result.times,
        **{f"data/{name}": count for name, count in ledger.items()},
        "data/scans": facts.scans,
        "data/features": sum(result.sums.features),
        "data/levels": sum(map(len, result.model.levels.values())),
        "data/columns_dropped": len(result.plan.columns(Action.DROP_COLUMN)),
        "memory/peak_mb": result.peak_mb,
    }
    by_fold: dict[str, Any] = {"fold/rmse": scores.rmse[:, best], "fold/r2": scores.r2[:, best]}
    for name, values in scores.chosen.items():
        found[f"cv/{name}_mean"] = values.mean()
        by_fold[f"fold/{name}"] = values
    if sums.designs:
        by_fold["fold/rank"] = [design.rank for design in sums.designs]
        by_fold["fold/condition"] = [design.condition for design in sums.designs]
        found["cv/rank_min"] = min(by_fold["fold/rank"])
        found["cv/condition_max"] = max(by_fold["fold/condition"])
    found |= {f"holdout/{name}": one for name, one in of_hold_out(result.held_out).items()}
    if facts.moments_mb is not None:
        found["memory/moments_mb"] = facts.moments_mb
    if spark := facts.spark:
        found |= {"spark/jobs": spark.jobs, "spark/tasks": spark.tasks}
        found["spark/executors_lost"] = len(spark.lost)
    # Last: MLflow lists metrics as they come, and of these only the last step.
    by_point = {"grid/rmse_mean": scores.rmse_mean, "grid/rmse_std": scores.rmse_std}
    return found | by_fold | by_point
