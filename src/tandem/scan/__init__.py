"""Passes over Parquet files, and what is kept of them.

What rows are called on the way down: a file has row groups; neighbouring row groups are worked on
as one stretch; a stretch is decoded in pieces; a piece becomes a batch (numbers with their gaps,
categories as codes, folds); a batch is summed tile by tile, row vector by row vector.
"""

from tandem.moments import MAXIMUM_FOLDS
from tandem.scan.arrow import NotFiniteError, categories, decimals, numbers
from tandem.scan.cuts import Stretch
from tandem.scan.first_rows import cardinalities
from tandem.scan.pieces import Piece, Pieces
from tandem.scan.ranges import WIDE, Add, by_file, files_of, levels, range_sums, summed
from tandem.scan.row_groups import Footer, Reader, Tell
from tandem.scan.scanner import Scanned, Scanner
from tandem.scan.threads import Ways, Work, in_order
from tandem.scan.work import each, each_file, each_footer, versions

__all__ = [
    "MAXIMUM_FOLDS",
    "WIDE",
    "Add",
    "Footer",
    "NotFiniteError",
    "Piece",
    "Pieces",
    "Reader",
    "Scanned",
    "Scanner",
    "Stretch",
    "Tell",
    "Ways",
    "Work",
    "by_file",
    "cardinalities",
    "categories",
    "decimals",
    "each",
    "each_file",
    "each_footer",
    "files_of",
    "in_order",
    "levels",
    "numbers",
    "range_sums",
    "summed",
    "versions",
]
