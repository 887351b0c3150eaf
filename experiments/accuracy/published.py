"""What other test suites assert of linear regression, beside scan and rational arithmetic."""

import json
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from exact import digits, dot, elastic_net, mean_square, sums
from solvers import coefficients, scan

from tandem.fold_keys import Folds
from tandem.folds import Assignment
from tandem.records import Array
from tandem.results import Result

FILES = [Path(__file__).with_name(name) for name in ("published.json", "glmnet.json")]
Integers = np.ndarray[Any, np.dtype[np.int64]]


class Figure(NamedTuple):
    """One number: as it is stated, as scan has it, and without any rounding."""

    stated: str
    ours: float
    exact: Fraction

    @property
    def apart(self) -> float:
        """Between what is stated and what scan has."""
        return abs(self.ours - float(self.stated))

    @property
    def same(self) -> bool:
        """To one unit of the last digit stated: some are rounded, some cut off."""
        return self.apart <= 10.0 ** -len(self.stated.partition(".")[2]) * (1 + 1e-9)

    @property
    def digits(self) -> int:
        """How many are stated, from the first that is not 0."""
        return len(self.stated.replace(".", "").lstrip("-0"))


HEADER = ["test", "values", "figures", "digits stated", "the same to the last",
          "within its tolerance", "stated, correct", "scan, correct"]  # fmt: skip


def published_table() -> list[list[str]]:
    """By test: how many figures agree; how many digits are correct, the least of its figures."""
    contents = [json.loads(file.read_text("utf-8")) for file in FILES]
    entries = ((entry, content["data"]) for content in contents for entry in content["values"])
    return [HEADER, *(_row(entry, data) for entry, data in entries)]


def _row(entry: dict[str, Any], data: dict[str, Any]) -> list[str]:
    x, y = table(data[entry["data"]])
    found = [f for case in entry["cases"] for f in _figures(case, x, y, entry.get("folds"))]
    stated = [figure.digits for figure in found if figure.digits]
    span = f"{min(stated)}" + (f" to {max(stated)}" if max(stated) > min(stated) else "")
    size = max(abs(figure.exact) for figure in found)
    allowed = entry.get("allowed") or float(size) * entry.get("allowed, relative", 0.0)
    within = f"{sum(f.apart <= allowed for f in found)}" if allowed else "-"
    theirs = min(digits([float(f.stated)], [f.exact], most=16) for f in found)
    ours = min(digits([f.ours], [f.exact], most=16) for f in found)
    suite = entry["source"].split(",")[1].split("/")[-1].partition(".")[0]
    cells = [f"`{suite}`: {entry['test']}", f"{entry['of']}: {entry['name']}", f"{len(found)}"]
    same = f"{sum(figure.same for figure in found)}"
    return [*cells, span, same, within, f"{theirs:.1f}", f"{ours:.1f}"]


def table(data: dict[str, Any]) -> tuple[Array, Array]:
    """Features and target, every row as often as it counts."""
    if "java" in data:
        return generated(data["java"])
    x, y = np.array(data["x"], float).T, np.array(data["y"], float)
    times = data.get("weights", 1)
    return np.repeat(x, times, axis=0), np.repeat(y, times)


def generated(of: dict[str, Any]) -> tuple[Array, Array]:
    """Spark's LinearDataGenerator as it was when the values were found: uniform features."""
    java, slopes = Java(of["seed"]), np.array(of["slopes"])
    uniform = np.array([[java.uniform() for _ in slopes] for _ in range(of["rows"])])
    x = (uniform - 0.5) * np.sqrt(12 * np.array(of["variances"])) + np.array(of["means"])
    noise = of["noise"] * np.array([*java.normal(of["rows"])])
    return x, x @ slopes + of["intercept"] + noise


class Java:
    """The numbers of java.util.Random, whose documentation defines them."""

    def __init__(self, seed: int) -> None:
        self.state = seed ^ 0x5DEECE66D

    def bits(self, count: int) -> int:
        """The next `count` bits."""
        self.state = (self.state * 0x5DEECE66D + 0xB) % 2**48
        return self.state >> (48 - count)

    def uniform(self) -> float:
        """From 0 to 1."""
        high = self.bits(26) << 27
        return (high + self.bits(27)) / 2**53

    def normal(self, count: int) -> Iterator[float]:
        """N(0, 1), by the polar method; `count` is even."""
        for _ in range(count // 2):
            square = 0.0
            while not 0.0 < square < 1.0:
                a, b = 2 * self.uniform() - 1, 2 * self.uniform() - 1
                square = a * a + b * b
            factor = math.sqrt(-2 * math.log(square) / square)
            yield from (a * factor, b * factor)


def _figures(case: dict[str, Any], x: Array, y: Array, folds: list[int] | None) -> Iterator[Figure]:
    if case.get("mirrored"):
        x, y = np.concatenate([x, -x]), np.concatenate([y, -y])
    point = _point(case["penalty"], x, y)
    words = [f"model.reg_param=[{point[0]!r}]", f"model.elastic_net_param=[{point[1]!r}]"]
    if folds:
        place = _place(len(y))
        x, y, of = x[place], y[place], np.array(folds)[place]
        result = _scan(x, y, *words, "folds.k=3")
        found = float(result.sums.sse.sum() / len(y))
        yield Figure(case["mse"][0], found, _cross_validated(result, point, (x, y), of))
        return
    ours = coefficients(_scan(x, y, *words), _names(x))
    every = sums(x.T.tolist(), y.tolist(), [True] * len(y))
    exact = elastic_net(every, *point, signs=ours[1:].tolist())
    if "at" in case:
        for stated, row in zip(case["predicted"], case["at"], strict=True):
            at = [Fraction(value) for value in (1, *row)]
            yield Figure(stated, float(np.array([1.0, *row]) @ ours), dot(at, exact))
    elif "line" in case:
        yield from map(Figure, case["line"], ours.tolist(), exact)
    else:
        yield from map(Figure, case["slopes"], ours[1:].tolist(), exact[1:])


def _point(penalty: list[Any], x: Array, y: Array) -> tuple[float, float]:
    """reg_param and elastic_net_param for a penalty in the words of another library.

    A library that does not standardise weighs |b| and b^2, tandem s |b| and s^2 b^2 / s_y: the same
    where the features have one deviation s.
    """
    kind, strength, *rest = penalty
    ratio = float(*rest)
    if strength == 0 or kind == "glmnet":
        return float(strength), ratio
    spread, target = x.std(axis=0), float(y.std())
    s = float(spread.max())
    assert np.allclose(spread[spread > 0], s, rtol=1e-12)
    l1, l2 = strength * ratio, strength * (1 - ratio)
    if kind == "Ridge":  # its loss is not divided by 2n
        l2 /= len(y)
    if kind == "glmnet, not standardised":  # but for the target
        l2 /= target
    l1, l2 = l1 / s, l2 * target / s**2
    return l1 + l2, l1 / (l1 + l2)


def _place(rows: int) -> Integers:
    """Where every row stands so that tandem's folds, of even size, are those of the source."""
    folds = Assignment(Folds(3, 0, 1), rows).of(0, rows)
    return np.argsort(np.argsort(folds, kind="stable"))


def _cross_validated(
    result: Result, point: tuple[float, float], data: tuple[Array, Array], of: Array
) -> Fraction:
    """The mean square of all held-out errors, without rounding; `of`: the fold of every row."""
    x, y = data
    assert result.sums.n_test == tuple(np.bincount(of).tolist())
    assert result.sums.slopes is not None
    found = Fraction()
    for fold, slopes in enumerate(result.sums.slopes[:, 0]):
        train, test = (
            sums(x.T.tolist(), y.tolist(), rows.tolist()) for rows in (of != fold, of == fold)
        )
        line = elastic_net(train, *point, signs=slopes.tolist())
        found += mean_square(test, line) * test[0][0] / len(y)
    return found


def _scan(x: Array, y: Array, *words: str) -> Result:
    return scan(pa.table([*x.T, y], [*_names(x), "y"]), *words)


def _names(x: Array) -> list[str]:
    return [f"x{j}" for j in range(x.shape[1])]
