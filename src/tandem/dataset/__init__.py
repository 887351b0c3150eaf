"""From the user's words to a Dataset: files, schema, CSV, Parquet, flights, samples."""

from tandem.dataset.csv_columns import are_dates
from tandem.dataset.csv_rejects import as_lines
from tandem.dataset.dates import read_off, type_read_off, with_read_off
from tandem.dataset.fold_columns import fold_of_rows, labelled
from tandem.dataset.opening import open_dataset
from tandem.dataset.parquet import (
    as_pandas,
    floats,
    has_checksums,
    open_file,
    places,
    read_columns,
    read_footer,
    reading,
    united,
    whole,
)
from tandem.dataset.samples import example, sample
from tandem.dataset.target import in_logs, inverse_squares, target_deviation

__all__ = [
    "are_dates",
    "as_lines",
    "as_pandas",
    "example",
    "floats",
    "fold_of_rows",
    "has_checksums",
    "in_logs",
    "inverse_squares",
    "labelled",
    "open_dataset",
    "open_file",
    "places",
    "read_columns",
    "read_footer",
    "read_off",
    "reading",
    "sample",
    "target_deviation",
    "type_read_off",
    "united",
    "whole",
    "with_read_off",
]
