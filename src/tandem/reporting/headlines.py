"""The answer of a run for a terminal: rows, features, penalty, error, what matters, seconds."""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from tandem.model_keys import Choose
from tandem.records import STAGES, Action
from tandem.results import OTHERS, Result
from tandem.scores import of_hold_out

_MOST = 5  # features
_ENCODED = {
    Action.KEEP: "as they are",
    Action.DROP_ROWS: "rows without one dropped",
    Action.IMPUTE: "gaps filled with the mean",
    Action.INDEX: "a category as its rank by frequency",
    Action.INDEX_DROP_ROWS: "a category as its rank by frequency, rows without one dropped",
    Action.ONE_HOT: "a category as a 0/1 feature per level",
    Action.ONE_HOT_DROP_ROWS: "a category as a 0/1 feature per level, rows without one dropped",
    Action.TARGET: "a category as the mean target of its rows",
    Action.TARGET_DROP_ROWS: "a category as the mean target of its rows, rows without one dropped",
}


def headline(result: Result, weights: Mapping[str, float]) -> str:
    """The lines, each with a label; `weights`: standardised coefficients by feature.

    RMSE: mean and population standard deviation over folds. Predicting the mean: the root of the
    mean over folds of sst / n_test, squared errors about each fold's own mean.
    """
    lines = [*_lines(result, weights)]
    width = max(len(label) for label, _ in lines)
    title = f"{result.task.dataset.target.name} of {result.task.dataset.name}, by {result.engine}"
    return "\n".join([title, *(f"  {label:{width}}  {text}" for label, text in lines)]) + "\n"


def _lines(result: Result, weights: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    ledger, scores, best = result.ledger, result.scores, result.scores.best
    gone = f"{ledger.rows_dropped_target:,} without target, {ledger.rows_dropped_missing:,} missing"
    if result.plan.weight:
        gone = f"{ledger.rows_dropped_weight:,} of weight 0, {gone}"
    used = f"{ledger.rows_in:,}; used {ledger.rows_used:,}; dropped {gone} a required value"
    yield "rows", used + (f"; left out {ledger.rows_rejected:,} bad" * bool(ledger.rows_rejected))
    yield "features", features(result)
    if result.task.dataset.in_logs:
        yield "target", "its logarithm; errors are in its own unit"
    point, points = result.best, len(result.task.grid)
    by_error = result.task.choose is Choose.ONE_STANDARD_ERROR
    rule = "largest within a standard error of the best" if by_error else "best"
    of = f" ({rule} of {points})" if points > 1 else ""
    penalty = f"reg_param {point.reg_param:g}, elastic_net_param {point.elastic_net_param:g}"
    yield "penalty", penalty + of
    by = result.task.dataset.fold_column
    folds = f"over {result.task.folds}" + (f" by {by.name}" if by else "")
    mean = float(scores.rmse_mean[best])
    told = f"{five_digits(mean)} +- {five_digits(float(scores.rmse_std[best]), mean)} {folds}"
    yield "RMSE", f"{told}; {five_digits(baseline(result))} by predicting the mean"
    yield "R2", f"{scores.r2[:, best].mean():.4g}"
    for name, values in scores.chosen.items():
        yield OTHERS[name], five_digits(float(values.mean()))
    if found := of_hold_out(result.held_out):
        told = f"RMSE {five_digits(found['rmse'], mean)}, R2 {found['r2']:.4g} on "
        yield (
            "hold-out",
            f"{told}{found['rows']:,.12g} rows that neither model nor penalty has seen",
        )
    largest = sorted(weights.items(), key=lambda item: -abs(item[1]))[:_MOST]
    told = ", ".join(f"{name} {weight:+.2f}" for name, weight in largest)
    yield "matters", f"{told} (standardised coefficients)"
    stages = ", ".join(f"{stage} {result.times[f'time/{stage}_s']:.2f}" for stage in STAGES)
    yield "seconds", f"{result.times['time/total_s']:.2f}: {stages}"


def baseline(result: Result) -> float:
    """RMSE of predicting every fold's own mean: sqrt(mean over folds of sst / n_test)."""
    return float(np.sqrt(np.mean(result.sums.sst / np.asarray(result.sums.n_test))))


def five_digits(value: float, like: float | None = None) -> str:
    """Five digits, thousands apart: 20,312 or 0.012346; as many decimals as `like` has."""
    of = abs(value if like is None else like)
    decimals = max(4 - int(np.floor(np.log10(of))), 0) if of > 0 else 0
    return f"{value:,.{decimals}f}" if decimals < 12 else f"{value:.5g}"


def features(result: Result) -> str:
    """How many there are, how each kind is encoded, and which were dropped."""
    counts = Counter(decision.action for decision in result.plan.decisions)
    used = [f"{counts[action]} {text}" for action, text in _ENCODED.items() if counts[action]]
    dropped = [column.name for column in result.plan.columns(Action.DROP_COLUMN)]
    gone = f"; dropped, mostly missing: {', '.join(dropped)}" if dropped else ""
    return f"{len(result.plan.used)}: {', '.join(used)}{gone}"
