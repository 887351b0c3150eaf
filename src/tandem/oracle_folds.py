"""The oracle's folds: what every row is tested in, what every fold is trained on.

As all of the oracle, it shares no code with the engines.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

from tandem.fold_keys import Folds

ALWAYS, HELD_OUT = "always", "held out"  # in every training set; in none


def parts_of(cells: Sequence[Any], folds: Folds) -> list[int | str]:
    """The fold that every row is tested in, or ALWAYS, or HELD_OUT.

    `cells`: of every row, of the column that folds go by, if any.
    """
    if folds.kind == "group":
        return [group_fold(label(cell), folds) for cell in cells]
    if folds.kind == "column":
        given = folds_of_column([str(label(cell)) for cell in cells])
        drawn = numbers_of_rows(len(cells), folds.seed, 1)
        limit = round(folds.holdout * total(len(cells), 1))
        return [
            HELD_OUT if number < limit else fold for fold, number in zip(given, drawn, strict=True)
        ]
    if folds.kind == "time":
        return folds_of_time(cells, folds)
    return folds_of(len(cells), folds)


def folds_of(rows: int, folds: Folds) -> list[Any]:
    """The fold of every row where folds go by its place; HELD_OUT for the smallest numbers."""
    limit = round(folds.holdout * total(rows, folds.block))
    drawn = numbers_of_rows(rows, folds.seed, folds.block)
    return [HELD_OUT if number < limit else number % folds.k for number in drawn]


def trained_on(fold: int, folds: Folds) -> list[int | str]:
    """What the model that is tested on `fold` learns from."""
    if folds.kind == "time":
        return [ALWAYS, *range(fold)]
    return [ALWAYS, *(other for other in range(folds.k) if other != fold)]


def numbers_of_rows(rows: int, seed: int, block: int) -> list[int]:
    """Of every row, h of its block's first row, or in a table of up to 10,000 rows the place that h
    has among all. h: three rounds of an affine map and a cube modulo a prime.
    """
    prime, mixed = 2**31 - 69, []
    for first in range(0, rows, block):
        value = first % prime
        for constant in (7, 8, 9):
            offset = (seed % prime + 1) * constant * 1_013_904_223
            value = pow(1_664_525 * value + offset, 3, prime)
        mixed.append(value)
    if rows <= 10_000:
        places = {value: place for place, value in enumerate(sorted(mixed))}
        mixed = [places[value] for value in mixed]
    return [mixed[row // block] for row in range(rows)]


def total(rows: int, block: int) -> int:
    """What the numbers of rows are below."""
    return math.ceil(rows / block) if rows <= 10_000 else 2**31 - 69


def group_fold(value: str | None, folds: Folds) -> int | str:
    """The first 15 hexadecimal digits of the SHA-256 of `seed:value`, of `seed` in a gap, % k."""
    text = str(folds.seed) if value is None else f"{folds.seed}:{value}"
    number = int(hashlib.sha256(text.encode()).hexdigest()[:15], 16)
    return HELD_OUT if number < round(folds.holdout * 16**15) else number % folds.k


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
    for time in times:
        part: int | str = ALWAYS
        for fold, start in enumerate(starts):
            part = fold if time >= start else part
        found.append(HELD_OUT if kept < len(ordered) and time >= ordered[kept] else part)
    return found


def label(cell: Any) -> str | None:
    """A cell as text; whole numbers without a point."""
    if isinstance(cell, bool):
        return {True: "true", False: "false"}[cell]
    if isinstance(cell, float):
        return None if math.isnan(cell) else str(int(cell))
    return None if cell is None else str(cell)
