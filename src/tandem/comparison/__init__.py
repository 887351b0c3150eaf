"""One task on several engines: their answers, what may differ, whether they agree."""

from tandem.comparison.answers import Answer, read_answer
from tandem.comparison.parity import Certificate, certify, differences
from tandem.comparison.summary import WITHOUT_SPARK, Comparison

__all__ = [
    "WITHOUT_SPARK",
    "Answer",
    "Certificate",
    "Comparison",
    "certify",
    "differences",
    "read_answer",
]
