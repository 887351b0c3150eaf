"""What is read off dates, times of day and durations, of Arrow columns; without pandas."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tandem.dataset.overrides import override
from tandem.dataset.parquet import array_of, places, read_columns
from tandem.errors import DataError
from tandem.parts import WAVES, DatePart, Part
from tandem.records import Column
from tandem.settings import Cleaning

_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # in a second
_DAY = 86_400
_FIRST, _LAST = -719_162, 2_932_896  # days from 1970 to the first of year 1, to the last of 9999
_READ = {
    DatePart.YEAR: pc.year,
    DatePart.MONTH: pc.month,
    DatePart.DAY: pc.day,
    DatePart.DAY_OF_WEEK: pc.day_of_week,
    DatePart.HOUR: pc.hour,
}


def is_date(kind: pa.DataType) -> bool:
    """Whether a column of this type holds dates, with a time of day or without."""
    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def is_seconds(kind: pa.DataType) -> bool:
    """Whether a column of this type holds times of day or durations."""
    return bool(pa.types.is_time(kind) or pa.types.is_duration(kind))


def parts_of(kind: pa.DataType, cleaning: Cleaning | None) -> list[Part]:
    """What is read off dates or times of type `kind`, as `cleaning` says; None: all that there is.

    A date alone has no hour. What comes round again may be its sine and cosine instead.
    """
    if is_seconds(kind):
        return [Part.SECONDS]
    parts: list[Part] = []
    for part in cleaning.dates if cleaning else DatePart:
        if part is not DatePart.HOUR or pa.types.is_timestamp(kind):
            waves = [wave for wave, (of, _) in WAVES.items() if of is part]
            parts += waves if waves and cleaning and cleaning.cyclic else [Part(part)]
    return parts


def read_off_names(schema: pa.Schema) -> set[str]:
    """What the columns may be called that are read off dates."""
    return {f"{field.name}.{part}" for field in schema if is_date(field.type) for part in Part}


def read_off(cells: Any, column: Column) -> Any:
    """The numbers of `column`, of `cells` of the column of the files that it is read off.

    int64, or float64 for elapsed days of moments, for seconds, logs, sines and cosines; null where
    the cell is. By the Gregorian calendar, also before there was one; moments are of UTC, by whole
    microseconds; days of the week are counted from Monday, 0. Elapsed days: microseconds since
    1970, as float64, through those of a day. What is no date by its `column` is left as it is.
    """
    if column.source is None or pa.types.is_null(cells.type):
        return cells
    kind, part = cells.type, column.source.part
    if part in {Part.SECONDS, Part.LOG}:
        return pc.ln(_floats(cells)) if part is Part.LOG else _seconds(cells, kind)
    if pa.types.is_timestamp(kind):
        # What stands in the file is of UTC, whatever the zone beside it.
        micros = _micros(cells)
        cells = micros.cast(pa.timestamp("us"))
        if part is Part.ELAPSED_DAYS:
            return pc.divide(_floats(micros), array_of([_DAY * 10**6], pa.float64())[0])
    elif part is Part.ELAPSED_DAYS:
        return cells.cast(pa.date32()).cast(pa.int32()).cast(pa.int64())
    else:  # 0 hours, where other files have moments
        cells = cells.cast(pa.timestamp("s"))
    if part in WAVES:
        of, turns = WAVES[part]
        return pc.take(array_of([*turns, turns[0]], pa.float64()), _READ[of](cells))
    return _READ[DatePart(part)](cells)


def with_read_off(cells: Mapping[str, Any] | pa.Table, columns: Iterable[Column]) -> dict[str, Any]:
    """`columns` by name, of the columns of the files by theirs."""
    return {column.name: read_off(cells[column.stored], column) for column in columns}


def type_read_off(kind: pa.DataType, column: Column) -> pa.DataType:
    """The type of what `read_off` makes of cells of type `kind`."""
    return read_off(pa.nulls(0, kind), column).type


def dates_told(
    schema: pa.Schema, dates: Mapping[str, Sequence[Part]], exclude: Sequence[str]
) -> Iterator[str]:
    """A line on the numbers that are read off dates and times; one on dates that are left out."""
    calendar = {name: parts for name, parts in dates.items() if Part.SECONDS not in parts}
    zones = [n for n in calendar if getattr(schema.field(n).type, "tz", None) is not None]
    said = [f"{name} by {', '.join(parts)}" for name, parts in calendar.items() if parts]
    said += [f"{name} in seconds" for name in dates if name not in calendar]
    if said:
        utc = f" ({', '.join(zones)}: converted to UTC)" if zones else ""
        choose = "cleaning.dates=[...] chooses, " if calendar else ""
        left = override("exclude", [*exclude, *dates])
        yield (
            f"dates and times are read as numbers: {'; '.join(said)}{utc} -> {choose}{left} leaves "
            "them out"
        )
    if none := [name for name, parts in calendar.items() if not parts]:
        yield f"{', '.join(none)}: dates are left out: cleaning.dates names nothing of theirs"


def check_dates(file: Path, footer: pq.FileMetaData, names: Iterable[str]) -> None:
    """Raise DataError where a date is before year 1 or after 9999, by the footer or else values."""
    schema, at = footer.schema.to_arrow_schema(), places(footer)
    for name in names:
        kind = schema.field(name).type
        if not is_date(kind):
            continue
        groups = [footer.row_group(g).column(at[name]) for g in range(footer.num_row_groups)]
        if all(g.statistics is not None and g.statistics.has_min_max for g in groups):
            found = [x for g in groups for x in (g.statistics.min_raw, g.statistics.max_raw)]
        else:
            cells = read_columns(file, [name]).column(0)
            kind = cells.type  # of int96 not as the footer has it
            days = pa.types.is_date(kind)
            whole = cells.cast(pa.date32()).cast(pa.int32()) if days else cells.cast(pa.int64())
            found = [bound for bound in pc.min_max(whole).as_py().values() if bound is not None]
        per_day = _DAY * _UNITS[kind.unit] if pa.types.is_timestamp(kind) else 1
        for bound in found:
            if not _FIRST <= bound // per_day <= _LAST:
                raise DataError(
                    f"{file}: column '{name}': a date {bound // per_day:,} days from 1970: a year "
                    "lies between 1 and 9999 -> correct it, or exclude the column"
                )


def _whole(cells: Any) -> Any:
    """What cells are stored as."""
    return cells.cast(pa.int32() if cells.type.bit_width == 32 else pa.int64())


def _seconds(cells: Any, kind: pa.DataType) -> Any:
    counts, unit = (_micros(cells), "us") if kind.unit == "ns" else (_whole(cells), kind.unit)
    return pc.divide(_floats(counts), array_of([_UNITS[unit]], pa.float64())[0])


def _floats(counts: Any) -> Any:
    return counts.cast(pa.float64(), safe=False)


def _micros(cells: Any) -> Any:
    """Whole microseconds, the earlier ones."""
    moments = _whole(cells).cast(pa.timestamp(cells.type.unit))
    if cells.type.unit == "ns":
        moments = pc.floor_temporal(moments, unit="microsecond")
    return moments.cast(pa.timestamp("us")).cast(pa.int64())
