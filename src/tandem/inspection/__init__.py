"""A table before anything is trained: figures, doubts and the plan of every column."""

from tandem.inspection.inspection import Inspected, Inspection, inspect

__all__ = ["Inspected", "Inspection", "inspect"]
