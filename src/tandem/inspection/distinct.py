"""How many distinct values a column has: exactly where that is cheap, else a bound."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

# Values of a column that are looked at first, and distinct ones among them that are too many.
_FIRST, FEW = 16_384, 10_000
_DENSE = 8  # a column of whole numbers between so many of which one occurs is counted exactly
_PROBE = 256  # rows that tell whether numbers may be whole
_MOST = 2**22  # distinct values that are held


@dataclass(frozen=True, slots=True)
class Distinct:
    """So many distinct values; where not `exact`, more than so many."""

    count: int
    exact: bool = True

    def __str__(self) -> str:
        return f"{self.count:,}" if self.exact else f"over {self.count:,}"


def values_of(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """The distinct values among `values`, shape (rows,), ascending, and the rows of each.

    Both have shape (distinct,). None where there are more than FEW, unless they are most of the
    whole numbers in their range.
    """
    if len(values) and np.array_equal(np.rint(values[:_PROBE]), values[:_PROBE]):
        low, high = values.min().item(), values.max().item()
        if high - low < _DENSE * len(values):
            whole = values.astype(np.int64, copy=False)
            if whole is values or np.array_equal(whole, values):
                rows = np.bincount(whole - int(low))
                places = np.flatnonzero(rows)
                return places + int(low), rows[places]
    if len(values) > _FIRST and len(_counted(values[:_FIRST])[0]) > FEW:
        return None
    found, rows = _counted(values)
    if len(found) > FEW:
        return None
    order = np.argsort(found)
    return found[order], rows[order]


def _counted(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The distinct values and the rows of each, in any order."""
    if values.dtype == np.float16:  # no table of Arrow's for it
        return np.unique(values, return_counts=True)
    same = np.ascontiguousarray(values) + values.dtype.type(0)  # -0.0 is 0.0
    kind, buffer = pa.from_numpy_dtype(same.dtype), pa.py_buffer(same)
    found = pc.value_counts(pa.Array.from_buffers(kind, len(same), [None, buffer]))
    ends = zip(found.flatten(), (same.dtype, np.int64), strict=True)
    distinct, rows = (np.frombuffer(one.buffers()[1], dtype, len(one)) for one, dtype in ends)
    return distinct, rows


class DistinctValues:
    """Adds up the distinct values of parts."""

    def __init__(self) -> None:
        self._held: list[NDArray[Any]] = []
        self._room = 4 * FEW
        self._known: int | None = None

    def add(self, values: NDArray[Any] | None) -> None:
        """Add those of a part; None: more than FEW."""
        if self._known is not None:
            return
        if values is None:
            self._known, self._held = FEW, []
            return
        self._held.append(values)
        if sum(map(len, self._held)) > self._room:
            found = _united(self._held)
            whole = not np.issubdtype(found.dtype, np.floating)
            most = _MOST if whole and found[-1] - found[0] < _DENSE * len(found) else FEW
            if len(found) > most:
                self._known, self._held = most, []
            else:
                self._held, self._room = [found], 2 * max(len(found), 2 * FEW)

    @property
    def done(self) -> bool:
        """Whether there are too many, so that more need not be added."""
        return self._known is not None

    @property
    def found(self) -> Distinct:
        """Of all parts."""
        if self._known is not None:
            return Distinct(self._known, exact=False)
        return Distinct(len(_united(self._held)))


def _united(parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
    held = [*parts]
    found = np.sort(np.concatenate(held)) if held else np.empty(0)
    first = np.ones(len(found), dtype=np.bool_)  # np.unique would import numpy.ma
    first[1:] = found[1:] != found[:-1]
    return found[first]
