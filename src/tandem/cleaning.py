"""What a valid row is and what is done with every column, written once for all engines."""

from collections.abc import Iterable, Sequence
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from tandem.errors import DataError
from tandem.profile import count, evaluate, missing
from tandem.records import (
    Action,
    Cleaning,
    Column,
    Decision,
    Folds,
    Kind,
    Ledger,
    MissingCategory,
    Plan,
    Profile,
)

# Stands for a missing category inside an engine: a character that no text file may hold.
MISSING = "\x00missing"


def decide(
    target: Column, features: Iterable[Column], profile: Profile, cleaning: Cleaning
) -> Plan:
    """The plan: one decision per feature, from its share of missing cells and the thresholds.

    Raises DataError where no feature is left.
    """
    decisions = tuple(
        _decide_column(column, profile.missing[column.id], profile.rows, cleaning)
        for column in features
    )
    plan = Plan(target, decisions)
    if not plan.used:
        raise DataError(
            f"no feature left: {len(decisions)} of {len(decisions)} columns are dropped -> "
            "raise cleaning.drop_column_above, or exclude fewer columns"
        )
    return plan


def _decide_column(column: Column, cells: int, rows: int, cleaning: Cleaning) -> Decision:
    share = cells / rows
    percent = f"{share:.1%} missing"
    if column.kind is Kind.CATEGORICAL:
        drop = cells > 0 and cleaning.missing_category is MissingCategory.DROP
        action = Action.INDEX_DROP_ROWS if drop else Action.INDEX
        reason = f"categorical, {percent}"
    elif cells == 0:
        action, reason = Action.KEEP, "complete"
    elif share > cleaning.drop_column_above or cells == rows:
        action, reason = Action.DROP_COLUMN, f"{percent}, above {cleaning.drop_column_above:.0%}"
    elif share <= cleaning.drop_rows_below:
        action, reason = Action.DROP_ROWS, f"{percent}, at most {cleaning.drop_rows_below:.0%}"
    else:
        action, reason = Action.IMPUTE, f"{percent}, between the thresholds"
    return Decision(column, action, cells, reason)


def valid_row(plan: Plan) -> nw.Expr:
    """Whether a row is used: its target and every required feature are there."""
    return ~nw.any_horizontal(
        *(missing(column) for column in (plan.target, *plan.required)), ignore_nulls=False
    )


def take_ledger(frame: nw.LazyFrame[Any], plan: Plan) -> Ledger:
    """Count where every row of the uncleaned `frame` goes, and the cells that are imputed.

    Raises DataError where no row is left.
    """
    valid, no_target = valid_row(plan), missing(plan.target)
    counts = {"rows_in": nw.len(), "used": count(valid), "no_target": count(no_target)}
    counts |= {column.id: count(valid & missing(column)) for column in plan.imputed}
    values = evaluate(frame, counts)
    ledger = Ledger(
        rows_in=values["rows_in"],
        rows_used=values["used"],
        rows_dropped_target=values["no_target"],
        rows_dropped_missing=values["rows_in"] - values["used"] - values["no_target"],
        rows_rejected=0,
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


def check_folds(n_test: Sequence[int], folds: Folds) -> None:
    """Raise DataError where a fold got no row, so that no metric is taken of nothing."""
    used = sum(n_test)
    if folds.k > used:
        raise DataError(
            f"folds.k: {folds.k}: more folds than the {used} rows used -> choose folds.k <= {used}"
        )
    empty = [fold for fold, rows in enumerate(n_test) if rows == 0]
    if empty:
        raise DataError(
            f"folds.k: {folds.k}: fold {empty[0]} is empty with {used} rows used -> "
            "choose fewer folds, a smaller folds.block, or another folds.seed"
        )


def frequency_order(levels: Sequence[str], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of the levels that occur, by descending count, ties by code point.

    So does Spark's StringIndexer (frequencyDesc), which compares UTF-8 bytes.
    """
    present = np.flatnonzero(counts).tolist()
    present.sort(key=levels.__getitem__)
    by_text = np.array(present, dtype=np.int64)
    return by_text[np.argsort(-counts[by_text], kind="stable")]
