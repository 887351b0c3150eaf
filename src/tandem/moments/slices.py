"""Columns cut into whole numbers that are so short that no product and no sum of them is rounded.

u = sum_s 2**e_s w_s with whole |w_s| <= 2**bits. The sums of w w' over all rows stay below 2**53,
so float64 holds them as they are, in any order; those of u u' follow in double-double. It takes
several times the work of summing u, and has twice the digits. A column of whole numbers whose
squares sum up to less than 2**53 stays as it is: so does every product sum that it is in.
Source: Ozaki, Ogita, Oishi and Rump 2012, Error-free transformations of matrix multiplication.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from tandem.moments.batch import Batch, Cells
from tandem.moments.moments import Integers
from tandem.moments.row_vector import RowVector
from tandem.records import Array, Mask

_BITS = 53  # of a float64
EXACT = 2.0**_BITS  # above it float64 rounds whole numbers


def exact_columns(gram: Array, vector: RowVector) -> Mask:
    """Whether a column's shift and sums are whole and its sum of squares is below EXACT.

    `gram`: shape (k, d, d), of `vector`; the answer has shape (columns,). The sum of
    squares bounds every other sum that the column is in, and all on the way there.
    """
    value = vector.value
    if vector.rounded:
        return np.zeros(len(value), dtype=bool)
    sums, squares = gram[:, 0, value], gram[:, value, value]
    whole = (sums == np.rint(sums)) & (squares == np.rint(squares))
    shift = np.atleast_2d(vector.shift if vector.centres is None else vector.centres)
    whole_shift = (shift == np.rint(shift)).all(axis=0)
    exact: Mask = whole.all(axis=0) & whole_shift & (squares.sum(axis=0) < EXACT)
    return exact


@dataclass(frozen=True, slots=True)
class Slices:
    """Every column of `vector` as `count` columns of whole numbers of at most `bits` bits.

    But for those that stay as they are, `exact`, shape (columns,). `exponents`: shape (k, columns),
    by fold and column, the target last: |u| < 2**exponent.
    """

    vector: RowVector
    exponents: Integers
    bits: int
    count: int
    exact: Mask

    @classmethod
    def of(cls, vector: RowVector, gram: Array, rows: int) -> "Slices":
        """For at most `rows` rows whose moments have this `gram`, shape (k, d, d).

        The root of a sum of squares bounds each of its terms, by up to the root of the rows.
        """
        squares = gram[:, vector.value, vector.value]
        exponents = np.frexp(np.sqrt(squares) * (1.0 + 1e-6))[1].astype(np.int64)
        bits = (_BITS - rows.bit_length()) // 2
        count = -(-(_BITS + 1 + rows.bit_length() // 2) // bits)
        return cls(vector, exponents, bits, count, exact_columns(gram, vector))

    @property
    def whole(self) -> RowVector:
        """The row vector of the slices: those of the target last, where there is one, an indicator.

        Those of a column stand beside each other, the largest first; the first has the indicator.
        """
        imputed = tuple(self._first[[*self.vector.imputed]].tolist())
        return RowVector(np.zeros(self._counts.sum()), imputed, (), exact=True)

    def parts(self) -> Iterator[tuple[Integers, Integers, Array]]:
        """Columns, where in `whole` a slice of each stands, and its 2**e_s; the smallest first.

        Shapes (any,), (any,) and (k, any).
        """
        value = self.whole.value
        for number in reversed(range(self.count)):
            columns = np.flatnonzero(self._counts > number)
            yield columns, value[self._first[columns] + number], self._unit(number)[:, columns]

    @property
    def _counts(self) -> Integers:
        """Slices of every column, shape (columns,)."""
        return np.where(self.exact, 1, self.count)

    @property
    def _first(self) -> Integers:
        """Which of all slices the first of every column is, shape (columns,)."""
        return np.cumsum(self._counts) - self._counts

    def _unit(self, number: int) -> Array:
        """2**e_s of slice `number`, shape (k, columns)."""
        exponents = self.exponents - self.bits * (number + 1)
        unit: Array = np.ldexp(1.0, np.where(self.exact, 0, exponents))
        return unit

    def cut(self, batch: Batch) -> Batch:
        """The same rows, their numbers as slices."""
        folds = batch.folds % len(self.exponents)  # of micro-folds, the folds that they are of
        with np.errstate(all="ignore"):  # whatever stands where nothing is there
            cells = [self._cut(cells, j, folds) for j, cells in enumerate(batch.numeric)]
        return replace(batch, numeric=tuple(chain.from_iterable(cells)))

    def _cut(self, cells: Cells, column: int, folds: NDArray[np.uint16]) -> list[Cells]:
        vector, found = self.vector, []
        centres = vector.centres
        about = vector.shift[column] if centres is None else centres[folds, column]
        values = cells.values.astype(np.float64)
        rest = values - about
        if self.exact[column]:
            return [Cells(rest, cells.missing)]
        back = rest + about
        rounded = (values - back) + ((back - rest) - about)  # by which the difference was
        for number in range(self.count):
            unit = self._unit(number)[folds, column]
            whole = np.rint(rest / unit)
            rest = (rest - whole * unit) + rounded
            rounded = 0.0
            found.append(Cells(whole, cells.missing))
        return found
