"""Sums of whole numbers are exact: they can be taken about a shift that no order of rows changes.

The rows are summed about a shift that their first ones suggest, since it must stand before the
scan. Where a column holds whole numbers, and no sum has left the 53 bits of a float64, nothing
was rounded; the sums about the mean of all rows, rounded to a whole number, follow exactly.
Of everything after that, each bit is the same for any order in which the rows were added.
"""

from dataclasses import replace

import numpy as np

from tandem.categories import frequency_order
from tandem.moments import Category, Integers, Moments, RowVector, exact_columns, ordered
from tandem.records import Array
from tandem.solver.double_double import DoubleDouble


def canonical(moments: Moments) -> Moments:
    """The same moments with every category's levels by code point, which breaks ties of counts."""
    orders = [
        frequency_order(category.levels, np.ones(len(category.levels), dtype=np.int64))
        for category in moments.categories
    ]
    return ordered(moments, orders)


def recentred(moments: Moments, vector: RowVector) -> tuple[Moments, RowVector]:
    """The same moments about the rounded mean, in every column whose sums are exact.

    With u' = u - d o: sum u'v' = sum uv - d_u sum o_u v - d_v (sum u o_v - d_u sum o_u o_v).
    """
    value, there = vector.value, vector.there
    move = np.zeros(len(value))
    exact = exact_columns(moments.gram, vector)
    vector = replace(vector, exact=bool(exact.all()))
    if vector.centres is not None:  # every fold is about its mean already
        return moments, vector
    move[exact] = _mean(moments.gram, value[exact], there[exact])
    moved = np.flatnonzero(move)
    if len(moved) == 0:
        return moments, vector
    value, there, step = value[moved], there[moved], move[moved]
    gram = moments.gram.copy()
    gram[:, value, :] = _less(gram[:, value, :], gram[:, there, :], step[:, None])
    gram[:, :, value] = _less(gram[:, :, value], gram[:, :, there], step)
    categories = []
    for category in moments.categories:
        if category.counted:
            categories.append(category)
            continue
        sums = category.sums.copy()
        sums[:, value] = _less(sums[:, value], sums[:, there], step)
        categories.append(Category(category.levels, category.keys, sums))
    shifted = replace(vector, shift=vector.shift + move)
    return replace(moments, gram=gram, categories=tuple(categories)), shifted


def _mean(gram: Array, value: Integers, there: Integers) -> Array:
    """Mean of u over the rows that have it, halves rounded up: the same about any whole shift."""
    sums, rows = gram[:, 0, value].sum(axis=0), gram[:, 0, there].sum(axis=0)
    pairs = zip(sums.tolist(), rows.tolist(), strict=True)
    return np.array([float((2 * int(s) + int(n)) // (2 * int(n))) if n else 0.0 for s, n in pairs])


def _less(sums: Array, of_there: Array, step: Array) -> Array:
    return (DoubleDouble.of(sums) - DoubleDouble.of(of_there) * step).rounded()
