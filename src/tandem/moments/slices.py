"""Columns cut into whole numbers that are so short that no product and no sum of them is rounded.

u = sum_s 2**e_s w_s with whole |w_s| <= 2**bits. The sums of w w' over all rows stay below 2**53,
so float64 holds them as they are, in any order; those of u u' follow in double-double. It takes
several times the work of summing u, and has twice the digits.
Source: Ozaki, Ogita, Oishi and Rump 2012, Error-free transformations of matrix multiplication.
"""

from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from tandem.moments.batch import Batch, Cells
from tandem.moments.moments import Integers
from tandem.moments.row_vector import RowVector
from tandem.records import Array

_BITS = 53  # of a float64


@dataclass(frozen=True, slots=True)
class Slices:
    """Every column of `vector` as `count` columns of whole numbers of at most `bits` bits.

    `exponents`: shape (k, columns), by fold and column, the target last: |u| < 2**exponent.
    """

    vector: RowVector
    exponents: Integers
    bits: int
    count: int

    @classmethod
    def of(cls, vector: RowVector, gram: Array, rows: int) -> "Slices":
        """For at most `rows` rows whose moments have this `gram`, shape (k, d, d).

        The root of a sum of squares bounds each of its terms, by up to the root of the rows.
        """
        squares = gram[:, vector.value, vector.value]
        exponents = np.frexp(np.sqrt(squares) * (1.0 + 1e-6))[1].astype(np.int64)
        bits = (_BITS - rows.bit_length()) // 2
        count = -(-(_BITS + 1 + rows.bit_length() // 2) // bits)
        return cls(vector, exponents, bits, count)

    @property
    def whole(self) -> RowVector:
        """The row vector of the slices: those of the target last, where there is one, an indicator.

        Those of a column stand beside each other, the largest first; the first has the indicator.
        """
        imputed = tuple(j * self.count for j in self.vector.imputed)
        return RowVector(np.zeros(len(self.vector.shift) * self.count), imputed, (), exact=True)

    def unit(self, number: int) -> Array:
        """2**e_s of slice `number`, shape (k, columns)."""
        unit: Array = np.ldexp(1.0, self.exponents - self.bits * (number + 1))
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
        back = rest + about
        rounded = (values - back) + ((back - rest) - about)  # by which the difference was
        for number in range(self.count):
            unit = self.unit(number)[folds, column]
            whole = np.rint(rest / unit)
            rest = (rest - whole * unit) + rounded
            rounded = 0.0
            found.append(Cells(whole, cells.missing))
        return found
