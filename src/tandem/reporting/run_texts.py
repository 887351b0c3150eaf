"""A result as text and tables. Nothing here touches a tracking store."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from tandem.categories import features_of, spans
from tandem.dataset import has_checksums
from tandem.records import Action
from tandem.redaction import redacted
from tandem.reporting.headlines import baseline, features, five_digits
from tandem.reporting.templates import template
from tandem.results import OTHERS, Result

if TYPE_CHECKING:
    import pandas as pd


def fold_metrics(result: Result) -> "pd.DataFrame":
    """fold, reg_param, elastic_net_param, n_train, n_test, rmse, r2, what else was asked for: a
    row for every fold and grid point, folds first; median_ae is of the chosen point alone.
    """
    import pandas as pd  # noqa: PLC0415 - slow, and the answer stands before

    scores, sums, grid = result.scores, result.sums, result.task.grid
    folds, points = scores.rmse.shape
    metrics = {"rmse": scores.rmse, "r2": scores.r2, **scores.others}
    return pd.DataFrame(
        {
            "fold": np.arange(folds).repeat(points),
            "reg_param": [point.reg_param for point in grid] * folds,
            "elastic_net_param": [point.elastic_net_param for point in grid] * folds,
            "n_train": np.repeat(sums.n_train, points),
            "n_test": np.repeat(sums.n_test, points),
            **{name: values.ravel() for name, values in metrics.items()},
        }
    )


def folds_table(result: Result) -> "pd.DataFrame":
    """fold, n_train, n_test, target_std (population, in units of the target): a row per fold.

    Rows count as often as their weights say.
    """
    import pandas as pd  # noqa: PLC0415 - slow, and the answer stands before

    sums = result.sums
    deviation = np.sqrt(sums.sst / np.asarray(sums.n_test))
    rows = {"n_train": sums.n_train, "n_test": sums.n_test, "target_std": deviation}
    return pd.DataFrame({"fold": range(len(deviation)), **rows})


def coefficients(result: Result) -> "pd.DataFrame":
    """feature, coefficient (of all rows, raw units), fold_0, ...: those of the training sets.

    At the chosen grid point; a row per feature. Without folds where the engine does not tell, and
    for the levels of a category, whose order by frequency is another in every training set. Then,
    where the engine tells, as `Inference` has them: standardised (the coefficient times the
    feature's deviation over the target's), standard_error, low_95 and high_95 (of the t
    distribution), robust_error where it is asked for, partial_r2.
    """
    import pandas as pd  # noqa: PLC0415 - slow, and the answer stands before

    slopes, best = result.sums.slopes, result.scores.best
    folds = [] if slopes is None else [f"fold_{fold}" for fold in range(len(slopes))]
    unknown = [np.nan] * len(folds)
    named, rows = [*_named(result)], list[list[float]]()
    for column in result.plan.used:
        if column in result.plan.one_hot:
            rows += [[effect, *unknown] for _, effect in _effects(result, column.name)]
        else:
            place = named[len(rows)][1]
            by_fold = [] if slopes is None else slopes[:, best, place].tolist()
            rows.append([result.model.coefficients[column.name], *by_fold])
    table = pd.DataFrame(rows, columns=["coefficient", *folds])
    table.insert(0, "feature", [name for name, _ in named])
    if told := result.facts.inference:
        from scipy.special import stdtrit  # noqa: PLC0415 - slow, and the answer stands before

        places = [place for _, place in named]
        errors = told.errors[places]
        away = stdtrit(max(told.degrees, 1), 0.975) * errors
        table["standardised"] = table.coefficient * told.scales[places]
        table["standard_error"] = errors
        table["low_95"], table["high_95"] = table.coefficient - away, table.coefficient + away
        if told.robust is not None:
            table["robust_error"] = told.robust[places]
        table["partial_r2"] = told.partial_r2[places]
    return table


def correlations(result: Result) -> "pd.DataFrame":
    """feature, then a column for each and the target: correlations of the cleaned features.

    A row for each and the target; without rows where the engine does not tell.
    """
    import pandas as pd  # noqa: PLC0415 - slow, and the answer stands before

    if (found := result.facts.correlations) is None:
        return pd.DataFrame({"feature": []})
    named = [*_named(result), (result.task.dataset.target.name, -1)]
    names, at = [name for name, _ in named], [place for _, place in named]
    table = pd.DataFrame(found[np.ix_(at, at)], columns=names)
    table.insert(0, "feature", names)
    return table


def _named(result: Result) -> Iterator[tuple[str, int]]:
    """Every feature of the model, and its place among those of the sums.

    These have levels, too, that only the hold-out has.
    """
    for column, span in zip(result.plan.used, spans(result.sums.features), strict=True):
        if column in result.plan.one_hot:
            for place, (level, _) in enumerate(_effects(result, column.name), span.start):
                yield f"{column.name}={level}", place
        else:
            yield column.name, span.start


def _effects(result: Result, name: str) -> Iterator[tuple[str, float]]:
    """Every level that has a feature, then the others, with its coefficient."""
    levels, values = result.model.levels[name], result.model.encodings[name]
    most = result.task.cleaning.max_levels
    for place in range(features_of(len(levels), most)):
        missing = levels[place] is None
        level = "(others)" if place == most else "(missing)" if missing else str(levels[place])
        yield level, values[place]


def encodings(result: Result) -> str:
    """What every encoding of the categories gives, as CSV; nothing where it is not known."""
    found = result.facts.encodings
    lines = [f"{encoding},{rmse!r}\n" for encoding, rmse in found.items()]
    return "".join(["encoding,rmse_mean\n", *lines]) if lines else ""


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
    line = f"{ledger_line(asdict(result.ledger))} {_protection(result)}"
    return template("cleaning.html.j2").render(ledger=line, decisions=result.plan.decisions)


def ledger_line(ledger: Mapping[str, int]) -> str:
    """Where every row went, in one line."""
    weightless = ledger.get("rows_dropped_weight", 0)
    return (
        f"{ledger['rows_in']:,} rows = {ledger['rows_used']:,} used "
        + f"+ {weightless:,} of weight 0 " * bool(weightless)
        + f"+ {ledger['rows_dropped_target']:,} without target "
        f"+ {ledger['rows_dropped_missing']:,} missing a required value "
        f"+ {ledger['rows_rejected']:,} rejected; {ledger['cells_imputed']:,} cells imputed."
    )


def _protection(result: Result) -> str:
    bare = sum(not has_checksums(file.path) for file in result.task.dataset.files)
    if not bare:
        return "Every file carries checksums: a byte that has changed would be noticed."
    return (
        f"{bare:,} of {len(result.task.dataset.files):,} files carry no checksums: a byte that "
        "changes on the disk may go unnoticed there."
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


def model_card(result: Result) -> str:
    """What a model is, for those who would use it: data, cleaning, protocol, errors, limits.

    In Markdown.
    """
    scores, best, dataset = result.scores, result.scores.best, result.task.dataset
    mean, deviation = float(scores.rmse_mean[best]), float(scores.rmse_std[best])
    folds, points = result.task.folds, len(result.task.grid)
    checks = "".join(f"\n- {line}" for line in result.remarks) or " nothing to report."
    of = f" of the logarithm of {dataset.target.name}" if dataset.in_logs else ""
    lines = (
        f"Predicts **{dataset.target.name}** from {len(result.plan.used)} columns of raw rows.",
        f"**Data.** {dataset.name}: {ledger_line(asdict(result.ledger))} {_protection(result)}",
        (
            f"**Cleaning.** {features(result)}. A missing number becomes the mean of all rows; a "
            "category its rank by frequency, one that is new the rank after the last; or, where it "
            "says so, the mean target of its category, one that is new that of all rows."
        ),
        (
            f"**Protocol.** Cross-validation of linear regressions{of}, {folds}, {points} grid "
            "points, cleaning and scaling fitted without the held-out rows. Chosen: reg_param "
            f"{result.best.reg_param:g}, elastic_net_param {result.best.elastic_net_param:g}; then "
            f"fitted to all rows{' but the hold-out' if result.held_out else ''}."
        ),
        (
            f"**Held-out errors**, in units of {dataset.target.name}. RMSE {five_digits(mean)}, "
            f"standard deviation over folds {five_digits(deviation, mean)}; predicting the mean: "
            f"{five_digits(baseline(result))}. R2 {scores.r2[:, best].mean():.4g}."
        ),
        f"**Checks.**{checks}",
        (
            "**Limits.** A straight line in every column: it knows neither thresholds nor columns "
            "that matter only together, and goes on straight beyond what it was trained on."
        ),
    )
    return "\n\n".join(lines)


def run_note(result: Result) -> str:
    """The run's description in the MLflow UI, in Markdown: so short that MLflow folds nothing."""
    scores, best, at = result.scores, result.scores.best, result.best
    mean, folds = float(scores.rmse_mean[best]), result.task.folds
    dropped = len(result.plan.columns(Action.DROP_COLUMN))
    others = "".join(f", {OTHERS[key]} {of.mean():.6g}" for key, of in scores.chosen.items())
    kept = result.ledger.rows_from_cache
    lines = (
        (
            f"**RMSE {five_digits(mean)}** held out, over {folds} +- "
            f"{five_digits(float(scores.rmse_std[best]), mean)}; by predicting the mean "
            f"{five_digits(baseline(result))}; R2 {scores.r2[:, best].mean():.4g}{others}"
        ),
        (
            f"{result.times['time/total_s']:.2f} s by {result.engine}; "
            f"{result.ledger.rows_used:,} of {result.ledger.rows_in:,} rows, "
            f"{len(result.plan.used)} features ({dropped} dropped)"
        ),
        f"reg_param {at.reg_param:g}, elastic_net_param {at.elastic_net_param:g}, "
        f"of {len(result.task.grid)} grid points"
        + (f"; {kept:,} rows were not read: the cache held their sums" if kept else ""),
    )
    return "  \n".join(lines) + "\n" + "".join(f"\n- {line}" for line in result.remarks)
