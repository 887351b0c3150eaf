"""The residual of a row as a function of its row vector, and what sums of residuals pull at.

With these, errors are summed row by row where the moments have lost the digits of them.
"""

import numpy as np

from tandem.moments import Residual, RowVector
from tandem.records import Array
from tandem.solver.double_double import DoubleDouble
from tandem.solver.training_sets import Split


def residual(split: Split, slopes: Array, vector: RowVector) -> Residual:
    """(y - mean y) - sum_j slopes_j (x_j - mean x_j), with missing cells at their means."""
    design = np.array(vector.design)
    numeric = design < vector.numeric
    unit = vector.per_unit
    shift = DoubleDouble.of(vector.shift) / unit
    at = np.append(np.where(numeric, design, 0), -1)
    away = split.centre - shift[at] * np.append(numeric, 1.0)
    residual_of = np.column_stack([-slopes, np.ones(len(slopes))])
    constant = -(away[None, :] * residual_of).sum(axis=1).rounded()
    row = np.zeros((len(slopes), vector.width))
    row[:, 1 + design[numeric]] = -slopes[:, numeric] / unit[design[numeric]]
    row[:, -1] = 1.0 / unit[-1]
    for i, j in enumerate(vector.imputed):
        slope = slopes[:, np.flatnonzero(design == j)[0]]
        at_mean = slope * (split.means[j] - shift[j]).rounded()
        row[:, 1 + vector.numeric + i] = at_mean
        constant = constant - at_mean
    row[:, 0] = constant
    by_index = np.zeros((len(slopes), len(split.indices)))
    by_index[:, design[~numeric] - vector.numeric] = -slopes[:, ~numeric]
    return Residual(row, by_index, split.indices)


def pull(split: Split, vector: RowVector, sums: Array) -> Array:
    """Sums of (x_j - mean x_j) times the residual, raw units, from the sums of `products`.

    A cleaned cell less its mean is (x - m) o + (m - mean), m being the mean of what is there.
    """
    found = np.empty(len(vector.design))
    shift = DoubleDouble.of(vector.shift) / vector.per_unit
    means = (split.means - shift[:-1]).rounded()
    observed = vector.observed(vector.design)
    for j, at in enumerate(vector.design):
        if at < vector.numeric:
            value, there = sums[1 + at] / vector.per_unit[at], sums[observed[j]]
            centre = float((split.centre[j] - shift[at]).rounded())
            found[j] = value - means[at] * there - (centre - means[at]) * sums[0]
        else:
            centre = float(split.centre[j].rounded())
            found[j] = sums[vector.width + at - vector.numeric] - centre * sums[0]
    return found
