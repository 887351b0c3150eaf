"""The keys of the folds, as `settings` has those of all else."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from tandem.rules import at_least


class FoldKind(StrEnum):
    """What decides the fold of a row: its place, or what stands in a column."""

    KFOLD = "kfold"
    GROUP = "group"
    COLUMN = "column"


@dataclass(frozen=True, slots=True)
class Folds:
    """k folds. Of `kfold`, `block` neighbouring rows share a fold; others go by a `column`.

    k is 0 where it is not known yet: the column has the folds.
    """

    k: Annotated[int, at_least(2, "folds.k=3")] = 0
    seed: Annotated[int, at_least(0)] = 0
    block: Annotated[int, at_least(1)] = 1
    kind: FoldKind = FoldKind.KFOLD
    column: str | None = None
