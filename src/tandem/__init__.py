"""One cross-validated regression pipeline, several engines, one proven answer."""

__version__ = "0.1.0"
