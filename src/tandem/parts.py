"""What is read off cells, by name; sines and cosines of what comes round again, as data."""

import math
from collections.abc import Callable, Mapping
from enum import StrEnum


class DatePart(StrEnum):
    """A number of a date; days of the week are counted from Monday, 0, elapsed ones from 1970."""

    YEAR = "year"
    MONTH = "month"
    DAY_OF_WEEK = "day_of_week"
    DAY = "day"
    HOUR = "hour"
    ELAPSED_DAYS = "elapsed_days"


class Part(StrEnum):
    """What is read off a cell: a number of a date; seconds of a duration, or of a day until a time;
    the natural logarithm of a number.
    """

    YEAR = DatePart.YEAR
    MONTH = DatePart.MONTH
    DAY_OF_WEEK = DatePart.DAY_OF_WEEK
    DAY = DatePart.DAY
    HOUR = DatePart.HOUR
    ELAPSED_DAYS = DatePart.ELAPSED_DAYS
    MONTH_SINE = "month_sine"
    MONTH_COSINE = "month_cosine"
    DAY_OF_WEEK_SINE = "day_of_week_sine"
    DAY_OF_WEEK_COSINE = "day_of_week_cosine"
    HOUR_SINE = "hour_sine"
    HOUR_COSINE = "hour_cosine"
    SECONDS = "seconds"
    LOG = "log"


def _turns(n: int, wave: Callable[[float], float]) -> tuple[float, ...]:
    # To 15 places: beyond, libraries differ. Never -0.0.
    return tuple(round(wave(math.tau * k / n), 15) + 0.0 for k in range(n))


# Of a part that comes round again: its number, and the sine or cosine of it modulo the length.
WAVES: Mapping[Part, tuple[DatePart, tuple[float, ...]]] = {
    Part(f"{part}_{name}"): (part, _turns(n, wave))
    for part, n in ((DatePart.MONTH, 12), (DatePart.DAY_OF_WEEK, 7), (DatePart.HOUR, 24))
    for name, wave in (("sine", math.sin), ("cosine", math.cos))
}
