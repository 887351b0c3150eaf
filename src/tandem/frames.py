"""A frame of Python as a file that every engine reads."""

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tandem.errors import DataError
from tandem.machine import published


def kept(frame: Any) -> Path:
    """The Parquet file of a pandas, polars or Arrow frame, in the cache by a digest of its content.

    Raises DataError where it is no frame.
    """
    if isinstance(frame, pd.DataFrame):
        content = pa.Table.from_pandas(frame)
    elif hasattr(frame, "__arrow_c_stream__"):
        content = pa.table(frame)
    else:
        raise DataError(
            f"data: {type(frame).__name__}: no path and no frame -> a path, or a pandas, polars "
            "or Arrow frame"
        )
    buffer = BytesIO()
    pq.write_table(content, buffer)
    written = buffer.getvalue()
    key = f"frames/{hashlib.sha256(written).hexdigest()[:16]}"

    def build(folder: Path) -> dict[str, Any]:
        (folder / "frame.parquet").write_bytes(written)
        return {"rows": content.num_rows}

    return published(key, len(written), build) / "frame.parquet"
