"""Passes over Parquet files, and what is kept of them.

What rows are called on the way down: a file has row groups; neighbouring row groups are worked on
as one stretch; a stretch is decoded in pieces; a piece becomes a batch (numbers with their gaps,
categories as codes, folds); a batch is summed tile by tile, row vector by row vector.
"""

from tandem.scan.arrow import NotFiniteError, categories, decimals, numbers
from tandem.scan.first_rows import cardinalities
from tandem.scan.pieces import Piece, Pieces, Stretch
from tandem.scan.row_groups import Reader
from tandem.scan.scanner import Scanned, Scanner
from tandem.scan.threads import Run, Work, in_order
from tandem.scan.work import each, versions

__all__ = [
    "NotFiniteError",
    "Piece",
    "Pieces",
    "Reader",
    "Run",
    "Scanned",
    "Scanner",
    "Stretch",
    "Work",
    "cardinalities",
    "categories",
    "decimals",
    "each",
    "in_order",
    "numbers",
    "versions",
]
