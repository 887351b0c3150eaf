"""What reads the rows and produces held-out error sums and the refit model."""

from tandem.engines.base import judged
from tandem.engines.creation import create, explained, not_installed

__all__ = [
    "create",
    "explained",
    "judged",
    "not_installed",
]
