"""The oracle's folds: what every row is tested in, what every fold is trained on.

As all of the oracle, it shares no code with the engines.
"""

import hashlib
import math
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from functools import cache
from typing import Any

from tandem.fold_keys import Folds

ALWAYS, HELD_OUT = "always", "held out"  # in every training set; in none

Splits = Sequence[tuple[Sequence[int], Sequence[int]]]


def splits_of(cells: Sequence[Any], folds: Folds) -> tuple[Splits, Sequence[int], Sequence[int]]:
    """Of every fold the rows that it is trained on, and those that it is tested on; then the rows
    of the last model, and those of the hold-out.

    `cells`: of every row, of the column that folds go by, if any.
    """
    parts, every = parts_of(cells, folds), range(len(cells))
    kept = [row for row in every if parts[row] != HELD_OUT]
    held_out = [row for row in every if parts[row] == HELD_OUT]
    if folds.kind == "time":
        late = [row for row in every if parts[row] == HELD_OUT]
        pairs = []
        for fold in range(folds.k):
            test = [row for row in every if parts[row] == fold]
            pairs.append((before(cells, test, folds), test))
        return pairs, before(cells, late, folds) if late else kept, held_out
    pairs = []
    for repeat in range(folds.repeats):
        dealt = parts_of(cells, folds, repeat)
        for fold in range(folds.k):
            test = [row for row in every if dealt[row] == fold]
            pairs.append(([row for row in kept if dealt[row] != fold], test))
    return pairs, kept, held_out


def before(times: Sequence[Any], test: Sequence[int], folds: Folds) -> list[int]:
    """The rows that are before those of `test`, by the gap at least."""
    first = min(times[row] for row in test)
    earlier = [row for row in range(len(times)) if times[row] < first]
    gap = str(folds.gap)
    if gap.isdigit():
        ordered = sorted(times[row] for row in earlier)
        cut = ordered[-int(gap)] if int(gap) else None
        return [row for row in earlier if cut is None or times[row] < cut]
    number = int("".join(filter(str.isdigit, gap)))
    unit = {"d": 86400, "h": 3600, "min": 60, "s": 1}[gap.lstrip("0123456789 ")]
    wanted = timedelta(seconds=number * unit)
    return [row for row in earlier if moment(first) - moment(times[row]) > wanted]


def moment(cell: Any) -> Any:
    """A date, a time stamp, or the text of one, as a time."""
    if isinstance(cell, str):
        cell = datetime.fromisoformat(cell).replace(tzinfo=None)
    return cell if isinstance(cell, datetime) else datetime.combine(cell, time.min)


def parts_of(cells: Sequence[Any], folds: Folds, repeat: int = 0) -> list[int | str]:
    """The fold that every row is tested in, in a repeat, or ALWAYS, or HELD_OUT.

    `cells`: of every row, of the column that folds go by, if any.
    """
    if folds.kind == "group":
        return [group_fold(label(cell), folds, repeat) for cell in cells]
    if folds.kind == "column":
        given = folds_of_column([str(label(cell)) for cell in cells])
        drawn = numbers_of_rows(len(cells), folds.seed, 1)
        limit = round(folds.holdout * total(len(cells), 1))
        return [
            HELD_OUT if number < limit else fold for fold, number in zip(given, drawn, strict=True)
        ]
    if folds.kind == "time":
        return folds_of_time(cells, folds)
    return folds_of(len(cells), folds, repeat)


def folds_of(rows: int, folds: Folds, repeat: int = 0) -> list[Any]:
    """The fold of every row where folds go by its place; HELD_OUT for the smallest numbers."""
    limit = round(folds.holdout * total(rows, folds.block))
    drawn = numbers_of_rows(rows, folds.seed, folds.block)
    of = [dealt(number, folds.k, folds.seed, repeat) for number in drawn]
    return [HELD_OUT if drawn[row] < limit else of[row] for row in range(rows)]


def dealt(number: int, k: int, seed: int, repeat: int) -> int:
    """Number % k; in a later repeat, the place of the number's cell among the k of its row, in the
    order of h by seed + repeat. Cells: a multiple of k, 60 and 2 k at least; k are a row.
    """
    cells = next(c for c in range(2 * k, 60 + 2 * k, k) if c >= 60)
    cell = number % cells
    return row_of_cells(cell // k, k, seed + repeat).index(cell) if repeat else cell % k


@cache
def row_of_cells(row: int, k: int, seed: int) -> list[int]:
    """The k cells of a row of cells, in the order of h."""
    return sorted(range(row * k, row * k + k), key=lambda cell: h(cell, seed))


def h(value: int, seed: int) -> int:
    """Three rounds of an affine map and a cube modulo a prime."""
    prime = 2**31 - 69
    value %= prime
    for constant in (7, 8, 9):
        offset = (seed % prime + 1) * constant * 1_013_904_223
        value = pow(1_664_525 * value + offset, 3, prime)
    return value


def numbers_of_rows(rows: int, seed: int, block: int) -> list[int]:
    """Of every row, h of its block's first row, or in a table of up to 10,000 rows the place that h
    has among all.
    """
    mixed = [h(first, seed) for first in range(0, rows, block)]
    if rows <= 10_000:
        places = {value: place for place, value in enumerate(sorted(mixed))}
        mixed = [places[value] for value in mixed]
    return [mixed[row // block] for row in range(rows)]


def total(rows: int, block: int) -> int:
    """What the numbers of rows are below."""
    return math.ceil(rows / block) if rows <= 10_000 else 2**31 - 69


def group_fold(value: str | None, folds: Folds, repeat: int = 0) -> int | str:
    """The first 15 hexadecimal digits of the SHA-256 of `seed:value`, of `seed` in a gap, % k."""
    text = str(folds.seed) if value is None else f"{folds.seed}:{value}"
    number = int(hashlib.sha256(text.encode()).hexdigest()[:15], 16)
    if number < round(folds.holdout * 16**15):
        return HELD_OUT
    return dealt(number, folds.k, folds.seed, repeat)


def folds_of_column(values: Sequence[str]) -> list[int | str]:
    """Every value but -1 is a fold, whole numbers in their order."""
    found = {value for value in values if value != "-1"}
    try:
        ordered = sorted(found, key=int)
    except ValueError:
        ordered = sorted(found)
    return [ALWAYS if value == "-1" else ordered.index(value) for value in values]


def folds_of_time(times: Sequence[Any], folds: Folds) -> list[int | str]:
    """In the order of time, n rows less the hold-out, the latest: k + 1 blocks, the last k of
    n // (k + 1) rows; the first is ALWAYS. Rows of one time are all in the later block.
    """
    ordered = sorted(times)
    kept = len(ordered) - round(folds.holdout * len(ordered))
    size = kept // (folds.k + 1)
    starts = [ordered[kept - (folds.k - fold) * size] for fold in range(folds.k)]
    found: list[int | str] = []
    for one in times:
        part: int | str = ALWAYS
        for fold, start in enumerate(starts):
            part = fold if one >= start else part
        found.append(HELD_OUT if kept < len(ordered) and one >= ordered[kept] else part)
    return found


def label(cell: Any) -> str | None:
    """A cell as text; whole numbers without a point."""
    if isinstance(cell, bool):
        return {True: "true", False: "false"}[cell]
    if isinstance(cell, float):
        return None if math.isnan(cell) else str(int(cell))
    return None if cell is None else str(cell)
