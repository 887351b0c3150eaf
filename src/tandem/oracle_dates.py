"""What the oracle reads off dates, times of day and durations, one Python cell after another."""

import math
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pyarrow as pa


def in_utc(table: pa.Table) -> pa.Table:
    """The same moments: Python has none of year 10,000, which 9999 ends as in Berlin."""
    kinds = [
        pa.timestamp(k.unit, "UTC") if getattr(k, "tz", None) else k for k in table.schema.types
    ]
    return table.cast(pa.schema([*zip(table.column_names, kinds, strict=True)]))


def read_off(cell: Any, part: str) -> float:
    """A part of a date, the seconds of a duration, or of a day until a time, or a logarithm."""
    if part == "log":
        return math.log(cell)
    micro = timedelta(microseconds=1)
    if isinstance(cell, timedelta):
        return cell // micro / 1e6
    if isinstance(cell, time):
        seconds = (cell.hour * 60 + cell.minute) * 60 + cell.second
        return (seconds * 10**6 + cell.microsecond) / 1e6
    when = cell if isinstance(cell, datetime) else datetime.combine(cell, time())
    when = when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when
    if part == "elapsed_days":
        return float((when - datetime(1970, 1, 1)) // micro) / 86_400e6  # noqa: DTZ001 - UTC
    found: dict[str, float] = {
        "year": when.year,
        "month": when.month,
        "day": when.day,
        "hour": when.hour,
    }
    found["day_of_week"] = when.weekday()
    for name, turns in (("month", 12), ("day_of_week", 7), ("hour", 24)):
        angle = 2 * math.pi * found[name] / turns
        found[f"{name}_sine"] = round(math.sin(angle), 15)
        found[f"{name}_cosine"] = round(math.cos(angle), 15)
    return float(found[part])
