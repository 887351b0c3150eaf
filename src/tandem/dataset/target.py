"""The unit of a penalty: the target's standard deviation."""

import sys

import numpy as np

from tandem.dataset.dates import read_off
from tandem.dataset.parquet import first_rows, floats, groups_with_rows
from tandem.records import Dataset


def target_deviation(dataset: Dataset) -> float:
    """s_y = sqrt(sum_i (y_i - mean)^2 / n) of all finite values of the target, in its unit.

    Of one column, row group by row group (T. Chan, G. Golub, R. LeVeque, Algorithms for computing
    the sample variance, 1983). 1 where the target is constant. Raises DataError where a row group
    cannot be read.
    """
    target, count = dataset.target, 0
    mean = squares = np.longdouble(0.0)  # whose exponents hold the square of any float64
    for path, group in groups_with_rows(file.path for file in dataset.files):
        cells = first_rows(path, group, [target.stored], sys.maxsize)[target.stored]
        values = floats(read_off(cells, target))
        values = values[np.isfinite(values)].astype(np.longdouble)
        if len(values):
            own = values.mean()
            step, total = own - mean, count + len(values)
            squares += np.sum((values - own) ** 2) + step**2 * count * len(values) / total
            mean += step * len(values) / total
            count = total
    return float(np.sqrt(squares / max(count, 1))) or 1.0
