"""What a valid row is, and what is done with every column: profile, plan, ledger, categories."""

from tandem.cleaning.categories import (
    MISSING,
    REST,
    by_column,
    by_level,
    comparable,
    feature_counts,
    features_of,
    frequency_order,
    spans,
)
from tandem.cleaning.ledger import check_ledger, take_ledger, valid_row
from tandem.cleaning.plan import decide, decisions
from tandem.cleaning.profile import measure, refuse_infinite

__all__ = [
    "MISSING",
    "REST",
    "by_column",
    "by_level",
    "check_ledger",
    "comparable",
    "decide",
    "decisions",
    "feature_counts",
    "features_of",
    "frequency_order",
    "measure",
    "refuse_infinite",
    "spans",
    "take_ledger",
    "valid_row",
]
