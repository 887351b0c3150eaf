"""The keys of the folds, as `settings` has those of all else."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from tandem.rules import Rule, at_least

_SHARE = Rule(lambda x: 0 <= x < 1, "a share of rows is at least 0, below 1 -> folds.holdout=0.2")


class FoldKind(StrEnum):
    """What decides the fold of a row: its place, or what stands in a column."""

    KFOLD = "kfold"
    GROUP = "group"
    COLUMN = "column"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Folds:
    """k folds. Of `kfold`, `block` neighbouring rows share a fold; others go by a `column`.

    k is 0 where it is not known yet: the column has the folds. `holdout`: share of the rows, or of
    the groups, that is in no fold and that nothing is fitted to.
    """

    k: Annotated[int, at_least(2, "folds.k=3")] = 0
    seed: Annotated[int, at_least(0)] = 0
    block: Annotated[int, at_least(1)] = 1
    kind: FoldKind = FoldKind.KFOLD
    column: str | None = None
    holdout: Annotated[float, _SHARE] = 0.0

    def held_out(self, numbers: int) -> int:
        """How many of the numbers below `numbers`, the first ones, are drawn for the hold-out."""
        return round(self.holdout * numbers)
