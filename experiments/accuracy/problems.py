"""Least-squares problems with known solutions: certified by NIST, or solved in rational numbers.

nist/: NIST/ITL Statistical Reference Datasets, linear least squares, public domain,
https://www.itl.nist.gov/div898/strd/lls/lls.shtml
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from exact import least_squares

from tandem.records import Array

FOLDER = Path(__file__).parent / "nist"
MOST_PLACES = 18
_EXACT = Context(prec=200)


@dataclass(frozen=True)
class Problem:
    """y = c[0] + c[1] x1 + ..., `certified` to 15 digits. `columns`: y and the features, exact."""

    columns: dict[str, list[Fraction]]
    certified: Array

    @property
    def features(self) -> list[str]:
        return [name for name in self.columns if name != "y"]

    @property
    def in_floats(self) -> pa.Table:
        """Every number rounded to the nearest float64."""
        return pa.table({name: [float(v) for v in cells] for name, cells in self.columns.items()})

    @property
    def in_decimals(self) -> pa.Table | None:
        """The numbers as they are, or None where one has too many digits."""
        scales = {name: places(cells) for name, cells in self.columns.items()}
        if any(scale is None for scale in scales.values()):
            return None
        return pa.table({name: decimals(self.columns[name], scales[name]) for name in scales})

    def solution(self) -> list[Fraction]:
        """By exact arithmetic."""
        return least_squares([self.columns[name] for name in self.features], self.columns["y"])


def places(cells: Sequence[Fraction]) -> int | None:
    """Decimal places that hold every cell exactly."""
    exact = (n for n in range(MOST_PLACES + 1) if all((10**n * c).denominator == 1 for c in cells))
    return next(exact, None)


def decimals(cells: Sequence[Fraction], scale: int | None) -> pa.Array:
    whole = (int(cell * 10 ** (scale or 0)) for cell in cells)
    return pa.array(
        [Decimal(n).scaleb(-(scale or 0), _EXACT) for n in whole], pa.decimal128(38, scale or 0)
    )


def nist() -> dict[str, Problem]:
    """Every problem with an intercept: tandem always fits one, so NoInt1 and NoInt2 are not for it.

    Wampler's others are defined by the two that are on file: the same polynomial with other
    coefficients (2), the same errors ten and a thousand times as large (4, 5).
    """
    certified = json.loads((FOLDER / "certified.json").read_text("utf-8"))["datasets"]
    found = {name: _read(entry) for name, entry in certified.items() if entry["intercept"]}
    one, three = found["Wampler1"], found["Wampler3"]
    y = one.columns["y"]
    errors = [noisy - clean for noisy, clean in zip(three.columns["y"], y, strict=True)]
    for number, factor in ((4, 100), (5, 10_000)):
        noisy = [value + factor * error for value, error in zip(y, errors, strict=True)]
        found[f"Wampler{number}"] = Problem({**one.columns, "y": noisy}, one.certified)
    tenths = [Fraction(1, 10**power) for power in range(6)]
    powers = [[Fraction(1)] * len(y), *(one.columns[name] for name in one.features)]
    smooth = [
        sum(map(Fraction.__mul__, tenths, row), Fraction()) for row in zip(*powers, strict=True)
    ]
    found["Wampler2"] = Problem({**one.columns, "y": smooth}, np.array([float(t) for t in tenths]))
    return dict(sorted(found.items()))


def _read(entry: dict[str, Any]) -> Problem:
    with (FOLDER / entry["file"]).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {name: [Fraction(row[name]) for row in rows] for name in rows[0]}
    terms = len(entry["coef"]) - 1
    if "x" in columns and terms > 1:
        x = columns.pop("x")
        columns |= {f"x{power}": [value**power for value in x] for power in range(1, terms + 1)}
    return Problem(columns, np.array(entry["coef"]))
