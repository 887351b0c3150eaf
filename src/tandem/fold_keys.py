"""The keys of the folds, as `settings` has those of all else."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from tandem.rules import Rule, at_least

# A table with repeats is dealt into at least so many cells, of which folds are made anew each time.
_CELLS = 60

_GAP = Rule(
    lambda gap: bool(re.fullmatch(r"\d+|\d+ ?(d|h|min|s)", str(gap))),
    "a gap is a number of rows or a time -> folds.gap=100, or folds.gap=7d (d, h, min, s)",
)
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
    the groups, that is in no fold and that nothing is fitted to. `repeats`: rows are put into k
    folds so many times. Of `time`, `gap`: rows before what is tested that are not trained on, as
    their number or as a time.
    """

    k: Annotated[int, at_least(2, "folds.k=3")] = 0
    seed: Annotated[int, at_least(0)] = 0
    block: Annotated[int, at_least(1)] = 1
    kind: FoldKind = FoldKind.KFOLD
    column: str | None = None
    holdout: Annotated[float, _SHARE] = 0.0
    repeats: Annotated[int, at_least(1, "folds.repeats=3")] = 1
    gap: Annotated[int | str, _GAP] = 0

    def __str__(self) -> str:
        return f"{self.k} folds" + f", {self.repeats} times" * (self.repeats > 1)

    @property
    def count(self) -> int:
        """Folds of all repeats."""
        return self.k * self.repeats

    @property
    def cells(self) -> int:
        """What rows are dealt into: the folds; with repeats a multiple of k, of which these are."""
        return self.k if self.repeats == 1 else self.k * max(2, -(-_CELLS // self.k))

    @property
    def gap_size(self) -> tuple[int, str]:
        """The number and the unit of `gap`; that of rows is empty."""
        number, unit = re.findall(r"(\d+) ?([a-z]*)", str(self.gap))[0]
        return int(number), unit

    def held_out(self, numbers: int) -> int:
        """How many of the numbers below `numbers`, the first ones, are drawn for the hold-out."""
        return round(self.holdout * numbers)
