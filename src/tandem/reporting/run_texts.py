"""A result as text and tables. Nothing here touches a tracking store."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from tandem.records import Action
from tandem.redaction import redacted
from tandem.reporting.templates import template
from tandem.results import Result

if TYPE_CHECKING:
    import pandas as pd


def fold_metrics(result: Result) -> "pd.DataFrame":
    """fold, reg_param, elastic_net_param, n_train, n_test, rmse, r2 (, mae): a row for every fold
    and grid point, folds first.
    """
    import pandas as pd  # noqa: PLC0415 - slow, and the answer stands before

    scores, sums, grid = result.scores, result.sums, result.task.grid
    folds, points = scores.rmse.shape
    metrics = {"rmse": scores.rmse, "r2": scores.r2, "mae": scores.mae}
    return pd.DataFrame(
        {
            "fold": np.arange(folds).repeat(points),
            "reg_param": [point.reg_param for point in grid] * folds,
            "elastic_net_param": [point.elastic_net_param for point in grid] * folds,
            "n_train": np.repeat(sums.n_train, points),
            "n_test": np.repeat(sums.n_test, points),
            **{name: values.ravel() for name, values in metrics.items() if values is not None},
        }
    )


def folds_table(result: Result) -> "pd.DataFrame":
    """fold, n_train, n_test, target_std (population, in units of the target): a row per fold."""
    import pandas as pd  # noqa: PLC0415 - slow, and the answer stands before

    sums = result.sums
    deviation = np.sqrt(sums.sst / np.asarray(sums.n_test))
    rows = {"n_train": sums.n_train, "n_test": sums.n_test, "target_std": deviation}
    return pd.DataFrame({"fold": range(len(deviation)), **rows})


def cleaning_json(result: Result) -> str:
    """The ledger and the decision for every column, as JSON."""
    decisions = [
        {"column": d.column.name, "kind": d.column.kind, "action": d.action}
        | {"missing": d.missing, "reason": d.reason}
        for d in result.plan.decisions
    ]
    return json.dumps({"ledger": asdict(result.ledger), "decisions": decisions}, indent=1)


def cleaning_html(result: Result) -> str:
    """The same as a page that MLflow shows inline."""
    line = ledger_line(asdict(result.ledger))
    return template("cleaning.html.j2").render(ledger=line, decisions=result.plan.decisions)


def ledger_line(ledger: Mapping[str, int]) -> str:
    """Where every row went, in one line."""
    return (
        f"{ledger['rows_in']:,} rows = {ledger['rows_used']:,} used "
        f"+ {ledger['rows_dropped_target']:,} without target "
        f"+ {ledger['rows_dropped_missing']:,} missing a required value "
        f"+ {ledger['rows_rejected']:,} rejected; {ledger['cells_imputed']:,} cells imputed."
    )


def checks_json(result: Result) -> str:
    """The remarks of a careful reader, as JSON."""
    return json.dumps([*result.remarks], indent=1)


def spark_json(result: Result) -> str:
    """Spark's configuration as JSON, secrets redacted; nothing for an engine without Spark."""
    if result.facts.spark is None:
        return ""
    conf = dict(sorted(result.facts.spark.conf.items()))
    return json.dumps(redacted(conf, conf), indent=1)


def spark_log(result: Result) -> str:
    """What Spark's JVM wrote of itself; nothing for an engine without Spark."""
    return result.facts.spark.log if result.facts.spark else ""


def run_note(result: Result) -> str:
    """The run's description in the MLflow UI, in Markdown."""
    scores, best = result.scores, result.best
    dropped = len(result.plan.columns(Action.DROP_COLUMN))
    mae = "" if scores.mae is None else f", MAE {scores.mae[:, scores.best].mean():.6g}"
    kept = result.ledger.rows_from_cache
    return (
        f"**{result.engine}** on {result.task.dataset.name}: {result.ledger.rows_used:,} of "
        f"{result.ledger.rows_in:,} rows used, {len(result.plan.used)} features "
        f"({dropped} dropped), {result.task.folds.k} folds, "
        f"{len(result.task.grid)} grid points.\n\n"
        f"Held-out RMSE {scores.rmse_mean[scores.best]:.6g}{mae} at reg_param={best.reg_param:g}, "
        f"elastic_net_param={best.elastic_net_param:g}; "
        f"{result.times['time/total_s']:.1f} s in all, {result.times['time/train_s']:.1f} s of it "
        "cross-validation."
        + (f" {kept:,} rows were not read: the cache held their sums." if kept else "")
        + "".join(f"\n- {line}" for line in result.remarks)
    )
