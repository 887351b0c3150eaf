"""What is found of a category: rows and target by level, from which the correlation ratio."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from tandem.categories import frequency_order
from tandem.inspection.distinct import Distinct
from tandem.inspection.pairs import Pairs
from tandem.records import Array

# Levels that are told apart; rows of those that appear later are not counted.
MOST_LEVELS = 2**18
SHOWN = 16


@dataclass(frozen=True, slots=True)
class LevelPart:
    """Of some rows, by level: rows, of these with a target, and their sum of y - centre.

    `levels`: texts, without the missing one; `figures`: shape (3, levels). `target`: y of the
    pairs is of the rows that have both.
    """

    levels: tuple[str, ...]
    figures: Array
    centre: float
    target: Pairs
    gaps: int


class Categories:
    """Adds up parts. `gaps`: missing cells; `seen`: rows of the levels that are told apart;
    `target`: of the rows that have both.
    """

    def __init__(self) -> None:
        self.gaps, self.seen, self.target = 0, 0, Pairs()
        self._whole = True  # no level is left out
        self._places: dict[str, int] = {}
        self._figures = np.zeros((3, 64))  # rows, known, sums about the first centre
        self._centre = 0.0

    def add(self, part: LevelPart) -> None:
        """Add a part."""
        if not self.target.n:
            self._centre = part.centre
        self.gaps += part.gaps
        self.target += part.target
        at = self._placed(part.levels)
        there = at >= 0
        if self._whole:
            self.seen += int(part.figures[0, there].sum())
        self._whole &= bool(there.all())
        rows, known, sums = part.figures
        sums = sums + known * (part.centre - self._centre)
        self._figures[:, at[there]] += np.array([rows, known, sums])[:, there]

    def _placed(self, levels: Sequence[str]) -> NDArray[np.int64]:
        """The column of every level in the figures; -1: there is no room for it."""
        places = self._places
        found = [*map(places.get, levels)]
        for at, place in enumerate(found) if None in found else ():
            if place is None:
                full = len(places) >= MOST_LEVELS
                found[at] = -1 if full else places.setdefault(levels[at], len(places))
        if len(places) > len(self._figures.T):
            room = np.zeros((3, 2 * len(places)))
            room[:, : len(self._figures.T)] = self._figures
            self._figures = room
        return np.array(found, dtype=np.int64)

    @property
    def distinct(self) -> Distinct:
        """Of all rows."""
        return Distinct(len(self._places), exact=self._whole)

    @property
    def most(self) -> tuple[tuple[str, int], ...]:
        """The most frequent levels with their rows, at most SHOWN; ties by text."""
        rows = self._figures[0, : len(self._places)].astype(np.int64)
        names = [*self._places]
        first = frequency_order(names, rows)[:SHOWN].tolist()
        return tuple((names[place], int(rows[place])) for place in first)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows of the most frequent levels."""
        return tuple(rows for _, rows in self.most)

    @property
    def correlation(self) -> float | None:
        """The correlation ratio eta = sqrt(between / total): of the sum of squares of the target,
        that of the means of the levels. None where the target is constant or levels are left out.
        """
        total = self.target.yy
        if not self._whole or total <= 0:
            return None
        _, known, sums = self._figures[:, : len(self._places)]
        there = known > 0
        mean = (self.target.near_y - self._centre) + self.target.y
        between = float((known[there] * (sums[there] / known[there] - mean) ** 2).sum())
        return sqrt(min(max(between / total, 0.0), 1.0))

    @property
    def explained(self) -> float:
        """The share of the target's variance that levels explain, less what so many explain by
        chance: 1 - (1 - eta^2) (n - 1) / (n - levels).
        """
        ratio, rows = self.correlation, self.target.n
        free = rows - int((self._figures[1] > 0).sum())
        return 1.0 - (1.0 - ratio**2) * (rows - 1) / free if ratio is not None and free > 0 else 0.0
