"""What a valid row is, and where every row goes, written once for all engines."""

from typing import Any

import narwhals as nw

from tandem.cleaning.profile import count, evaluate, missing
from tandem.errors import DataError
from tandem.records import Column, Ledger, Plan


def valid_row(plan: Plan) -> nw.Expr:
    """Whether a row is used: its target and every required feature are there, and it counts.

    An expression over any frame whose columns are named by id.
    """
    there = ~nw.any_horizontal(
        *(missing(column) for column in (plan.target, *plan.required)), ignore_nulls=False
    )
    return there & _counts(plan.weight) if plan.weight else there


def take_ledger(frame: nw.LazyFrame[Any], plan: Plan) -> Ledger:
    """Count where every row of the uncleaned `frame` goes, and the cells that are imputed.

    Raises DataError where no row is left.
    """
    valid, no_target = valid_row(plan), missing(plan.target)
    nothing = {}
    if plan.weight:
        nothing["nothing"] = count(~_counts(plan.weight))
        no_target = no_target & _counts(plan.weight)
    counts = {"rows_in": nw.len(), "used": count(valid), "no_target": count(no_target)}
    counts |= nothing
    counts |= {column.id: count(valid & missing(column)) for column in plan.imputed}
    values = evaluate(frame, counts)
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


def _counts(weight: Column) -> nw.Expr:
    """Whether a row counts at all."""
    return nw.col(weight.id) > 0.0
