"""The residual of a row as a function of its row vector.

With it, errors are summed row by row where the moments have lost the digits of them.
"""

import numpy as np

from tandem.moments import Residual, RowVector
from tandem.records import Array
from tandem.solver.double_double import DoubleDouble
from tandem.solver.splits import Split


def residual(split: Split, slopes: Array, vector: RowVector) -> Residual:
    """(y - mean y) - sum_j slopes_j (x_j - mean x_j), with missing cells at their means."""
    features = [span.stop - span.start for span in split.spans]
    design = np.repeat(vector.design, features)
    numeric = design < vector.numeric
    unit = vector.per_unit
    shift = DoubleDouble.of(vector.shift) / unit
    at = np.append(np.where(numeric, design, 0), -1)
    offsets = np.append(np.zeros(vector.numeric), split.offsets)[design]
    away = split.centre - shift[at] * np.append(numeric, 1.0) - np.append(offsets, 0.0)
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
    by_index, by_feature = np.zeros((len(slopes), len(split.tables))), {}
    for j, span in zip(vector.design, split.spans, strict=True):
        c = j - vector.numeric
        if c in split.sets:
            by_feature[c] = -slopes[:, span]
        elif c >= 0:
            by_index[:, c] = -slopes[:, span.start]
    return Residual(row, by_index, split.tables, by_feature)
