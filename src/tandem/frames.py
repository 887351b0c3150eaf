"""What a call from Python asks for, as words; a frame as a file that every engine reads."""

import hashlib
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from secrets import token_hex
from shutil import rmtree
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tandem.config import spelled
from tandem.errors import ConfigurationError, DataError
from tandem.machine import marks, published, scratch_folder

# What pyarrow raises of such columns.
_NO_PARQUET = (pa.ArrowException, TypeError, ValueError)


def typed(data: Any, target: str | None, keys: Mapping[str, Any]) -> Iterator[str]:
    """The command line that says the same as a call from Python.

    Raises ConfigurationError where no target is named, and DataError as `kept`.
    """
    if data is not None:
        path = data if isinstance(data, (str, Path)) else kept(data)
        yield from ("dataset=files", f"dataset.path={spelled(str(path))}")
    if target is not None:
        if not isinstance(target, (str, int)):
            raise ConfigurationError(
                f"target: {type(target).__name__}: -> the name of a column of the data"
            )
        yield f"dataset.target={spelled(target)}"
    elif data is not None and keys.get("command") != "inspect" and "dataset" not in keys:
        raise ConfigurationError(
            "target: none is given -> the name of a column; tandem.inspect(data) lists them"
        )
    for key, value in keys.items():
        if isinstance(value, Mapping):
            if "kind" in value:  # of folds, each of which has keys of its own
                yield f"{key}={value['kind']}"
            yield from (f"{key}.{name}={spelled(inner)}" for name, inner in value.items())
        else:
            yield f"{key}={value if isinstance(value, str) else spelled(value)}"


def kept(frame: Any) -> Path:
    """The Parquet file of a pandas, polars or Arrow frame, in the cache by a digest of its content.

    Of a Spark frame a folder, which Spark writes. Raises DataError where it is no frame, holds no
    row, or a column that Parquet cannot hold.
    """
    if hasattr(frame, "sparkSession"):
        return _written_by_spark(frame)
    if isinstance(frame, pd.DataFrame):
        written = _of_pandas(frame)
    elif hasattr(frame, "__arrow_c_stream__") and not isinstance(frame, pd.Series):
        written = _as_parquet(pa.table(frame))
    else:
        raise DataError(
            f"data: {type(frame).__name__}: no path and no frame -> a path, or a pandas, polars, "
            "Arrow or Spark frame"
        )
    key = f"frames/{hashlib.sha256(written).hexdigest()[:16]}"

    def build(folder: Path) -> dict[str, Any]:
        (folder / "frame.parquet").write_bytes(written)
        return {"bytes": len(written)}

    return published(key, len(written), build) / "frame.parquet"


def _as_parquet(content: pa.Table) -> bytes:
    if not content.num_rows:
        raise DataError("data: the frame holds no row -> look at how it was made")
    buffer = BytesIO()
    pq.write_table(content, buffer)
    return buffer.getvalue()


def _of_pandas(frame: pd.DataFrame) -> bytes:
    for name in frame.columns[frame.columns.duplicated()]:
        raise DataError(f"data: there are two columns '{name}' -> rename one of them")
    try:
        return _as_parquet(pa.Table.from_pandas(frame))
    except _NO_PARQUET as error:
        if len(frame.columns) > 1:
            for name in frame.columns:
                _of_pandas(frame[[name]].reset_index(drop=True))
            raise DataError("data: Parquet cannot hold its index -> .reset_index()") from error
        (name,), (kind,) = frame.columns, {*frame.dtypes}
        raise DataError(
            f"data: column '{name}' holds what Parquet cannot ({kind}) -> make it text with "
            ".astype(str), numbers with pd.to_numeric(..., errors='coerce'), or leave it out"
        ) from error


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
