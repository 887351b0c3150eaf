"""What is read off the dates, times of day and durations of a frame of pandas, and of raw cells."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from tandem.parts import WAVES, Part
from tandem.records import Source

if TYPE_CHECKING:
    import pandas as pd

    Cells = pd.Series[Any]

_DAY = 86_400e6  # microseconds


def read_off(rows: "pd.DataFrame", sources: Mapping[str, Source]) -> "dict[str, Cells]":
    """What `sources` say is read off the raw `rows`, by their names; NaN where a cell is missing.

    In UTC, by the Gregorian calendar; days of the week from Monday, 0; elapsed days: microseconds
    since 1970, as float64, through those of a day. Cells of pandas, of Python, or text. Raises
    ValueError where one is no date.
    """
    times = {one.column: _times(rows[one.column], one) for one in sources.values()}
    return {name: _part(times[one.column], one.part) for name, one in sources.items()}


def _part(times: "Cells", part: Part) -> "Cells":
    if part in {Part.SECONDS, Part.LOG}:
        return times
    if part is Part.ELAPSED_DAYS:
        return _or_nan(times.astype("int64") / _DAY, times)
    of, turns = WAVES.get(part, (part, ()))
    found: Cells = getattr(times.dt, of).astype("float64")
    if turns:
        found = _or_nan((found.fillna(0.0) % len(turns)).map(dict(enumerate(turns))), times)
    return found


def _or_nan(numbers: "Cells", times: "Cells") -> "Cells":
    found: Cells = numbers.where(times.notna())
    return found


def _times(cells: "Cells", source: Source) -> "Cells":
    """Moments of UTC, without a zone, by microseconds; or seconds, or numbers, as `source` asks."""
    import pandas as pd  # noqa: PLC0415 - a run needs none of it

    kind, seconds = cells.dtype, source.part is Part.SECONDS
    moments: Cells = cells
    if source.part is Part.LOG:
        numbers = pd.to_numeric(cells).astype("float64")
        return pd.Series(np.log(numbers.to_numpy()), numbers.index)
    if isinstance(kind, pd.DatetimeTZDtype):
        moments = cells.dt.tz_convert(None).dt.as_unit("us")
    elif isinstance(kind, np.dtype) and kind.kind == "M":
        moments = cells.dt.as_unit("us")
    elif isinstance(kind, np.dtype) and kind.kind == "m":
        moments = _or_nan(_in_seconds(cells), cells)
    elif not (seconds and pd.api.types.is_numeric_dtype(kind)):
        moments = _of_objects(cells, source)
    return moments


def _in_seconds(cells: "Cells") -> "Cells":
    per_second = {"s": 1, "ms": 10**3, "us": 10**6}
    if cells.dt.unit not in per_second:
        cells = cells.dt.as_unit("us")
    return cells.astype("int64") / per_second[cells.dt.unit]


def _of_objects(cells: "Cells", source: Source) -> "Cells":
    """Every distinct cell is read once."""
    import pandas as pd  # noqa: PLC0415

    absent = cells.isna().to_numpy()
    codes, seen = pd.factorize(cells[~absent])
    seconds = source.part is Part.SECONDS
    try:
        read = [_seconds(cell) if seconds else _moment(cell, source.form) for cell in seen]
    except (TypeError, ValueError) as error:
        raise ValueError(f"column '{source.column}': {error}") from error
    found = np.full(len(cells), np.nan if seconds else np.datetime64("NaT", "us"))
    found[~absent] = np.array(read, found.dtype)[codes]
    return pd.Series(found, index=cells.index)


def _moment(cell: object, form: str) -> np.datetime64:
    if isinstance(cell, str):
        cell = parsed(cell, form)
    if not isinstance(cell, date):
        raise TypeError(f"{cell!r} is no date")
    if isinstance(cell, datetime) and cell.tzinfo is not None:
        cell = cell.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(cell, "us")


def _seconds(cell: object) -> float:
    if isinstance(cell, str):
        cell = time.fromisoformat(cell.strip())
    if isinstance(cell, time):
        minutes, micros = cell.hour * 60 + cell.minute, cell.microsecond
        cell = timedelta(minutes=minutes, seconds=cell.second, microseconds=micros)
    if not isinstance(cell, timedelta):
        raise TypeError(f"{cell!r} is no time")
    return cell // timedelta(microseconds=1) / 1e6


def parsed(text: str, form: str) -> datetime:
    """The moment that a text spells in the words of strptime; with an empty `form` as ISO does.

    Raises ValueError where it does not.
    """
    text = text.strip()
    return datetime.strptime(text, form) if form else datetime.fromisoformat(text)  # noqa: DTZ007 - as it says
