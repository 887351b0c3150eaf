"""Raw rows for a person to look at, or for a check; read as the engines read them."""

from collections.abc import Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tandem.dataset.dates import read_off, with_read_off
from tandem.dataset.parquet import first_rows, groups_with_rows, is_text
from tandem.records import Dataset

SAMPLE_ROWS = 20_000
_SAMPLE_PLACES = 8


def sample(
    dataset: Dataset, names: list[str], rows: int = SAMPLE_ROWS, *, stored: bool = False
) -> pa.Table:
    """About `rows` rows, less those without a target, from all over the dataset.

    The same ones every time: the first of up to 8 row groups. The columns `names`, with the
    target; where they are read off others, `stored`: those instead, as the files hold them.
    Raises DataError where a row group cannot be read.
    """
    columns = [c for c in dict.fromkeys((*dataset.columns, *dataset.beside)) if c.name in names]
    read = [*dict.fromkeys(column.stored for column in columns)]
    groups = [*groups_with_rows(file.path for file in dataset.files)]
    places = {int(p) for p in np.linspace(0, len(groups) - 1, min(_SAMPLE_PLACES, len(groups)))}
    each = -(-rows // len(places))
    pieces = [first_rows(*groups[place], read, each) for place in sorted(places)]
    pieces = [piece.cast(pa.schema(map(_kept, piece.schema))) for piece in pieces]
    table = pa.concat_tables(pieces, promote_options="permissive")
    target = read_off(table[dataset.target.stored], dataset.target).cast(pa.float64(), safe=False)
    table = table.filter(pc.invert(pc.is_nan(target)))  # and those that are null
    return table if stored else pa.table(with_read_off(table, columns)).select(names)


def _kept(field: pa.Field) -> pa.Field:
    """Texts in one type: Arrow cannot choose rows of views, nor unite codes of several files."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    return field.with_type(pa.string()) if is_text(kind) else field


def example(dataset: Dataset, names: Sequence[str], rows: int = 5) -> dict[str, list[Any]]:
    """The columns `names` of the files, of the first `rows` rows, as JSON has their cells.

    Raises DataError where they cannot be read.
    """
    path, group = next(groups_with_rows(file.path for file in dataset.files))
    read = first_rows(path, group, names, rows)
    found = read.cast(pa.schema(map(_in_utc, read.schema))).to_pydict()
    return {name: [*map(_plain, cells)] for name, cells in found.items()}


def _in_utc(field: pa.Field) -> pa.Field:
    """The same moments: Python has none of year 10,000, which 9999 ends as in Berlin."""
    zoned = pa.types.is_timestamp(field.type) and field.type.tz
    return field.with_type(pa.timestamp(field.type.unit, "UTC")) if zoned else field


def _plain(cell: Any) -> Any:
    """A cell as JSON can hold it: no NaN, no decimal number, a date as ISO has it."""
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    number = float(cell) if isinstance(cell, (float, Decimal)) else cell
    return number if number == number else None  # noqa: PLR0124 - NaN
