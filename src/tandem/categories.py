"""Categories: what stands for a missing one, and the order of their indices."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.records import Array, Plan

# Stands for a missing category inside an engine: a character that no text file may hold.
MISSING = "\x00missing"
# Stands for all levels that have no sums of their own.
REST = "\x00rest"
# Of all that counts: sums of weights that are nearer to each other are equal.
_EQUAL = 1e-12


def features_of(levels: int, most: int) -> int:
    """How many 0/1 features so many levels are: the `most` most frequent have one each, the rest
    share the last.
    """
    return min(levels, most + 1)


def feature_counts(plan: Plan, levels: Mapping[str, int], most: int) -> tuple[int, ...]:
    """How many features every column of the regression is.

    `levels`: how many every category has that is 0/1 features, by name.
    """
    one_hot = plan.one_hot
    return tuple(features_of(levels[c.name], most) if c in one_hot else 1 for c in plan.used)


def by_level(slopes: Array, levels: int, most: int) -> Array:
    """What the 0/1 features give to a row of every index, then of a level that is not known.

    `slopes`: shape (features,), those of the features; the result has shape (levels + 1,).
    """
    found: Array = slopes[np.minimum(np.arange(levels + 1), len(slopes) - 1)]
    if levels <= most:
        found[-1] = 0.0
    return found


def by_column(
    plan: Plan, slopes: Iterable[Array], levels: Mapping[str, Sequence[object]], most: int
) -> tuple[dict[str, float], dict[str, tuple[float, ...]]]:
    """The coefficient of every column, 1 where its levels are features, and what these give.

    `slopes`: of every column's features, each of shape (features,); `levels`: by index, by name.
    """
    coefficients, values = {}, {}
    for column, own in zip(plan.used, slopes, strict=True):
        one_hot = column in plan.one_hot
        coefficients[column.name] = 1.0 if one_hot else float(own[0])
        if one_hot:
            found = by_level(own, len(levels[column.name]), most)
            values[column.name] = tuple(found.tolist())
    return coefficients, values


def spans(features: Iterable[int]) -> tuple[slice, ...]:
    """Where the features of every column stand among all, by how many it has."""
    return tuple(slice(*ends) for ends in pairwise(accumulate(features, initial=0)))


def frequency_order(levels: Sequence[str], counts: NDArray[Any]) -> NDArray[np.int64]:
    """Positions of the levels that occur, by descending count, ties by code point.

    `counts`: shape (levels,), how often the rows of every level count; the result: shape (levels
    with a row,). So does Spark's StringIndexer (frequencyDesc), which compares UTF-8 bytes.
    """
    present = np.flatnonzero(counts).tolist()
    present.sort(key=levels.__getitem__)
    by_text = np.array(present, dtype=np.int64)
    return by_text[np.argsort(-comparable(counts[by_text]), kind="stable")]


def taken(levels: Sequence[str], order: NDArray[np.int64]) -> tuple[str, ...]:
    """Level order[i] at place i, shape (order,): of a million, in a third of a loop's time."""
    return tuple(np.array(levels, dtype=object)[order].tolist())


def comparable(counts: NDArray[Any]) -> NDArray[Any]:
    """`counts` by which levels are ordered: sums of weights to 12 digits of them all.

    What is equal but for rounding, which is another in every order of adding, is equal. Both have
    shape (levels,).
    """
    if counts.dtype != np.float64:
        return counts
    unit = float(counts.sum()) * _EQUAL
    return np.rint(counts / unit) if unit else counts
