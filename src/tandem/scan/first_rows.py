"""What is decided from the first rows: the shift, levels to come, which categories get sums."""

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tandem.moments import FIRST_ROWS, Allowance, RowVector, allowed, levels_of, table_bytes
from tandem.records import Array, Column
from tandem.scan.arrow import categories, numbers
from tandem.scan.cuts import Stretch
from tandem.scan.row_groups import Reader
from tandem.scan.work import Rows


def expected_levels(first: pa.ChunkedArray, of: int) -> int:
    """How many levels a categorical column of `of` rows has, to judge by its `first` ones."""
    codes = categories(first)[0].codes
    return levels_of(len(np.unique(codes)), len(codes), of)


def common_shift(sample: pa.Table, columns: Sequence[Column], required: Sequence[Column]) -> Array:
    """A constant near the mean of every column, for all parts of the data, shape (columns,).

    In raw units, decimals in units of their last place, in which they are whole. By the rows of
    `sample` that have all columns `required`, which are among `columns`. Rounded to a power of two
    near the deviation, and at least to 1 for integers: subtracting it is exact then.
    A constant column is its own shift.
    """
    cells = {column.id: numbers(sample.column(column.name), nan=True) for column in columns}
    used = np.ones(sample.num_rows, dtype=bool)
    for column in required:
        used[cells[column.id].missing] = False
    shifts = []
    for column in columns:
        there = used.copy()
        there[cells[column.id].missing] = False
        values = cells[column.id].values[there].astype(np.float64)
        values = values[np.isfinite(values)]
        mean, deviation = (values.mean(), values.std()) if len(values) else (0.0, 0.0)
        if len(values) and np.ptp(values) == 0.0:
            shifts.append(float(values[0]))
            continue
        step = 2.0 ** math.floor(math.log2(deviation)) if deviation > 0 else 1.0
        if np.all(values == np.rint(values)):
            step = max(step, 1.0)
        shift = round(mean / step) * step
        shifts.append(shift if math.isfinite(shift) else 0.0)
    return np.array(shifts)


def cardinalities(reader: Reader, first: Stretch, columns: Sequence[Column], of: int) -> list[int]:
    """Levels among `of` rows of each of `columns`, to judge by the first rows, those of `first`."""
    sample = reader.sample(first, columns, FIRST_ROWS)
    return [expected_levels(sample.column(column.name), of) for column in columns]


def allowance(rows: Rows, vector: RowVector, first: Stretch, of: int) -> Allowance:
    """Which categories of `of` rows get no sums, to judge by the first ones, those of `first`.

    Where their rows tell too little, the sums are given up when they have become too large.
    """
    plan, k = rows.plan, rows.folds.parts
    sizes = dict.fromkeys(range(len(plan.categorical)), table_bytes(of, k, vector.width))
    if allowed(sizes).counted:
        found = cardinalities(rows.reader, first, plan.categorical, of)
        sizes = {c: table_bytes(levels, k, vector.width) for c, levels in enumerate(found)}
    return allowed(sizes)
