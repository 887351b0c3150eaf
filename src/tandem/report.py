"""A result as text, tables and pictures. Nothing here touches a tracking store."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path

from tandem.records import Action
from tandem.result import Result
from tandem.timing import STAGES

COLORS = {
    "sequential": "#4c78a8",
    "distributed": "#e45756",
    "scan": "#54a24b",
    "distributed_scan": "#b279a2",
}


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
    ledger = result.ledger
    rows = "".join(
        f"<tr><td>{escape(d.column.name)}<td>{d.column.kind}<td>{d.action}"
        f"<td align=right>{d.missing:,}<td>{escape(d.reason)}"
        for d in result.plan.decisions
    )
    return (
        "<!doctype html><meta charset=utf-8><title>Cleaning</title>"
        "<style>body{font:14px system-ui;margin:2em}td,th{padding:.2em .8em;text-align:left}"
        "tr:nth-child(even){background:#f4f4f4}</style>"
        f"<h1>Cleaning</h1><p>{ledger.rows_in:,} rows = {ledger.rows_used:,} used "
        f"+ {ledger.rows_dropped_target:,} without target "
        f"+ {ledger.rows_dropped_missing:,} missing a required value "
        f"+ {ledger.rows_rejected:,} rejected; {ledger.cells_imputed:,} cells imputed.</p>"
        f"<table><tr><th>column<th>kind<th>action<th>missing<th>why{rows}</table>"
    )


def texts(result: Result) -> Iterator[tuple[str, str]]:
    """Path and content of every text artifact of a run but its configuration."""
    yield "cv/fold_metrics.csv", fold_metrics(result)
    yield "data/cleaning.json", cleaning_json(result)
    yield "data/cleaning.html", cleaning_html(result)
    if spark := result.facts.spark:
        yield "spark/conf.json", json.dumps(dict(sorted(spark.conf.items())), indent=1)


def plot_grid(result: Result, path: Path) -> None:
    """A PNG: held-out RMSE of every fold (dots) and its mean (line) by grid point."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only where a picture is drawn

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    positions = range(len(result.task.grid))
    color = COLORS.get(result.engine, "#555555")
    for fold in range(result.task.folds.k):
        axes.plot(positions, result.scores.rmse[fold], ".", color=color, alpha=0.5)
    axes.plot(positions, result.scores.rmse_mean, "-", color=color, label="mean over folds")
    best = result.scores.best
    axes.plot(best, result.scores.rmse_mean[best], "o", color=color, label="chosen")
    labels = [f"{p.reg_param:g} / {p.elastic_net_param:g}" for p in result.task.grid]
    if len(labels) <= 20:
        axes.set_xticks(list(positions), labels, rotation=45, ha="right")
    axes.set_xlabel("reg_param / elastic_net_param")
    axes.set_ylabel(f"held-out RMSE of {result.task.dataset.target.name}")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def note(result: Result) -> str:
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
    )


def comparison_rows(
    engines: Sequence[str], metrics: Mapping[str, Mapping[str, float]], parity: float
) -> list[list[str]]:
    """The comparison as a table: header, then a row per figure and a column per engine."""
    figures = [(f"{stage} s", f"time/{stage}_s", "{:.2f}") for stage in (*STAGES, "total")]
    figures += [
        ("peak memory MB", "memory/peak_mb", "{:.0f}"),
        ("RMSE", "cv/rmse_mean", "{:.8g}"),
        ("R2", "cv/r2_mean", "{:.6g}"),
    ]
    if any("cv/mae_mean" in metrics[engine] for engine in engines):
        figures.append(("MAE", "cv/mae_mean", "{:.8g}"))
    rows = [["", *engines]]
    for label, key, form in figures:
        values = [form.format(metrics[e][key]) if key in metrics[e] else "-" for e in engines]
        rows.append([label, *values])
    if any(metrics[engine].get("cv/unconverged_fits") for engine in engines):
        counts = (metrics[engine].get("cv/unconverged_fits", 0.0) for engine in engines)
        rows.append(["unconverged fits", *(f"{count:.0f}" for count in counts)])
    rows.append(
        [
            "largest rel. diff.",
            f"{parity:.1e}",
            *[""] * (len(engines) - 1),
        ]
    )
    return rows


def plot_stages(metrics: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """A PNG: seconds of every engine, its stages stacked in the order they run in."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only where a picture is drawn

    figure = Figure(figsize=(7, 1.2 + 0.6 * len(metrics)), layout="constrained")
    axes = figure.subplots()
    engines = [*metrics][::-1]  # the first engine on top
    left = dict.fromkeys(engines, 0.0)
    for stage in STAGES:
        widths = [metrics[engine].get(f"time/{stage}_s", 0.0) for engine in engines]
        axes.barh(engines, widths, left=[*left.values()], label=stage)
        left = {engine: left[engine] + width for engine, width in zip(engines, widths, strict=True)}
    for engine, total in left.items():
        axes.annotate(
            f"{total:.1f} s", (total, engine), (4, 0), textcoords="offset points", va="center"
        )
    axes.set_xlim(0, 1.15 * max(left.values()))
    axes.set_xlabel("seconds")
    axes.legend(ncols=len(STAGES), loc="upper center", bbox_to_anchor=(0.5, 1.35), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, bbox_inches="tight")


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """`rows` (the first is the header) as a Markdown table."""
    header, *body = ("| " + " | ".join(row) + " |" for row in rows)
    rule = "|---" + "|---:" * (len(rows[0]) - 1) + "|"
    return "\n".join((header, rule, *body)) + "\n"
