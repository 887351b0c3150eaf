"""Categories: what stands for a missing one, and the order of their indices."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from tandem.records import Plan

# Stands for a missing category inside an engine: a character that no text file may hold.
MISSING = "\x00missing"
# Stands for all levels that have no sums of their own.
REST = "\x00rest"


def features_of(levels: int, most: int) -> int:
    """How many 0/1 features so many levels are: the `most` most frequent have one each, the rest
    share the last.
    """
    return min(levels, most + 1)


def feature_counts(
    plan: Plan, levels: Mapping[str, Sequence[str | None]], most: int
) -> tuple[int, ...]:
    """How many features every column of the regression is; `levels`: of the categories, by name."""
    one_hot = plan.one_hot
    return tuple(features_of(len(levels[c.name]), most) if c in one_hot else 1 for c in plan.used)


def spans(features: Iterable[int]) -> tuple[slice, ...]:
    """Where the features of every column stand among all, by how many it has."""
    return tuple(slice(*ends) for ends in pairwise(accumulate(features, initial=0)))


def frequency_order(levels: Sequence[str], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of the levels that occur, by descending count, ties by code point.

    `counts`: shape (levels,), rows of every level; the result: shape (levels with a row,).
    So does Spark's StringIndexer (frequencyDesc), which compares UTF-8 bytes.
    """
    present = np.flatnonzero(counts).tolist()
    present.sort(key=levels.__getitem__)
    by_text = np.array(present, dtype=np.int64)
    return by_text[np.argsort(-counts[by_text], kind="stable")]
