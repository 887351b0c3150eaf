"""Some rows as what is summed: numbers with their gaps, categories as codes, folds, drops."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.moments.moments import Integers
from tandem.records import Array

TILE = 16384


@dataclass(frozen=True, slots=True)
class Cells:
    """Values of a numeric column, any number type, shape (rows,); where they are missing.

    `missing`: shape (gaps,), positions, ascending.
    """

    values: NDArray[Any]
    missing: Integers


@dataclass(frozen=True, slots=True)
class Codes:
    """Values of a categorical column as positions in `levels`, shape (rows,); all are valid."""

    levels: tuple[str, ...]
    codes: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows: the numeric features, then the target; categorical features; folds; drops.

    `folds`: of every row, shape (rows,); `dropped`: positions of the rows that are not used,
    ascending, shape (drops,); `weights`: how often every row counts, shape (rows,); None: once.
    """

    numeric: tuple[Cells, ...]
    categorical: tuple[Codes, ...]
    folds: NDArray[np.uint16]
    dropped: Integers
    weights: Array | None = None
