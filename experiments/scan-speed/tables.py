"""The tables that the study measures: written once to a folder, with pyarrow's own defaults."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tandem.dataset.flights import flights_folder

IMPUTED_SHARE = 0.2  # of the columns: these get the mean
MISSING_SHARE = 0.1  # of the cells of such a column
_PIECE = 1_048_576  # rows made at a time; pyarrow's own row groups are as long


def numeric(folder: Path, rows: int, features: int) -> Path:
    """A Parquet file of `rows` x (`features` + target), 20 % of the columns with missing cells.

    y = x'b + noise, so that R2 is about 0.9. Everything is pyarrow's default: snappy, row groups
    of 1,048,576 rows; only a table of fewer rows is cut in eight, to give every thread its share.
    """
    path = folder / f"numeric-{rows}-{features}.parquet"
    if path.exists():
        return path
    work = path.with_suffix(".part")
    names = [*(f"x{j:03}" for j in range(features)), "y"]
    schema = pa.schema([(name, pa.float64()) for name in names])
    length = _PIECE if rows >= 2 * _PIECE else -(-rows // 8)
    with pq.ParquetWriter(work, schema) as writer:
        for table in _pieces(rows, features, schema):
            writer.write_table(table, row_group_size=length)
    work.rename(path)
    return path


def _pieces(rows: int, features: int, schema: pa.Schema) -> Iterator[pa.Table]:
    rng = np.random.default_rng(features)
    slopes = rng.normal(size=features)
    imputed = round(IMPUTED_SHARE * features)
    for first in range(0, rows, _PIECE):
        here = min(_PIECE, rows - first)
        columns, target = [], rng.normal(scale=features**0.5 / 3, size=here)
        for j in range(features):
            values = rng.normal(loc=j, scale=1.0 + j % 7, size=here)
            target += slopes[j] / (1.0 + j % 7) * values
            gaps = rng.random(here) < MISSING_SHARE if j < imputed else None
            columns.append(pa.array(values, mask=gaps))
        yield pa.table([*columns, pa.array(target)], schema=schema)


def flights(rows: int) -> Path:
    """`rows` flights with their categories, as the product prepares them."""
    return flights_folder(rows, 0) / "flights.parquet"
