"""Raw rows for a person to look at, or for a check; read as the engines read them."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tandem.dataset.parquet import as_pandas, first_rows, groups_with_rows
from tandem.records import Dataset, Plan

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_ROWS = 20_000
_SAMPLE_PLACES = 8


def sample(dataset: Dataset, columns: list[str], rows: int = SAMPLE_ROWS) -> "pd.DataFrame":
    """About `rows` raw rows, less those without a target, from all over the dataset.

    The same ones every time: the first of up to 8 row groups. `columns`: names, with the target's.
    Raises DataError where a row group cannot be read.
    """
    groups = [*groups_with_rows(file.path for file in dataset.files)]
    places = {int(p) for p in np.linspace(0, len(groups) - 1, min(_SAMPLE_PLACES, len(groups)))}
    each = -(-rows // len(places))
    pieces = [first_rows(*groups[place], columns, each) for place in sorted(places)]
    frame = as_pandas(pa.concat_tables(pieces, promote_options="permissive"))
    return frame[frame[dataset.target.name].notna()]


def example(dataset: Dataset, plan: Plan, rows: int = 5) -> "pd.DataFrame":
    """The first `rows` rows as they stand in the file, features of the model only.

    Raises DataError where they cannot be read.
    """
    names = [column.name for column in plan.used]
    path, group = next(groups_with_rows(file.path for file in dataset.files))
    return as_pandas(first_rows(path, group, names, rows))
