"""What a valid row is and what is done with every column, written once for all engines."""

from collections.abc import Iterable

from tandem.errors import ConfigurationError, DataError, nearest
from tandem.records import Action, Column, Decision, Kind, Plan, Profile
from tandem.settings import Cleaning, Encoding, MissingCategory

# Where a missing category is one of its own, and where its row is dropped.
_ENCODED = {
    Encoding.INDEX: (Action.INDEX, Action.INDEX_DROP_ROWS),
    Encoding.ONE_HOT: (Action.ONE_HOT, Action.ONE_HOT_DROP_ROWS),
    Encoding.TARGET: (Action.TARGET, Action.TARGET_DROP_ROWS),
}


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
