"""What a valid row is, and what is done with every column: profile, plan, ledger, categories."""

from tandem.cleaning.categories import MISSING, frequency_order
from tandem.cleaning.ledger import check_ledger, take_ledger, valid_row
from tandem.cleaning.plan import decide
from tandem.cleaning.profile import measure, refuse_infinite

__all__ = [
    "MISSING",
    "check_ledger",
    "decide",
    "frequency_order",
    "measure",
    "refuse_infinite",
    "take_ledger",
    "valid_row",
]
