"""One task on several engines: their answers, what may differ, whether they agree."""

from tandem.comparison.parity import Certificate, certify, differences
from tandem.comparison.referee import Referee
from tandem.comparison.spot import spot_check
from tandem.comparison.summary import Comparison, Fit

__all__ = [
    "Certificate",
    "Comparison",
    "Fit",
    "Referee",
    "certify",
    "differences",
    "spot_check",
]
