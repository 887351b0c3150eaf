"""Delta tables: the files of the current version, each with all columns of the table."""

import hashlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from tandem.dataset.files import DELTA_LOG
from tandem.dataset.parquet import write_row_groups
from tandem.errors import DataError, MachineError
from tandem.machine import marks, published


def is_delta(path: str) -> bool:
    """Whether a path is the folder of a Delta table."""
    return bool(path) and (Path(path).expanduser() / DELTA_LOG).is_dir()


def delta_files(path: str) -> tuple[Path, ...]:
    """The files of the current version of a Delta table, the oldest first; no removed rows.

    A file that lacks columns of the table (those of its partition, and younger ones) is written
    into the cache with them, on first use of its content. Raises DataError where the table cannot
    be read, or a reader must know more than Parquet (deletion vectors, column mapping);
    MachineError where the package for it is not installed or the cache has no room.
    """
    folder = Path(path).expanduser().absolute()
    table = _opened(folder)
    actions = pa.table(table.get_add_actions())
    columns = (actions[name].to_pylist() for name in ("path", "modification_time"))
    times = {unquote(name): time for name, time in zip(*columns, strict=True)}
    files = _dataset(folder, table)
    found = sorted(files.get_fragments(), key=lambda file: (times[file.path], file.path))
    if not found:
        raise DataError(f"{path}: the Delta table holds no file -> check the data")
    return tuple(_whole(folder / file.path, file, files.schema) for file in found)


def _opened(folder: Path) -> Any:
    try:
        from deltalake import DeltaTable  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MachineError(
            f"{folder}: a Delta table wants a package that is not installed -> "
            "pip install 'tandem[delta]'"
        ) from error
    try:
        return DeltaTable(folder)
    except Exception as error:
        raise _unreadable(folder, error) from error


def _dataset(folder: Path, table: Any) -> Any:
    from pyarrow.dataset import ParquetReadOptions  # noqa: PLC0415 - for these tables only
    from pyarrow.fs import LocalFileSystem, SubTreeFileSystem  # noqa: PLC0415 - the same

    try:
        # Older writers ask for it by this key alone.
        mode = table.metadata().configuration.get("delta.columnMapping.mode", "none")
        if mode != "none":
            raise NotImplementedError(f"delta.columnMapping.mode is {mode}")  # noqa: TRY301
        return table.to_pyarrow_dataset(
            filesystem=SubTreeFileSystem(str(folder), LocalFileSystem()),
            parquet_read_options=ParquetReadOptions(coerce_int96_timestamp_unit="us"),
        )
    except Exception as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: Path, error: Exception) -> DataError:
    told = " ".join(str(error).split())
    return DataError(
        f"{folder}: a Delta table that cannot be read ({told}) -> write its rows to Parquet"
    )


def _whole(path: Path, file: Any, schema: pa.Schema) -> Path:
    """The file itself where it holds the columns of `schema`, else a copy that does."""
    mark = next(iter(marks([path])))
    if {*file.physical_schema.names} == {*schema.names}:
        return path
    state = f"{mark.digest} {schema} {file.partition_expression}"

    def build(work: Path) -> dict[str, Any]:
        empty = pa.RecordBatch.from_pylist([], schema=schema)
        rows = write_row_groups(work / path.name, chain([empty], _rows(path, file, schema)))
        return {"file": str(path), "rows": rows}

    key = f"delta/{hashlib.sha256(state.encode()).hexdigest()[:32]}"
    return published(key, path.stat().st_size, build) / path.name


def _rows(path: Path, file: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    from pyarrow.dataset import ParquetFragmentScanOptions  # noqa: PLC0415 - as in `_dataset`

    checked = ParquetFragmentScanOptions(page_checksum_verification=True)
    try:
        yield from file.to_batches(schema=schema, fragment_scan_options=checked)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read ({error}) -> write the file again") from error
