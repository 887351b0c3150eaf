"""What is found of a column of numbers, part by part."""

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.inspection.bins import Bins
from tandem.inspection.distinct import Distinct, DistinctValues
from tandem.inspection.pairs import Pairs


@dataclass(frozen=True, slots=True)
class NumberPart:
    """Of some rows of a column of numbers.

    `gaps`: missing cells, NaN among them; `own`: of the finite values; `target`: pairs (x, y) of
    the rows that have both; `values`: the distinct ones, shape (distinct,), None: too many to
    tell; `ones`: of `steps` from row to row, those by 1.
    """

    gaps: int
    infinite: int
    own: Pairs
    low: float
    high: float
    bins: Bins | None
    values: NDArray[Any] | None
    target: Pairs
    ones: int
    steps: int


class Numbers:
    """Adds up parts; its figures are named as theirs."""

    def __init__(self) -> None:
        self.gaps = self.infinite = self.ones = self.steps = 0
        self.own, self.target = Pairs(), Pairs()
        self.low, self.high = inf, -inf
        self.whole = True  # all are, as far as they are told apart
        self._bins: Bins | None = None
        self._values = DistinctValues()

    def add(self, part: NumberPart) -> None:
        """Add a part."""
        self.gaps += part.gaps
        self.infinite += part.infinite
        self.ones += part.ones
        self.steps += part.steps
        self.own += part.own
        self.target += part.target
        self.low, self.high = min(self.low, part.low), max(self.high, part.high)
        if part.bins:
            self._bins = self._bins + part.bins if self._bins else part.bins
        self._values.add(part.values)
        self.whole &= part.values is not None and bool(np.all(np.rint(part.values) == part.values))

    @property
    def many(self) -> bool:
        """Whether there are more distinct values than are counted."""
        return self._values.done

    @property
    def distinct(self) -> Distinct:
        """How many values there are."""
        return self._values.found

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows by bin of equal width, from the minimum to the maximum."""
        return self._bins.rows if self._bins else ()

    @property
    def correlation(self) -> float | None:
        """Pearson's with the target, over the rows that have both."""
        return self.target.correlation
