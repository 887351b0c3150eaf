"""What is counted and summed of every column, piece by piece, in one pass on all cores."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tandem.inspection.bins import bins
from tandem.inspection.distinct import values_of
from tandem.inspection.levels import LevelPart
from tandem.inspection.numbers import NumberPart
from tandem.inspection.pairs import Centred, Pairs, centred
from tandem.records import Array, Column, Kind, Mask
from tandem.scan import Piece, Pieces, Reader, Stretch, categories, decimals, numbers

# Of a piece: small enough for both cores to have work to the end, and for a column's copies to come
# from memory that was used before.
_CELLS = 2**22
_PROBE = 256  # rows that tell whether a column may count the rows

# By column: a NumberPart or a LevelPart.
Parts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Values:
    """Finite numbers as they are stored, `own`, and as float64, `x`, shape (present,).

    `there`: where they are among the rows, shape (rows,); None: everywhere.
    """

    own: NDArray[Any]
    x: Array
    there: Mask | None
    gaps: int
    infinite: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The parts of every column of a stretch, piece by piece. `target`: to correlate with."""

    reader: Reader
    columns: tuple[Column, ...]
    target: Column | None
    # Columns with more distinct values than are counted: what one thread finds, all know.
    many: set[str] = field(default_factory=set)

    def pieces(self, stretches: Sequence[Stretch], threads: int) -> Pieces:
        """The rows of `stretches`, not decoded yet."""
        return self.reader.pieces(stretches, self.columns, threads, _CELLS)

    def worker(self) -> Callable[[Piece], Parts]:
        """What a thread does with a piece."""
        return self._parts

    def total(self, parts: Iterable[Parts]) -> list[Parts]:
        """The parts of a stretch, in their order."""
        return [*parts]

    def _parts(self, piece: Piece) -> Parts:
        y = None
        if self.target:
            found = _values(piece.columns[self.target.name])
            y = centred(found.x, found.there)
        return {
            c.name: self._numbers(c.name, piece.columns[c.name], y)
            if c.kind is Kind.NUMERIC
            else _levels(piece.columns[c.name], piece.rows, y)
            for c in self.columns
        }

    def _numbers(self, name: str, column: pa.Array, y: Centred | None) -> NumberPart:
        found = _values(column)
        off = centred(found.x, found.there)
        told = None if name in self.many else values_of(found.own)
        if told is None:
            self.many.add(name)
        values, rows = told or (None, None)
        if values is not None and (places := decimals(column.type)):
            values = values / 10.0**places
        shape, low, high = None, np.inf, -np.inf
        if len(found.x):
            x = found.x if values is None else values
            ends = (x.min(), x.max()) if values is None else (x[0], x[-1])
            low, high = map(float, ends)
            shape = bins(x, rows, low, high)
        return NumberPart(
            found.gaps,
            found.infinite,
            off.own,
            low,
            high,
            shape,
            values,
            off.with_(y) if y else Pairs(),
            *_steps(found.x),
        )


def _values(column: pa.Array) -> _Values:
    cells, places = numbers(column, nan=False), decimals(column.type)
    own, there = cells.values, None
    if len(cells.missing):
        there = np.ones(len(own), dtype=bool)
        there[cells.missing] = False
        own = own[there]
    infinite, gaps = 0, len(cells.missing)
    if not _finite(own):
        finite = np.isfinite(own)
        infinite = int(np.isinf(own).sum())
        gaps += len(own) - infinite - int(finite.sum())
        own = own[finite]
        if there is None:
            there = finite
        else:
            there[there] = finite
    x = own.astype(np.float64, copy=False)
    return _Values(own, x / 10.0**places if places else x, there, gaps, infinite)


def _finite(values: NDArray[Any]) -> bool:
    """Whether all are; NaN and infinity survive any sum."""
    if not np.issubdtype(values.dtype, np.floating):
        return True
    with np.errstate(invalid="ignore", over="ignore"):
        return bool(np.isfinite(np.add.reduce(values, dtype=np.float64)))


def _steps(values: Array) -> tuple[int, int]:
    """Steps by 1 from value to value, and all steps; of few first ones where these tell enough."""
    steps = max(len(values) - 1, 0)
    if 2 * _ones(values[:_PROBE]) < min(steps, _PROBE - 1):
        return 0, steps
    return _ones(values), steps


def _ones(values: Array) -> int:
    return int(np.count_nonzero(values[1:] - values[:-1] == 1))


def _levels(column: pa.Array, rows: int, y: Centred | None) -> LevelPart:
    found, missing = categories(column)
    size, codes = len(found.levels), found.codes
    counts = np.bincount(codes, minlength=size)
    known: NDArray[Any] = counts
    sums: NDArray[Any] = np.zeros(size)
    target = Pairs()
    if y:
        sums = np.bincount(codes, y.off, size)
        if y.there is not None:
            known = np.bincount(codes, y.there, size)
        there = None
        if len(missing):
            there = np.ones(rows)
            there[missing] = 0.0
        target = Centred(0.0, np.zeros(rows), there, rows - len(missing), (0.0, 0.0)).with_(y)
    levels, figures = found.levels, np.array([counts, known, sums])
    if len(missing):
        at = int(codes[missing[0]])
        levels, figures = levels[:at] + levels[at + 1 :], np.delete(figures, at, axis=1)
    return LevelPart(levels, figures, y.near if y else 0.0, target, len(missing))
