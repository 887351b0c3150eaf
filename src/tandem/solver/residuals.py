"""Errors summed row by row, for all models of all folds at once: one more scan.

Where the residuals are so small against the target that the moments have lost their digits, this
has them: the error of a row is computed before it is squared.
"""

import numpy as np

from tandem.moments import Form, Residual
from tandem.records import Array
from tandem.solver.double_double import DoubleDouble
from tandem.solver.training_sets import Split


def residual(split: Split, slopes: Array, form: Form) -> Residual:
    """(y - mean y) - sum_j slopes_j (x_j - mean x_j), with missing cells at their means."""
    design = np.array(form.design)
    numeric = design < form.numeric
    unit = form.per_unit
    shift = DoubleDouble.of(form.shift) / unit
    at = np.append(np.where(numeric, design, 0), -1)
    away = split.centre - shift[at] * np.append(numeric, 1.0)
    residual_of = np.column_stack([-slopes, np.ones(len(slopes))])
    constant = -(away[None, :] * residual_of).sum(axis=1).rounded()
    row = np.zeros((len(slopes), form.width))
    row[:, 1 + design[numeric]] = -slopes[:, numeric] / unit[design[numeric]]
    row[:, -1] = 1.0 / unit[-1]
    for i, j in enumerate(form.imputed):
        slope = slopes[:, np.flatnonzero(design == j)[0]]
        at_mean = slope * (split.means[j] - shift[j]).rounded()
        row[:, 1 + form.numeric + i] = at_mean
        constant = constant - at_mean
    row[:, 0] = constant
    by_index = np.zeros((len(slopes), len(split.indices)))
    by_index[:, design[~numeric] - form.numeric] = -slopes[:, ~numeric]
    return Residual(row, by_index, split.indices)


def pull(split: Split, form: Form, sums: Array) -> Array:
    """Sums of (x_j - mean x_j) times the residual, raw units, from the sums of `products`.

    A cleaned cell less its mean is (x - m) o + (m - mean), m being the mean of what is there.
    """
    found = np.empty(len(form.design))
    shift = DoubleDouble.of(form.shift) / form.per_unit
    means = (split.means - shift[:-1]).rounded()
    observed = form.observed(form.design)
    for j, at in enumerate(form.design):
        if at < form.numeric:
            value, there = sums[1 + at] / form.per_unit[at], sums[observed[j]]
            centre = float((split.centre[j] - shift[at]).rounded())
            found[j] = value - means[at] * there - (centre - means[at]) * sums[0]
        else:
            centre = float(split.centre[j].rounded())
            found[j] = sums[form.width + at - form.numeric] - centre * sums[0]
    return found
