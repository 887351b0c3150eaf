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
    """Up to `rows` raw rows with a target, from row groups that are spread over the dataset."""
    groups = [*groups_with_rows(file.path for file in dataset.files)]
    places = {int(p) for p in np.linspace(0, len(groups) - 1, min(_SAMPLE_PLACES, len(groups)))}
    each = -(-rows // len(places))
    pieces = [first_rows(*groups[place], columns, each) for place in sorted(places)]
    frame = as_pandas(pa.concat_tables(pieces, promote_options="permissive"))
    return frame[frame[dataset.target.name].notna()]


def example(dataset: Dataset, plan: Plan, rows: int = 5) -> "pd.DataFrame":
    """The first rows as they stand in the file, features of the model only."""
    names = [column.name for column in plan.used]
    path, group = next(groups_with_rows(file.path for file in dataset.files))
    return as_pandas(first_rows(path, group, names, rows))
