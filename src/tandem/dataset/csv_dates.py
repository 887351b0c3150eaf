"""Dates and times of day in cells of CSV files: as ISO writes them, or as the user says."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from tandem.dataset.parquet import array_of
from tandem.dates import parsed

DATE, ZONED, TIME = pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.time64("us")

NO_TEXT = pa.nulls(1, pa.string())[0]  # None would import pandas

_HOUR = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?"
_LONG, _SHORT = "(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])", "(0[469]|11)-(0[1-9]|[12][0-9]|30)"
_LEAP = r"(\d\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29"
_DAY = rf"(\d{{4}}-({_LONG}|{_SHORT}|02-(0[1-9]|1[0-9]|2[0-8]))|{_LEAP})"
_ZONE = r"(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)"
# Year 0 is none of Python's.
_ISO = {
    DATE: rf"^\s*{_DAY}([T ]{_HOUR})?\s*$",
    ZONED: rf"^\s*{_DAY}[T ]{_HOUR}{_ZONE}\s*$",
    TIME: rf"^\s*{_HOUR}\s*$",
}
_WORDS = {DATE: "date", ZONED: "date with a time zone", TIME: "time of day"}
# What to propose for dates that are written in another way, the more likely ones first.
_COMMON = (
    *("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d"),
    *("%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y"),
    *("%d-%b-%y", "%d-%b-%Y", "%b %d %Y", "%B %d %Y", "%Y %b %d", "%Y-%m-%d"),
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
_TRIED = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(cells: pa.StringArray, kind: pa.DataType) -> pa.BooleanArray:
    """Which cells are dates or times of type `kind`, written as ISO does; null: missing ones."""
    fits = pc.match_substring_regex(cells, _ISO[kind])
    return pc.and_(fits, pc.invert(pc.match_substring_regex(cells, r"^\s*0000")))


def kind_of(cells: pa.StringArray) -> tuple[pa.DataType, int] | None:
    """The type that most of the cells are spelled as, and how many; None for none."""
    counts = {kind: pc.sum(iso(cells, kind)).as_py() or 0 for kind in _ISO}
    best = max(counts, key=lambda kind: counts[kind])
    return (best, counts[best]) if counts[best] else None


def word_for(kind: pa.DataType, cell: str) -> str:
    """What a cell of a column of type `kind` is called that should be one of it; else nothing."""
    zoned = kind == DATE and re.match(_ISO[ZONED], cell)
    return "date without a time zone" if zoned else _WORDS.get(kind, "")


def declared_kind(form: str) -> pa.DataType:
    """The type of a column whose dates are written so."""
    return ZONED if "%z" in form else DATE


def read_dates(
    cells: pa.StringArray, kind: pa.DataType, form: str
) -> tuple[pa.Array, pa.BooleanArray]:
    """The cells as type `kind`, in UTC; and which of them are no dates, null for missing ones.

    `form`: in the words of strptime; empty: as ISO writes them, to microseconds.
    """
    if form:
        coded = cells.dictionary_encode()
        read = [_micros(text, form) for text in coded.dictionary.to_pylist()]
        micros = array_of(read, pa.int64())
        found = pc.take(micros, coded.indices).cast(kind)
        return found, pc.and_(pc.is_null(found), pc.is_valid(cells))
    fits = iso(cells, kind)
    text = pc.utf8_trim_whitespace(pc.if_else(fits, cells, NO_TEXT))
    text = pc.replace_substring_regex(text, r"(\.\d{6})\d+", r"\1")
    if kind == TIME:
        text = pc.replace_substring_regex(text, "^", "1970-01-01T")
        return text.cast(DATE).cast(pa.int64()).cast(TIME), pc.invert(fits)
    text = pc.replace_substring_regex(text, r"^(.{10})$", r"\1T00:00")
    return text.cast(kind), pc.invert(fits)


@lru_cache(maxsize=1 << 16)
def _micros(text: str, form: str) -> int | None:
    """Microseconds from 1970 to the moment that a text spells; None where it spells none."""
    try:
        moment = parsed(text, form)
    except ValueError:
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH) // timedelta(microseconds=1)


def formats_of(cells: pa.StringArray) -> Iterator[str]:
    """The common formats that all cells, which look like dates, are written in."""
    texts = cells.drop_null().unique()[:_TRIED].to_pylist()
    for day in _COMMON:
        for clock in _CLOCKS:
            if all(_micros(text, day + clock) is not None for text in texts):
                yield day + clock


def days_only(column: pa.Array) -> bool:
    """Whether all dates of a column begin a day."""
    return bool(
        pc.all(pc.equal(column, pc.floor_temporal(column, unit="day"))).as_py() is not False
    )
