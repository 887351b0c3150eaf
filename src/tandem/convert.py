"""CSV to Parquet, once, strictly: one parser decides what the text says, for every engine."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from tandem.cache import published
from tandem.errors import DataError

ROW_GROUP_ROWS = 131_072
_BLOCK_BYTES = 1 << 22
_EXACT_INTEGER = 2.0**53


def to_parquet(files: Sequence[Path], digest: str, missing: Sequence[str]) -> tuple[Path, ...]:
    """The Parquet files that `files` were converted to, one each, in their order.

    Numbers become float64, all else text; `missing` lists the spellings of a missing cell. What a
    column holds is decided from the first block of the first file (or, where that is empty, from
    the first values that are there); a later cell that does not fit is an error, never a reason
    to read the column as something else. Raises DataError with the place of the first offender.
    """
    key = hashlib.sha256(f"{digest} {list(missing)}".encode()).hexdigest()
    needed = sum(file.stat().st_size for file in files)

    def build(work: Path) -> dict[str, Any]:
        types = _column_types(files, missing)
        rows = [
            write_row_groups(work / f"{i:05}.parquet", _typed_batches(file, types, missing))
            for i, file in enumerate(files)
        ]
        return {"files": [str(file) for file in files], "rows": rows}

    folder = published(f"csv/{key[:32]}", needed, build)
    return tuple(folder / f"{i:05}.parquet" for i in range(len(files)))


def write_row_groups(path: Path, batches: Iterable[pa.RecordBatch]) -> int:
    """Write `batches` as Parquet in row groups of ROW_GROUP_ROWS; the number of rows written.

    Holds no more than one row group in memory.
    """
    writer: pq.ParquetWriter | None = None
    rows = 0
    for table in _regrouped(batches):
        writer = writer or pq.ParquetWriter(path, table.schema, compression="snappy")
        writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        rows += table.num_rows
    if writer:
        writer.close()
    return rows


def _regrouped(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    rows, table = 0, None
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        while rows >= ROW_GROUP_ROWS:
            table = pa.Table.from_batches(waiting)
            yield table.slice(0, ROW_GROUP_ROWS)
            waiting = table.slice(ROW_GROUP_ROWS).to_batches()
            rows -= ROW_GROUP_ROWS
    if rows or (table is None and waiting):
        yield pa.Table.from_batches(waiting)


def _column_types(files: Sequence[Path], missing: Sequence[str]) -> dict[str, pa.DataType]:
    with _open(files[0], missing, None) as reader:
        schema = reader.schema
    _check_header(files[0], schema.names)
    types = {field.name: _type(field.type) for field in schema}
    for name in [field.name for field in schema if pa.types.is_null(field.type)]:
        types[name] = _type_of_late_values(files, name, missing)
    return types


def _type(inferred: pa.DataType) -> pa.DataType:
    number = pa.types.is_integer(inferred) or pa.types.is_floating(inferred)
    return pa.float64() if number else pa.string()


def _type_of_late_values(files: Sequence[Path], name: str, missing: Sequence[str]) -> pa.DataType:
    for file in files:
        with _open(file, missing, {name: pa.string()}, only=[name]) as reader:
            for batch in reader:
                values = batch.column(0).drop_null()
                if len(values):
                    try:
                        pc.cast(values, pa.float64())
                    except pa.ArrowInvalid:
                        return pa.string()
                    return pa.float64()
    return pa.float64()


def _check_header(file: Path, names: Sequence[str]) -> None:
    for position, name in enumerate(names, 1):
        if not name.strip():
            raise DataError(f"{file}: line 1: column {position} has no name -> name it")
        if names.count(name) > 1:
            raise DataError(f"{file}: line 1: two columns are named '{name}' -> rename one of them")


def _open(
    file: Path,
    missing: Sequence[str],
    types: dict[str, pa.DataType] | None,
    only: Sequence[str] | None = None,
) -> pv.CSVStreamingReader:
    try:
        return pv.open_csv(
            file,
            read_options=pv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
            parse_options=pv.ParseOptions(newlines_in_values=True),
            convert_options=pv.ConvertOptions(
                column_types=types,
                include_columns=only,
                null_values=list(missing),
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                check_utf8=True,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise _located(file, error) from error


def _typed_batches(
    file: Path, types: dict[str, pa.DataType], missing: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    reader = _open(file, missing, types)
    if reader.schema.names != list(types):
        odd = sorted({*reader.schema.names} ^ {*types}) or ["their order"]
        raise DataError(f"{file}: its header differs from the first file's in {odd} -> align them")
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except pa.ArrowInvalid as error:
            raise _located(file, error) from error
        _check_numbers(file, batch)
        yield batch


def _check_numbers(file: Path, batch: pa.RecordBatch) -> None:
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if not pa.types.is_floating(field.type) or column.null_count == len(column):
            continue
        largest = pc.max(pc.abs(column)).as_py()
        whole = largest > _EXACT_INTEGER and pc.all(pc.equal(pc.round(column), column)).as_py()
        if largest == float("inf") or whole:
            rule = (
                "a number must be finite"
                if largest == float("inf")
                else "above 2^53 digits are lost"
            )
            raise DataError(
                f"{file}: column '{field.name}': {largest:g}: {rule} -> correct it, or exclude the "
                "column after storing it as text"
            )


def _located(file: Path, error: Exception) -> DataError:
    """The parser's complaint as one line: file, row where known, column, value, rule, next step."""
    text = " ".join(str(error).split())
    row = re.search(r"Row #(\d+)", text)
    place = f"{file}:{row.group(1)}" if row else str(file)
    return DataError(
        f"{place}: {text} -> correct the file; every row must fit the header and its column"
    )
