"""A frame of Python as a file that every engine reads."""

import hashlib
from io import BytesIO
from pathlib import Path
from secrets import token_hex
from shutil import rmtree
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tandem.errors import DataError
from tandem.machine import marks, published, scratch_folder


def kept(frame: Any) -> Path:
    """The Parquet file of a pandas, polars or Arrow frame, in the cache by a digest of its content.

    Of a Spark frame a folder, which Spark writes. Raises DataError where it is no frame.
    """
    if hasattr(frame, "sparkSession"):
        return _written_by_spark(frame)
    if isinstance(frame, pd.DataFrame):
        content = pa.Table.from_pandas(frame)
    elif hasattr(frame, "__arrow_c_stream__"):
        content = pa.table(frame)
    else:
        raise DataError(
            f"data: {type(frame).__name__}: no path and no frame -> a path, or a pandas, polars, "
            "Arrow or Spark frame"
        )
    buffer = BytesIO()
    pq.write_table(content, buffer)
    written = buffer.getvalue()
    key = f"frames/{hashlib.sha256(written).hexdigest()[:16]}"

    def build(folder: Path) -> dict[str, Any]:
        (folder / "frame.parquet").write_bytes(written)
        return {"rows": content.num_rows}

    return published(key, len(written), build) / "frame.parquet"


def _written_by_spark(frame: Any) -> Path:
    """The files that Spark writes, in the order of its partitions."""
    work = scratch_folder() / f"frame-{token_hex(8)}"
    frame.write.parquet(work.as_uri())
    files = sorted(work.glob("part-*.parquet"))
    if not files:
        raise DataError(
            "data: Spark wrote its frame where this machine does not see it -> write it to a "
            "folder that all machines see, and give that path"
        )
    digests = "".join(mark.digest for mark in marks(files))
    key = f"frames/{hashlib.sha256(digests.encode()).hexdigest()[:16]}"

    def build(folder: Path) -> dict[str, Any]:
        for number, file in enumerate(files):
            file.replace(folder / f"part-{number:05}.parquet")
        return {"files": len(files)}

    found = published(key, sum(file.stat().st_size for file in files), build)
    rmtree(work, ignore_errors=True)
    return found
