"""What a valid row is, and what is done with every column, written once for all engines.

First the missing and infinite cells of every column are counted (the profile), then every column is
decided on (the plan), then it is counted where every row goes (the ledger). The expressions run
natively on any frame (pandas, pyarrow, Spark) whose columns are named by id, numeric ones as
float64, categorical ones as text.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike

from tandem.errors import ConfigurationError, DataError, nearest
from tandem.records import (
    Action,
    Column,
    Dataset,
    Decision,
    Kind,
    Ledger,
    Mask,
    Plan,
    Profile,
)
from tandem.settings import Cleaning, Encoding, MissingCategory

# Where a missing category is one of its own, and where its row is dropped.
_ENCODED = {
    Encoding.INDEX: (Action.INDEX, Action.INDEX_DROP_ROWS),
    Encoding.ONE_HOT: (Action.ONE_HOT, Action.ONE_HOT_DROP_ROWS),
    Encoding.TARGET: (Action.TARGET, Action.TARGET_DROP_ROWS),
}


def _missing(column: Column) -> nw.Expr:
    """Whether the cell is missing: null, or NaN in a numeric column."""
    null = nw.col(column.id).is_null()
    return null | nw.col(column.id).is_nan() if column.kind is Kind.NUMERIC else null


def _count(condition: nw.Expr) -> nw.Expr:
    """Number of rows where `condition` is true, as an integer (Spark sums no booleans)."""
    return condition.cast(nw.Int64).sum()


def _evaluate(frame: nw.LazyFrame[Any], counts: Mapping[str, nw.Expr]) -> dict[str, int]:
    """The value of every aggregate in `counts`, from one pass over `frame`."""
    row = frame.select(**counts).collect().row(0)
    return {name: int(value or 0) for name, value in zip(counts, row, strict=True)}


def measure(frame: nw.LazyFrame[Any], dataset: Dataset) -> Profile:
    """The profile of `frame`, which holds every row of `dataset`, its columns named by id.

    Raises DataError where a numeric column holds an infinite value, and where the number of rows
    is not the dataset's (a file changed, or a reader lost rows).
    """
    numeric = [column for column in dataset.columns if column.kind is Kind.NUMERIC]
    counts = {"rows": nw.len()}
    counts |= {column.id: _count(_missing(column)) for column in dataset.columns}
    counts |= {f"inf_{column.id}": _count(_infinite(column)) for column in numeric}
    values = _evaluate(frame, counts)
    for column in numeric:
        refuse_infinite(column, values[f"inf_{column.id}"])
    if values["rows"] != dataset.rows:
        raise DataError(
            f"{dataset.name}: {values['rows']} rows read, {dataset.rows} expected: "
            "a file changed during the run -> run again"
        )
    return Profile(dataset.rows, {column.id: values[column.id] for column in dataset.columns})


def check_means(there: Mapping[Column, ArrayLike], rows: ArrayLike, training: Mask) -> None:
    """Raise DataError where the mean of a column would be of no row.

    `there`: rows with a value of every column whose means are taken, by part, shape (parts,);
    `rows`: all, shape (parts,); `training`: shape (training sets, parts).
    """
    for column, own in there.items():
        if len(without := np.flatnonzero(training @ np.asarray(own) == 0)):
            raise no_mean(column, int(training[without[0]] @ np.asarray(rows)))


def no_mean(column: Column, rows: int) -> DataError:
    """What is said of a column without a value in so many rows of a training set."""
    return DataError(
        f"column '{column.name}': none of {rows} training rows has a value to impute the mean of "
        f"-> dataset.exclude=[{column.name}], or fewer folds"
    )


def refuse_infinite(column: Column, cells: int) -> None:
    """Raise DataError if `cells`, the infinite cells of a numeric `column`, is not 0."""
    if cells:
        raise DataError(
            f"column '{column.name}': {cells} infinite value(s): a numeric column must be "
            f"finite -> replace them by missing values, or exclude the column"
        )


def _infinite(column: Column) -> nw.Expr:
    return (nw.col(column.id) == math.inf) | (nw.col(column.id) == -math.inf)


def decide(
    target: Column,
    features: Iterable[Column],
    profile: Profile,
    cleaning: Cleaning,
    weight: Column | None = None,
) -> Plan:
    """The plan: one decision per feature, from its share of missing cells and the thresholds.

    `features`: in the order of the coefficients; `profile` counts their missing cells by id,
    every row once, whatever its `weight`. Raises ConfigurationError where a column is to be encoded
    that is no category, DataError where no feature is left.
    """
    found = decisions(features, profile, cleaning)
    plan = Plan(target, found, weight)
    if not plan.used:
        raise DataError(
            f"no feature left: {len(found)} of {len(found)} columns are dropped -> "
            "raise cleaning.drop_column_above, or exclude fewer columns"
        )
    return plan


def decisions(
    features: Iterable[Column], profile: Profile, cleaning: Cleaning
) -> tuple[Decision, ...]:
    """The decisions of `decide`, whether or not a feature is left.

    Raises ConfigurationError where a column is to be encoded that is no category.
    """
    features = tuple(features)
    categories = [column.name for column in features if column.kind is Kind.CATEGORICAL]
    for name in cleaning.encodings:
        if name not in categories:
            listed = ", ".join(categories) or "none here"
            raise ConfigurationError(
                f"cleaning.encodings: there is no category '{name}', nor a column of whole numbers"
                f"{nearest(name, categories)} -> some of {listed}"
            )
    return tuple(
        _decide_column(column, profile.missing[column.id], profile.rows, cleaning)
        for column in features
    )


def _decide_column(column: Column, cells: int, rows: int, cleaning: Cleaning) -> Decision:
    share = cells / rows
    percent = f"{share:.1%} missing"
    if column.kind is Kind.CATEGORICAL:
        drop = cells > 0 and cleaning.missing_category is MissingCategory.DROP
        action = _ENCODED[cleaning.encoding_of(column.name)][drop]
        reason = f"categorical, {percent}"
    elif cells == 0:
        action, reason = Action.KEEP, "complete"
    elif share > cleaning.drop_column_above or cells == rows:
        action, reason = Action.DROP_COLUMN, f"{percent}, above {cleaning.drop_column_above:.0%}"
    elif share <= cleaning.drop_rows_below:
        action, reason = Action.DROP_ROWS, f"{percent}, at most {cleaning.drop_rows_below:.0%}"
    else:
        action, reason = Action.IMPUTE, f"{percent}, between the thresholds"
    if column.source:
        reason = f"{column.source.part} of '{column.source.column}', {reason}"
    return Decision(column, action, cells, reason)


def valid_row(plan: Plan) -> nw.Expr:
    """Whether a row is used: its target and every required feature are there, and it counts.

    An expression over any frame whose columns are named by id.
    """
    there = ~nw.any_horizontal(
        *(_missing(column) for column in (plan.target, *plan.required)), ignore_nulls=False
    )
    return there & _has_weight(plan.weight) if plan.weight else there


def take_ledger(frame: nw.LazyFrame[Any], plan: Plan) -> Ledger:
    """Count where every row of the uncleaned `frame` goes, and the cells that are imputed.

    Raises DataError where no row is left.
    """
    valid, no_target = valid_row(plan), _missing(plan.target)
    nothing = {}
    if plan.weight:
        nothing["nothing"] = _count(~_has_weight(plan.weight))
        no_target = no_target & _has_weight(plan.weight)
    counts = {"rows_in": nw.len(), "used": _count(valid), "no_target": _count(no_target)}
    counts |= nothing
    counts |= {column.id: _count(valid & _missing(column)) for column in plan.imputed}
    values = _evaluate(frame, counts)
    dropped = values["no_target"] + (weightless := values.get("nothing", 0))
    ledger = Ledger(
        rows_in=values["rows_in"],
        rows_used=values["used"],
        rows_dropped_target=values["no_target"],
        rows_dropped_weight=weightless,
        rows_dropped_missing=values["rows_in"] - values["used"] - dropped,
        cells_imputed=sum(values[column.id] for column in plan.imputed),
    )
    check_ledger(ledger)
    return ledger


def check_ledger(ledger: Ledger) -> None:
    """Raise DataError where no row is left."""
    if ledger.rows_used == 0:
        raise DataError(
            f"nothing left after cleaning: {ledger.rows_dropped_target} rows have no target, "
            f"{ledger.rows_dropped_missing} miss a required value -> lower cleaning.drop_rows_below"
        )


def _has_weight(weight: Column) -> nw.Expr:
    """Whether a row counts at all."""
    return nw.col(weight.id) > 0.0
