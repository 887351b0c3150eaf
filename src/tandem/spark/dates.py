"""What is read off dates, times of day and durations, in Spark's words."""

from collections.abc import Callable

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812 - its name in all of Spark's documentation

from tandem.parts import WAVES, DatePart, Part

_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e6}  # nanoseconds are microseconds first
_HOUR = 3_600_000_000  # microseconds
_OF_DAY: dict[DatePart, Callable[[Column], Column]] = {
    DatePart.YEAR: F.year,
    DatePart.MONTH: F.month,
    DatePart.DAY: F.day,
    DatePart.DAY_OF_WEEK: F.weekday,
}


def read_off(cells: Column, kind: pa.DataType, part: Part) -> Column:
    """What `part` says of cells of the Arrow type `kind`, as `dataset.dates` has it, bit for bit.

    By whole numbers: what Spark reads off a moment itself depends on the zone of its session.
    """
    if part is Part.LOG:
        return F.ln(cells.cast("double"))
    if part is Part.SECONDS:
        whole = _floored(cells, 1000) if kind.unit == "ns" else cells
        return whole.cast("double") / _PER_SECOND[kind.unit]
    if pa.types.is_date(kind):
        day = elapsed = F.unix_date(cells)
        hour = F.when(cells.isNotNull(), 0)
    else:
        micros = _floored(cells, 1000) if kind.unit == "ns" else F.unix_micros(cells)
        day = _floored(micros, 24 * _HOUR).cast("int")
        hour = _floored(F.pmod(micros, F.lit(24 * _HOUR)), _HOUR)
        elapsed = micros.cast("double") / (24.0 * _HOUR)
    if part is Part.ELAPSED_DAYS:
        return elapsed
    of, turns = WAVES.get(part, (part, ()))
    found = hour if of == DatePart.HOUR else _OF_DAY[DatePart(of)](F.date_from_unix_date(day))
    if not turns:
        return found
    # A text, which is one call to the JVM; it reads back the same bits.
    listed = F.split(F.lit(",".join(map(repr, turns))), ",")
    return F.get(listed, F.pmod(found, F.lit(len(turns))).cast("int")).cast("double")


def _floored(number: Column, by: int) -> Column:
    """The largest whole number that is at most `number` / `by`, of whole ones."""
    return F.call_function("div", number - F.pmod(number, F.lit(by)), F.lit(by))
