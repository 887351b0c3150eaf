"""What the sums tell of every coefficient beside its value: errors, and what it is worth."""

import numpy as np

from tandem.records import Array, Mask
from tandem.results import Inference
from tandem.solver.standard import Standard

_EPSILON = float(np.finfo(np.float64).eps)
_MOST = 1000  # features: more are factorised in seconds
_READABLE = 200  # features
_EXACT = 1e-13  # share of the target's variance that rounding leaves of an exact fit


def correlations(standard: Standard) -> Array | None:
    """Of the features, the target last, shape (p + 1, p + 1): G and c over the target's deviation.

    NaN where one is constant. None of more than 200 features: nobody reads them.
    """
    if standard.features > _READABLE:
        return None
    found = np.full((standard.features + 1, standard.features + 1), np.nan)
    varies = standard.varies
    found[np.ix_(varies, varies)] = standard.xx.hi
    if standard.yy:
        found[varies, -1] = found[-1, varies] = standard.xy.hi / np.sqrt(standard.yy)
        found[-1, -1] = 1.0
    clipped: Array = np.clip(found, -1.0, 1.0)
    return clipped


def inference(
    standard: Standard, rows: int, spread: Array | None = None, *, penalised: bool
) -> Inference | None:
    """Classical inference of least squares on a training set of so many `rows`, `standard`.

    With G = Z'Z/n, c = Z'y/n, w = G^+ c, r the rank of G and d = n - 1 - r degrees of freedom:
    s^2 = n (y'y/n - w'c) / d; the standard error of b_j is s sqrt(G^+_jj / n) / s_j; with t_j the
    coefficient over it, the partial R2 is t_j^2 / (t_j^2 + d): the share of what the other features
    leave of the target that feature j explains. Errors are NaN where the model is `penalised`, both
    are where a feature follows from others, is constant, or nothing is left to judge by. None of
    more than 1,000 features. (T. Hastie, R. Tibshirani, J. Friedman, The elements of statistical
    learning, 2009, section 3.2.)

    `spread`: sum of e^2 (x - mean)(x - mean)', raw units, shape (p, p), e being what a row is off.
    With M = sum e^2 z z' / n the robust error of b_j is sqrt((G^+ M G^+)_jj / d) / s_j: HC1 of J.
    MacKinnon, H. White, Some heteroskedasticity-consistent covariance matrix estimators, 1985.
    """
    features, varies = standard.features, standard.varies
    if len(varies) > _MOST:
        return None
    inverse, rank, own = _inverted(standard)
    weights = inverse @ standard.xy.hi
    degrees = rows - 1 - rank
    left = max(standard.yy - float(weights @ standard.xy.hi), 0.0)
    errors, partial, robust = np.full((3, features), np.nan)
    if degrees > 0 and left > _EXACT * standard.yy:
        scaled = np.sqrt(left / degrees * inverse.diagonal())
        told = varies[own]
        partial[told] = (t := (weights[own] / scaled[own]) ** 2) / (t + degrees)
        if not penalised:
            errors[told] = scaled[own] / standard.scale[own]
            if spread is not None:
                scale = standard.scale
                middle = spread[np.ix_(varies, varies)] / np.outer(scale, scale) / rows
                each = np.sqrt((inverse @ middle @ inverse).diagonal() / degrees)
                robust[told] = (each / scale)[own]
    scales = np.zeros(features)
    scales[varies] = standard.scale / (standard.target_deviation or np.inf)
    return Inference(errors, partial, degrees, scales, None if spread is None else robust)


def _inverted(standard: Standard) -> tuple[Array, int, Mask]:
    """G^+, the rank of G, and which features do not follow from others, shape (q,)."""
    values, vectors = np.linalg.eigh(standard.xx.hi)
    above = values > len(values) * _EPSILON * max(values[-1:], default=0.0)
    # Each of the sets makes one value 0, which rounding may leave just above it.
    rank = min(int(above.sum()), len(values) - len(standard.rank.sets))
    kept = np.arange(len(values)) >= len(values) - rank
    # What follows from others has a share in the directions that are left out, beyond rounding.
    rounding = 10.0 * len(values) * _EPSILON / min(values[kept], default=1.0)
    own: Mask = np.sum(vectors[:, ~kept] ** 2, axis=1) <= rounding**2
    inverse: Array = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    return inverse, rank, own
