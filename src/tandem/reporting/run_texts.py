"""A result as text and tables. Nothing here touches a tracking store."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from html import escape

import numpy as np

from tandem.records import Action
from tandem.redaction import redacted
from tandem.results import Result


def fold_metrics(result: Result) -> str:
    """CSV: fold, reg_param, elastic_net_param, n_train, n_test, rmse, r2 (, mae); all digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    scores = result.scores
    metrics = {"rmse": scores.rmse, "r2": scores.r2}
    if scores.mae is not None:
        metrics["mae"] = scores.mae
    writer.writerow(("fold", "reg_param", "elastic_net_param", "n_train", "n_test", *metrics))
    for fold, (train, test) in enumerate(zip(result.sums.n_train, result.sums.n_test, strict=True)):
        for index, point in enumerate(result.task.grid):
            values = (values[fold, index] for values in metrics.values())
            row = (fold, point.reg_param, point.elastic_net_param, train, test, *values)
            writer.writerow([repr(float(x)) if isinstance(x, float) else x for x in row])
    return text.getvalue()


def folds_table(result: Result) -> str:
    """CSV: fold, n_train, n_test, target_std (population, in units of the target); all digits."""
    sums = result.sums
    spread = np.sqrt(sums.sst / np.asarray(sums.n_test)).tolist()
    rows = zip(range(len(spread)), sums.n_train, sums.n_test, map(repr, spread), strict=True)
    lines = ("fold,n_train,n_test,target_std", *(",".join(map(str, row)) for row in rows))
    return "\n".join(lines) + "\n"


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
    rows = "".join(
        f"<tr><td>{escape(d.column.name)}<td>{d.column.kind}<td>{d.action}"
        f"<td align=right>{d.missing:,}<td>{escape(d.reason)}"
        for d in result.plan.decisions
    )
    return (
        "<!doctype html><meta charset=utf-8><title>Cleaning</title>"
        "<style>body{font:14px system-ui;margin:2em}td,th{padding:.2em .8em;text-align:left}"
        "tr:nth-child(even){background:#f4f4f4}</style>"
        f"<h1>Cleaning</h1><p>{ledger_line(asdict(result.ledger))}</p>"
        f"<table><tr><th>column<th>kind<th>action<th>missing<th>why{rows}</table>"
    )


def ledger_line(ledger: Mapping[str, int]) -> str:
    """Where every row went, in one line."""
    return (
        f"{ledger['rows_in']:,} rows = {ledger['rows_used']:,} used "
        f"+ {ledger['rows_dropped_target']:,} without target "
        f"+ {ledger['rows_dropped_missing']:,} missing a required value "
        f"+ {ledger['rows_rejected']:,} rejected; {ledger['cells_imputed']:,} cells imputed."
    )


def texts(result: Result) -> Iterator[tuple[str, str]]:
    """Path and content of every text artifact of a run but its configuration."""
    yield "cv/fold_metrics.csv", fold_metrics(result)
    yield "cv/folds.csv", folds_table(result)
    yield "data/cleaning.json", cleaning_json(result)
    yield "data/cleaning.html", cleaning_html(result)
    yield "cv/checks.json", json.dumps([*result.findings], indent=1)
    if spark := result.facts.spark:
        conf = dict(sorted(spark.conf.items()))
        yield "spark/conf.json", json.dumps(redacted(conf, conf), indent=1)


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
        + "".join(f"\n- {line}" for line in result.findings)
    )
