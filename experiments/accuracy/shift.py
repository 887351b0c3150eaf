"""Columns far from 0, and fill values: digits of the error on every fold's held-out rows.

A table is two files; the second is appended to the first for the sums that the cache keeps.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from exact import digits, held_out
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from solvers import OLS, lstsq, predicting, sklearn, spark, standardised

from tandem.commands.run import answer
from tandem.config import compose
from tandem.folds import Assignment
from tandem.records import Array
from tandem.results import Result
from tandem.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROWS, FIRST = 24_000, 21_000  # of the table, of its first file
FILLED = 20
FOLDS = compose().settings.folds  # three, of single rows
DAY = 86_400
EXPLAINED = ("target follows a step of 1e6", 1e6), ("target follows a step of 1e9", 1e9)
ALL, SAME = "all of these at once", "same bits"

Rng = np.random.Generator
Predictor = Callable[[Array, Array, Array], Array]  # training rows, their target, other rows


class Case(NamedTuple):
    """Features, of which one or more are odd; the target, NaN where there is none."""

    features: list[np.ndarray[Any, Any]]
    y: Array


def _case(odd: np.ndarray[Any, Any], signal: Array, rng: Rng) -> Case:
    plain, noise = rng.normal(size=(2, ROWS))
    return Case([odd, plain], 3 * signal - 2 * plain + noise)


def offset(centre: float) -> Callable[[Rng], Case]:
    """centre + N(0, 1)."""

    def make(rng: Rng) -> Case:
        x = rng.normal(size=ROWS)
        return _case(centre + x, x, rng)

    return make


def time(unit: float, kind: type) -> Callable[[Rng], Case]:
    """Moments of one day of the year 2023, in `unit` seconds since 1970."""

    def make(rng: Rng) -> Case:
        x = rng.random(ROWS)
        moments: np.ndarray[Any, Any] = np.rint((1.7e9 + DAY * x) / unit).astype(kind)
        return _case(moments, np.sin(2 * np.pi * x), rng)

    return make


def years(rng: Rng) -> Case:
    """Whole numbers from 2013 to 2023."""
    x = rng.integers(2013, 2024, ROWS)
    return _case(x, (x - 2018) / 3.0, rng)


def filled(value: float, fold: int | None = None) -> Callable[[Rng], Case]:
    """N(0, 1), but `value` in some rows: anywhere, or held out together."""

    def make(rng: Rng) -> Case:
        x = rng.normal(size=ROWS)
        found = _case(x.copy(), x, rng)
        rows = np.arange(ROWS) if fold is None else np.flatnonzero(_folds() == fold)
        found.features[0][rng.choice(rows, FILLED, replace=False)] = value
        return found

    return make


def late(rng: Rng) -> Case:
    """0 and no target in most of the first file; then 1e9 + N(0, 1)."""
    found = offset(1e9)(rng)
    found.features[0][:15_000], found.y[:15_000] = 0.0, np.nan
    return found


def moved(rng: Rng) -> Case:
    """N(0, 1), 1e9 more in the second file."""
    found = offset(0.0)(rng)
    found.features[0][FIRST:] += 1e9
    return found


def explained(step: float) -> Callable[[Rng], Case]:
    """N(0, 1), a step up in the second file, which the target follows: its error is next to 0."""

    def make(rng: Rng) -> Case:
        x = rng.normal(size=ROWS)
        x[FIRST:] += step
        return _case(x.copy(), x, rng)

    return make


def target(centre: float) -> Callable[[Rng], Case]:
    """A target that is far from 0, of features that are not."""

    def make(rng: Rng) -> Case:
        found = offset(0.0)(rng)
        return found._replace(y=found.y + centre)

    return make


CASES: dict[str, Callable[[Rng], Case]] = {
    "1e6 + N(0, 1)": offset(1e6),
    "1e9 + N(0, 1)": offset(1e9),
    "1e12 + N(0, 1)": offset(1e12),
    "epoch seconds, whole": time(1.0, np.int64),
    "epoch milliseconds, whole": time(1e-3, np.int64),
    "epoch milliseconds, float64": time(1e-3, np.float64),
    "years": years,
    "-9999 in 20 rows": filled(-9999.0),
    "1e9 in 20 rows": filled(1e9),
    "1e12 in 20 rows": filled(1e12),
    "1e20 in 20 rows": filled(1e20),
    "1e100 in 20 rows": filled(1e100),
    "1e20 in 20 rows of one fold": filled(1e20, fold=0),
    "no target yet, 0; then 1e9 + N(0, 1)": late,
    "N(0, 1); appended: 1e9 + N(0, 1)": moved,
    "target 1e12 + ...": target(1e12),
}


def _folds() -> np.ndarray[Any, Any]:
    return Assignment(FOLDS, ROWS).of(0, ROWS)


def scaled(x: Array, y: Array, others: Array) -> Array:
    """scikit-learn's LinearRegression after its StandardScaler."""
    fitted = make_pipeline(StandardScaler(), LinearRegression()).fit(x, y)
    found: Array = fitted.predict(others)
    return found


PREDICTORS: dict[str, Predictor] = {
    "numpy lstsq": predicting(lstsq),
    "normal equations, standardised": standardised,
    "scikit-learn": predicting(sklearn()),
    "scikit-learn, StandardScaler": scaled,
}


def shift_table(session: "SparkSession | None" = None) -> list[list[str]]:
    """Correct digits of a fold's held-out MSE, the least over the folds, by column and solver."""
    theirs = [*PREDICTORS, *(["Spark ML"] if session else [])]
    rows = [["column", "scan", "scan, second file appended", *theirs]]
    for label, case in _cases():
        used = ~np.isnan(case.y)
        x, y, folds = np.column_stack(case.features)[used], case.y[used], _folds()[used]
        columns = [feature[used].tolist() for feature in case.features]
        truth = held_out(columns, y.tolist(), folds.tolist())
        found = [_mse(answered(case)), _mse(appended(case))]
        found += [[*_errors(predict, x, y, folds)] for predict in PREDICTORS.values()]
        if session:
            found.append([next(_errors(predicting(spark(session)), x, y, folds))])
        rows.append([label, *(f"{min(map(_digits, each, truth)):.1f}" for each in found)])
    return rows


def same_bits() -> str:
    """Whether distributed_scan has the bits of scan on all columns at once; it ends any session."""
    *_, (_, case) = _cases()
    left, right = answered(case), answered(case, "distributed_scan")
    same = (
        np.array_equal(left.sums.sse, right.sums.sse)
        and np.array_equal(left.sums.sst, right.sums.sst)
        and left.model == right.model
    )
    return SAME if same else "other bits"


def _cases() -> Iterator[tuple[str, Case]]:
    made = [make(np.random.default_rng(seed)) for seed, make in enumerate(CASES.values())]
    yield from zip(CASES, made, strict=True)
    for label, step in EXPLAINED:
        yield label, explained(step)(np.random.default_rng(0))
    together = np.sum([case.y for case in made], axis=0)
    yield ALL, Case([case.features[0] for case in made], together)


def answered(case: Case, engine: str = "scan") -> Result:
    """Both files, every row of them read."""
    with tempfile.TemporaryDirectory() as folder:
        _write(case, Path(folder), "a", "b")
        return answer(_settings(Path(folder), kept=False), engine)


def appended(case: Case) -> Result:
    """The first file, whose sums are kept; then both."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        with patch.dict(os.environ, {"TANDEM_CACHE": cache}):
            for name in ("a", "b"):
                _write(case, Path(folder), name)
                found = answer(_settings(Path(folder), kept=True), "scan")
        assert found.ledger.rows_from_cache in {0, FIRST}
        return found


def _settings(folder: Path, *, kept: bool) -> Settings:
    data = ("dataset=files", f"dataset.path={folder}", "dataset.target=y", "folds.k=3")
    return compose(*data, *OLS, f"cache.moments={str(kept).lower()}").settings


def _write(case: Case, folder: Path, *names: str) -> None:
    table = pa.table(
        {f"x{j}": values for j, values in enumerate(case.features)}
        | {"y": pa.array(case.y, mask=np.isnan(case.y))}
    )
    parts = {"a": table.slice(0, FIRST), "b": table.slice(FIRST)}
    for name in names:
        pq.write_table(parts[name], folder / f"{name}.parquet")


def _mse(result: Result) -> list[float]:
    found: list[float] = (result.sums.sse[:, 0] / np.array(result.sums.n_test)).tolist()
    return found


def _errors(predict: Predictor, x: Array, y: Array, folds: Array) -> Iterator[float]:
    for fold in range(FOLDS.k):
        train, test = folds != fold, folds == fold
        yield float(np.mean((predict(x[train], y[train], x[test]) - y[test]) ** 2))


def _digits(found: float, truth: Any) -> float:
    return digits([found], [truth], most=16)
