"""CSV to Parquet, once, strictly: one parser decides what the text says, for every engine."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from tandem.errors import DataError
from tandem.publish import published

ROW_GROUP_ROWS = 131_072
_BLOCK_BYTES = 1 << 22
_EXACT_INTEGER = 2.0**53
_NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
_FEW = 0.1  # a column of which fewer cells than this are no numbers is a column of numbers


def to_parquet(
    files: Sequence[Path], digest: str, missing: Sequence[str], text: Sequence[str] = ()
) -> tuple[Path, ...]:
    """The Parquet files that `files` were converted to, one each, in their order.

    Numbers become float64, all else text; `missing` lists the spellings of a missing cell, `text`
    the columns that are text whatever they look like. What another column holds is decided from
    the first block of the first file (or, where that is empty, from the first values that are
    there); a cell that does not fit is an error, never a reason to read the column as something
    else. Raises DataError with the place of the first offender.
    """
    key = hashlib.sha256(f"{digest} {list(missing)} {list(text)}".encode()).hexdigest()
    needed = sum(file.stat().st_size for file in files)

    def build(work: Path) -> dict[str, Any]:
        types = column_types(files, missing, text)
        rows = []
        for i, file in enumerate(files):
            empty = pa.RecordBatch.from_pylist([], schema=pa.schema([*types.items()]))
            batches = chain([empty], _typed_batches(file, types, missing))
            rows.append(write_row_groups(work / f"{i:05}.parquet", batches))
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
        writer = writer or pq.ParquetWriter(
            path, table.schema, compression="snappy", write_page_checksum=True
        )
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


def column_types(
    files: Sequence[Path], missing: Sequence[str], text: Sequence[str]
) -> dict[str, pa.DataType]:
    """float64 or text for every column of the header, in its order."""
    first = files[0]
    inferred = _open(first, missing, None).schema
    _check_header(first, inferred.names)
    as_text = {name: pa.string() for name in inferred.names}
    types: dict[str, pa.DataType] = {}
    for field in inferred:
        if field.name in text:
            types[field.name] = pa.string()
        elif pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
            types[field.name] = pa.float64()
        elif pa.types.is_null(field.type):
            types[field.name] = _type_of_late_values(files, field.name, missing, as_text)
        else:
            _check_text(first, field.name, missing, as_text)
            types[field.name] = pa.string()
    return types


def _check_text(
    file: Path, name: str, missing: Sequence[str], types: dict[str, pa.DataType]
) -> None:
    """Refuse a column of numbers with a few cells that are none: it is no column of text."""
    batch = next(_batches(file, _open(file, missing, types, only=[name])), None)
    if batch is None:
        return
    cells = batch.column(0)
    number = pc.match_substring_regex(cells, _NUMBER)
    odd = pc.indices_nonzero(pc.invert(number).fill_null(False))
    if len(odd) <= _FEW * (len(cells) - cells.null_count):
        row = odd[0].as_py()
        raise DataError(
            f"{file}:{row + 2}: column '{name}': '{cells[row]}': not a number, where nearly all "
            f"others are -> correct it, add it to dataset.missing, or dataset.text=[{name}]"
        )


def _type_of_late_values(
    files: Sequence[Path], name: str, missing: Sequence[str], types: dict[str, pa.DataType]
) -> pa.DataType:
    for file in files:
        for batch in _batches(file, _open(file, missing, types, only=[name])):
            values = batch.column(0).drop_null()
            if len(values):
                numbers = pc.all(pc.match_substring_regex(values, _NUMBER)).as_py()
                return pa.float64() if numbers else pa.string()
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
    for batch in _batches(file, reader):
        _check_numbers(file, batch)
        yield batch


def _batches(file: Path, reader: pv.CSVStreamingReader) -> Iterator[pa.RecordBatch]:
    while True:
        try:
            yield reader.read_next_batch()
        except StopIteration:
            return
        except pa.ArrowInvalid as error:
            raise _located(file, error, reader.schema.names) from error


def _check_numbers(file: Path, batch: pa.RecordBatch) -> None:
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if not pa.types.is_floating(field.type):
            continue
        numbers = column.filter(pc.invert(pc.is_nan(column)).fill_null(False))
        largest = pc.max(pc.abs(numbers)).as_py() or 0.0
        if largest == float("inf"):
            rule = "a number must be finite -> correct it"
        elif largest >= _EXACT_INTEGER and pc.all(pc.equal(pc.round(numbers), numbers)).as_py():
            rule = f"from 2^53 on digits are lost -> dataset.text=[{field.name}] if it is a name"
        else:
            continue
        raise DataError(f"{file}: column '{field.name}': {largest:g}: {rule}")


def _located(file: Path, error: Exception, names: Sequence[str] = ()) -> DataError:
    """The parser's complaint as one line: file, row where known, column, value, rule, next step."""
    text = " ".join(str(error).split())
    row = re.search(r"Row #(\d+): ?", text)
    place = f"{file}:{row.group(1)}" if row else str(file)
    text = re.sub(r"Row #\d+: ?", "", text)
    if (column := re.search(r"In CSV column #(\d+)", text)) and names:
        text = text.replace(column.group(), f"column '{names[int(column.group(1))]}'")
    return DataError(
        f"{place}: {text} -> correct the file: every row must fit the header, every cell its column"
    )
