"""The target as its logarithm, and the unit of a penalty: its standard deviation."""

from dataclasses import replace

import numpy as np

from tandem.dataset.dates import read_off
from tandem.dataset.parquet import floats, groups_with_rows, numbered, read_group
from tandem.errors import DataError
from tandem.parts import Part
from tandem.records import Dataset, Source


def in_logs(dataset: Dataset) -> Dataset:
    """`dataset` with the natural logarithm of its target as the target.

    Raises DataError, with the row, where a number is not above 0, or a row group cannot be read.
    """
    target = dataset.target
    for path, first, values in numbered((file.path for file in dataset.files), target.name):
        bad = np.flatnonzero(values <= 0.0)
        if len(bad):
            raise DataError(
                f"{path}: row {first + int(bad[0]) + 1}: column '{target.name}': "
                f"{values[bad[0]]:g}: model.log_target takes numbers above 0 -> correct it, or "
                f"model.log_target=false ({len(bad):,} such rows from here on)"
            )
    return replace(dataset, target=replace(target, source=Source(target.name, Part.LOG)))


def target_deviation(dataset: Dataset) -> float:
    """s_y = sqrt(sum_i v_i (y_i - mean)^2 / sum_i v_i) of all finite values of the target, in its
    unit; v_i: how often row i counts.

    Row group by row group (T. Chan, G. Golub, R. LeVeque, Algorithms for computing
    the sample variance, 1983). 1 where the target is constant. Raises DataError where a row group
    cannot be read.
    """
    target, weight, count = dataset.target, dataset.weight, 0.0
    names = [*dict.fromkeys(c.stored for c in (target, weight) if c)]
    mean = squares = np.longdouble(0.0)  # whose exponents hold the square of any float64
    for path, group in groups_with_rows(file.path for file in dataset.files):
        read = read_group(path, group, names)
        values = floats(read_off(read[target.stored], target))
        counts = floats(read[weight.stored]) if weight else np.ones(len(values))
        there = np.isfinite(values) & (counts > 0.0)
        if there.any():
            y, v = (x[there].astype(np.longdouble) for x in (values, counts))
            own = v @ y / (more := v.sum())
            step, total = own - mean, count + more
            squares += v @ (y - own) ** 2 + step**2 * count * more / total
            mean += step * more / total
            count = total
    return float(np.sqrt(squares / (count or 1.0))) or 1.0
