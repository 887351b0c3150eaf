"""The rows of a dataset as Spark reads them: with their row ids, typed, damaged pages refused."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - its name in all of Spark's documentation
from pyspark.sql import types as T  # noqa: N812 - the same

from tandem.dataset import open_file, read_footer
from tandem.errors import DataError
from tandem.fold_keys import FoldKind
from tandem.folds import ALWAYS, GROUP_DIGITS, GROUPS, ROW_ID, Assignment
from tandem.mixing import PRIME, mixed
from tandem.records import Column, Dataset, File, Kind
from tandem.spark.dates import read_off

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_UNREADABLE = "FAILED_READ_FILE|PATH_NOT_FOUND"  # as Spark calls it
_WIDEST_DECIMAL = 38
FOLD_CELL = "fold_cell"  # what folds go by
# Unsigned integers as Spark reads them of Parquet: it has signed ones only.
_TYPES: dict[pa.DataType, T.DataType] = {
    pa.null(): T.IntegerType(),
    pa.bool_(): T.BooleanType(),
    pa.int8(): T.ByteType(),
    pa.int16(): T.ShortType(),
    pa.int32(): T.IntegerType(),
    pa.int64(): T.LongType(),
    pa.uint8(): T.ShortType(),
    pa.uint16(): T.IntegerType(),
    pa.uint32(): T.LongType(),
    pa.uint64(): T.DecimalType(20, 0),
    pa.float32(): T.FloatType(),
    pa.float64(): T.DoubleType(),
    pa.date32(): T.DateType(),
    pa.string(): T.StringType(),
    pa.large_string(): T.StringType(),
    pa.string_view(): T.StringType(),
}


def unread_by_spark(dataset: Dataset) -> str | None:
    """What Spark cannot read of `dataset`, as half a line for the user, or None."""
    for file in dataset.files:
        for name, kind in _arrow_types(dataset, file).items():
            if _spark_type(kind) is None:
                return f"column '{name}' holds {kind}, which Spark does not read"
    return None


def read_frame(session: "SparkSession", dataset: Dataset, *, times: bool = False) -> DataFrame:
    """The row ids, and the columns by their ids: numbers as double, categories as text.

    And what folds go by as FOLD_CELL: as text, or, where it is `times`, as it is. Nothing is read
    yet; `frame_errors` is for where it is.
    """
    parts: dict[tuple[pa.DataType, ...], list[str]] = {}
    for file in dataset.files:  # Spark reads the files of one schema at a time
        kinds = tuple(_arrow_types(dataset, file).values())
        parts.setdefault(kinds, []).append(_escape(file.path))
    frames = []
    for kinds, paths in parts.items():
        # Spark would also look at the columns that are left out, and end where it knows a type not.
        schema = T.StructType()
        by_name = dict(zip(_stored(dataset), kinds, strict=True))
        for name, kind in by_name.items():
            found = _spark_type(kind)
            assert found is not None, "`unread_by_spark` says so before"
            schema.add(name, found)
        columns = [_typed(column, by_name[column.stored]) for column in dataset.framed]
        read = session.read.schema(schema).parquet(*paths)
        by = dataset.fold_column
        cells = []
        if by:
            kind = schema[by.name].dataType
            cell = _as_time(by.name, kind) if times else _as_text(by.name, kind)
            cells = [cell.alias(FOLD_CELL)]
        frames.append(read.select(_row_id(session, dataset), *columns, *cells))
    return reduce(DataFrame.union, frames)


def fold_of_row(assigned: Assignment) -> SparkColumn:
    """The fold of every row, by its row id, or by what stands in FOLD_CELL."""
    folds = assigned.folds
    if folds.kind is FoldKind.GROUP:
        return _part(assigned, _group_number(folds.seed), GROUPS)
    if folds.kind is FoldKind.COLUMN:
        labels = F.array(*map(F.lit, (*assigned.labels, ALWAYS)))
        place = F.array_position(labels, F.col(FOLD_CELL)) - 1
        if not folds.holdout:
            return place
        held_out = fold_of_row(assigned.by_row) == assigned.k
        return F.when(held_out, assigned.parts - 1).otherwise(place)
    if folds.kind is FoldKind.TIME:
        later = [(F.col(FOLD_CELL) >= F.lit(label)).cast("int") for label in assigned.labels]
        parts = F.array(*map(F.lit, assigned.of_blocks))
        return F.element_at(parts, reduce(add, later) + 1).cast("bigint")
    row = F.col(ROW_ID)
    if assigned.even:
        # A text, which is one call to the JVM; it is split once, when the plan is made.
        listed = ",".join(map(str, assigned.of(0, assigned.rows).tolist()))
        return F.element_at(F.split(F.lit(listed), ","), (row + 1).cast("int")).cast("bigint")
    return _part(assigned, mixed(row - row % folds.block, folds.seed), PRIME)


def _part(assigned: Assignment, number: SparkColumn, of: int) -> SparkColumn:
    """Number % k; of the smallest numbers, which are below `of`, the hold-out."""
    fold = number % assigned.k
    limit = assigned.folds.held_out(of)
    return F.when(number < limit, assigned.parts - 1).otherwise(fold) if limit else fold


def _group_number(seed: int) -> SparkColumn:
    """As `folds.group_number`."""
    text = F.coalesce(F.concat(F.lit(f"{seed}:"), F.col(FOLD_CELL)), F.lit(f"{seed}"))
    digits = F.substring(F.sha2(text, 256), 1, GROUP_DIGITS)
    return F.conv(digits, 16, 10).cast("bigint")


@contextmanager
def frame_errors() -> Iterator[None]:
    """Raise DataError, with the file, where Spark cannot read one in the block."""
    try:
        yield
    except (Py4JError, PySparkException) as error:
        text = str(error)
        if not (found := re.search(rf"(?:{_UNREADABLE}).* (file:\S+?)\.\s", text)):
            raise
        path = "/" + unquote(found.group(1)).removeprefix("file:").lstrip("/")
        *_, reason = [found.group(), *re.findall(r"Caused by: \S+?: (.*)", text)]
        raise DataError(f"{path}: cannot be read ({reason}) -> write the file again") from error


def _arrow_types(dataset: Dataset, file: File) -> dict[str, pa.DataType]:
    schema = open_file(file.path, metadata=read_footer(file.path)).schema_arrow
    return {name: schema.field(name).type for name in _stored(dataset)}


def _stored(dataset: Dataset) -> list[str]:
    """Of the columns to read: the dataset's, what folds go by, and how often a row counts."""
    return [*dict.fromkeys(column.stored for column in (*dataset.columns, *dataset.beside))]


def _spark_type(kind: pa.DataType) -> T.DataType | None:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_decimal(kind):
        fits = kind.precision <= _WIDEST_DECIMAL
        return T.DecimalType(kind.precision, kind.scale) if fits else None
    if pa.types.is_date(kind):
        return T.DateType()
    if pa.types.is_timestamp(kind):  # that of nanoseconds Spark has only as their number
        return T.LongType() if kind.unit == "ns" else T.TimestampType()
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        return T.IntegerType() if pa.types.is_time32(kind) else T.LongType()
    return _TYPES.get(kind)


def _row_id(session: "SparkSession", dataset: Dataset) -> SparkColumn:
    """Rows before the file plus the position in the file: stable however Spark splits it."""
    jvm: Any = session.sparkContext._jvm  # noqa: SLF001 - only Java spells a path as Java does
    path = jvm.org.apache.hadoop.fs.Path
    offsets: list[SparkColumn] = []
    for file in dataset.files:
        offsets += [F.lit(path(f"file:{file.path}").toUri().toString()), F.lit(file.first_row)]
    offset = F.create_map(*offsets)[F.col("_metadata.file_path")]
    return (offset + F.col("_metadata.row_index")).alias(ROW_ID)


def _typed(column: Column, kind: pa.DataType) -> SparkColumn:
    cells = F.col(_quoted(column.stored))
    if column.source and not pa.types.is_null(kind):
        cells = read_off(cells, kind, column.source.part)
    return cells.cast("double" if column.kind is Kind.NUMERIC else "string").alias(column.id)


def _as_time(name: str, kind: T.DataType) -> SparkColumn:
    """What folds go by, as it is, fractions as double."""
    cell = F.col(_quoted(name))
    return cell.cast("double") if isinstance(kind, T.FloatType) else cell


def _as_text(name: str, kind: T.DataType) -> SparkColumn:
    """What folds go by, as `folds` has it: whole numbers without a point."""
    cell = F.col(_quoted(name))
    if isinstance(kind, (T.FloatType, T.DoubleType)):
        cell = F.when(~F.isnan(cell), cell.cast("bigint"))
    return cell.cast("string")


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _escape(path: str) -> str:
    """A path that Spark does not take for a pattern."""
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", path)
