"""Categories: what stands for a missing one, and the order of their indices."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Stands for a missing category inside an engine: a character that no text file may hold.
MISSING = "\x00missing"


def frequency_order(levels: Sequence[str], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of the levels that occur, by descending count, ties by code point.

    `counts`: shape (levels,), rows of every level; the result: shape (levels with a row,).
    So does Spark's StringIndexer (frequencyDesc), which compares UTF-8 bytes.
    """
    present = np.flatnonzero(counts).tolist()
    present.sort(key=levels.__getitem__)
    by_text = np.array(present, dtype=np.int64)
    return by_text[np.argsort(-counts[by_text], kind="stable")]
