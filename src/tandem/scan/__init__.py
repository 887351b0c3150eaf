"""Passes over Parquet files, and what is kept of them.

What rows are called on the way down: a file has row groups; neighbouring row groups are worked on
as one stretch; a stretch is decoded in pieces; a piece becomes a batch (numbers with their gaps,
categories as codes, folds); a batch is summed tile by tile, row vector by row vector.
"""

from tandem.scan.arrow import NotFiniteError, decimals, is_floating
from tandem.scan.first_rows import allowance, cardinalities, common_shift
from tandem.scan.index_sums import Lookup
from tandem.scan.moments_cache import SecondLook
from tandem.scan.pieces import Stretch
from tandem.scan.row_groups import Footers, Reader
from tandem.scan.threads import Work, in_order
from tandem.scan.work import (
    GroupCounts,
    GroupErrors,
    GroupIndexSums,
    GroupMoments,
    GroupProducts,
    Rows,
    each,
    versions,
)

__all__ = [
    "Footers",
    "GroupCounts",
    "GroupErrors",
    "GroupIndexSums",
    "GroupMoments",
    "GroupProducts",
    "Lookup",
    "NotFiniteError",
    "Reader",
    "Rows",
    "SecondLook",
    "Stretch",
    "Work",
    "allowance",
    "cardinalities",
    "common_shift",
    "decimals",
    "each",
    "in_order",
    "is_floating",
    "versions",
]
