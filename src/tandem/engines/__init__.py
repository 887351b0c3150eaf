"""What reads the rows and produces held-out error sums and the refit model."""

from tandem.engines.base import judged
from tandem.engines.registry import (
    ENGINES,
    color,
    create,
    explained,
    not_installed,
    solved,
    unseen,
    without_spark,
)

__all__ = [
    "ENGINES",
    "color",
    "create",
    "explained",
    "judged",
    "not_installed",
    "solved",
    "unseen",
    "without_spark",
]
