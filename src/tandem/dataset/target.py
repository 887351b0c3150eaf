"""The target as its logarithm, as what errors are shares of, and its standard deviation."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import repeat

import numpy as np

from tandem.dataset.dates import read_off
from tandem.dataset.parquet import floats, groups_with_rows, numbered, read_group
from tandem.errors import DataError
from tandem.parts import Part
from tandem.records import Array, Dataset, Mask, Source


def in_logs(dataset: Dataset) -> Dataset:
    """`dataset` with the natural logarithm of its target as the target.

    Raises DataError, with the row, where a number is not above 0, or a row group cannot be read.
    """
    target, rule = dataset.target, "model.log_target takes numbers above 0 -> correct it, or "
    for _ in _read(dataset, lambda y, _: y <= 0.0, f"{rule}model.log_target=false"):
        pass
    return replace(dataset, target=replace(target, source=Source(target.name, Part.LOG)))


def inverse_squares(dataset: Dataset) -> float:
    """sum_i v_i / y_i^2 over all rows with a target y_i; v_i: how often row i counts.

    Raises DataError, with the row, where a target is 0 that counts, or a row group cannot be read.
    """
    found, rule = 0.0, "scores.mape divides by the target -> correct it, or scores.mape=false"
    with np.errstate(divide="ignore", over="ignore"):
        for y, v in _read(dataset, lambda y, v: (y == 0.0) & (v > 0.0), rule):
            there = np.isfinite(y) & (v > 0.0)
            found += float(np.sum(v[there] / y[there] ** 2))
    return found


def _read(
    dataset: Dataset, bad: Callable[[Array, Array], Mask], rule: str
) -> Iterator[tuple[Array, Array]]:
    """The target as it is stored, and how often rows count, by row group; shape (rows,).

    Raises DataError for the first row that is `bad`, with the `rule`, or as `numbered`.
    """
    name, files = dataset.target.name, [file.path for file in dataset.files]
    weights = numbered(files, dataset.weight.name) if dataset.weight else repeat(None)
    for (path, first, values), weight in zip(numbered(files, name), weights, strict=False):
        counts = np.ones(len(values)) if weight is None else weight[2]
        if len(rows := np.flatnonzero(bad(values, counts))):
            raise DataError(
                f"{path}: row {first + int(rows[0]) + 1}: column '{name}': {values[rows[0]]:g}: "
                f"{rule} ({len(rows):,} such rows from here on)"
            )
        yield values, counts


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
