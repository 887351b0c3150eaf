"""The sums of a linear regression with categories, and what adds them."""

from tandem.moments.accumulate import table_bytes, total
from tandem.moments.batch import TILE, Batch, Cells, Codes
from tandem.moments.budget import FIRST_ROWS, Allowance, allowed, levels_of
from tandem.moments.category_indices import Indices, fit_indices, index_sums, with_counted
from tandem.moments.micro_folds import folded, micro_fold_count, multiples
from tandem.moments.moments import (
    MAXIMUM_FOLDS,
    Category,
    Integers,
    Moments,
    Pair,
    by_fold,
    ordered,
    positions,
    sum_of_others,
)
from tandem.moments.row_vector import Residual, RowVector
from tandem.moments.slices import EXACT, Slices, exact_columns
from tandem.moments.tiling import Workplace, moments_of, tiles

__all__ = [
    "EXACT",
    "FIRST_ROWS",
    "MAXIMUM_FOLDS",
    "TILE",
    "Allowance",
    "Batch",
    "Category",
    "Cells",
    "Codes",
    "Indices",
    "Integers",
    "Moments",
    "Pair",
    "Residual",
    "RowVector",
    "Slices",
    "Workplace",
    "allowed",
    "by_fold",
    "exact_columns",
    "fit_indices",
    "folded",
    "index_sums",
    "levels_of",
    "micro_fold_count",
    "moments_of",
    "multiples",
    "ordered",
    "positions",
    "sum_of_others",
    "table_bytes",
    "tiles",
    "total",
    "with_counted",
]
