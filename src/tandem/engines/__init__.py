"""What reads the rows and produces held-out error sums and the refit model."""

from tandem.engines.registry import ENGINES, create, unseen

__all__ = [
    "ENGINES",
    "create",
    "unseen",
]
