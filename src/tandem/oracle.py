"""The slow obvious truth of the whole pipeline, row by row over plain values. Never optimise it.

It shares no code with the engines: of the package it knows only the question (`Task`).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import mul
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tandem.oracle_dates import in_utc, read_off
from tandem.oracle_folds import splits_of
from tandem.oracle_line import fit, mean, median, target_means, total_of, weighed
from tandem.records import Column, Dataset, Kind, Task

Row = dict[str, Any]
Array = NDArray[np.float64]

ROW_ID = "\x00row id"  # beside the columns' names in a row: no column is called this
FOLD_CELL = "\x00fold"  # the same: what stands in the column that folds go by
WEIGHT = "\x00weight"  # the same: how often the row counts
MISSING = "\x00missing"  # what a missing category is called where categories are ordered


@dataclass(frozen=True)
class OracleResult:
    """What every engine must find. Arrays have shape (folds, grid points).

    `coefficients[g]` and `intercepts[g]`: grid point g fitted on all used rows, in raw units, by
    column name; 1 for a category that is 0/1 features, whose coefficients are in `effects[g]`, by
    place; `cleaner`: fitted on them; `held_out[g]`: its RMSE on the hold-out, if any.
    """

    rows_in: int
    rows_used: int
    rows_dropped_target: int
    rows_dropped_missing: int
    rows_dropped_weight: int
    cells_imputed: int
    actions: Mapping[str, str]
    rmse: Array
    r2: Array
    mae: Array
    mape: Array
    median_ae: Array
    coefficients: tuple[Mapping[str, float], ...]
    effects: tuple[Mapping[str, Sequence[float]], ...]
    intercepts: tuple[float, ...]
    cleaner: "Cleaner"
    held_out: tuple[float, ...]


class Cleaner(NamedTuple):
    """The fitted cleaning: the mean of every numeric column, the number of every category seen.

    `unseen`: that of a category that is not, by column; `places`: how many 0/1 features a column
    is, whose categories' numbers tell which of them is 1.
    """

    means: Mapping[str, float]
    numbers: Mapping[str, Mapping[str, float]]
    unseen: Mapping[str, float]
    places: Mapping[str, int]


def read_rows(dataset: Dataset) -> list[Row]:
    """Every row as {column name: value} with its row id = rows before its file + place in it.

    A value is None (missing), a float, or a text; true and false are texts. Dates stand beside what
    is read off them.
    """
    rows: list[Row] = []
    for file in dataset.files:
        opened = pq.ParquetFile(file.path, coerce_int96_timestamp_unit="us")
        for cells in in_utc(opened.read()).to_pylist():
            row = {column.stored: cells[column.stored] for column in dataset.columns}
            row |= {column.name: value(column, cells[column.stored]) for column in dataset.columns}
            by = dataset.fold_column
            weight = Fraction(cells[dataset.weight.name] if dataset.weight else 1)
            cell = cells[by.name] if by else None
            rows.append({**row, ROW_ID: len(rows), FOLD_CELL: cell, WEIGHT: weight})
    return rows


def value(column: Column, cell: Any) -> float | str | None:
    """One cell as None, float or text; NaN is missing."""
    if cell is None:
        return None
    if column.source:
        return read_off(cell, column.source.part)
    if column.kind is Kind.CATEGORICAL:
        return {True: "true", False: "false"}[cell] if isinstance(cell, bool) else str(cell)
    number = float(cell)
    return None if math.isnan(number) else number


def plan_of(rows: Sequence[Row], task: Task) -> dict[str, str]:
    """The action of every feature by its name, from its share of missing cells among all rows."""
    return {column.name: action_of(column, rows, task) for column in task.dataset.features}


def action_of(column: Column, rows: Sequence[Row], task: Task) -> str:
    """Numeric: share = 0 keep; > drop_column_above drop; <= drop_rows_below drop the rows; impute.

    Categorical: missing is a category of its own, unless its rows are to be dropped.
    """
    missing = sum(row[column.name] is None for row in rows)
    if column.kind is Kind.CATEGORICAL:
        drop = missing > 0 and task.cleaning.missing_category == "drop"
        wanted = task.cleaning.encodings.get(column.name, task.cleaning.encoding)
        what = {"target": "encode by mean target", "one_hot": "a 0/1 feature per level"}
        found = what.get(wanted, "index by frequency")
        return f"{found}, drop rows" if drop else found
    if missing == 0:
        return "keep"
    if missing / len(rows) > task.cleaning.drop_column_above:
        return "drop column"
    if missing / len(rows) <= task.cleaning.drop_rows_below:
        return "drop rows"
    return "impute mean"


def cross_validate(task: Task) -> OracleResult:
    """rmse = sqrt(sse / n), r2 = 1 - sse / sst, mae = sum |error| / n, mape = sum |error / y| / n
    and median_ae, of |error|, on held-out rows by fold and grid point, each row as often as it
    counts; refits.
    """
    rows = read_rows(task.dataset)
    actions = plan_of(rows, task)
    target = task.dataset.target.name
    counting = [row for row in rows if row[WEIGHT] > 0]
    with_target = [row for row in counting if row[target] is not None]
    required = [name for name, action in actions.items() if "drop rows" in action]
    used = [row for row in with_target if all(row[name] is not None for name in required)]
    imputed = [name for name, action in actions.items() if action == "impute mean"]
    features = [c for c in task.dataset.features if actions[c.name] != "drop column"]

    def of(ids: Sequence[int]) -> list[Row]:
        wanted = {*ids}
        return [row for row in used if row[ROW_ID] in wanted]

    splits, *rest = splits_of([row[FOLD_CELL] for row in rows], task.folds)
    kept, apart = map(of, rest)
    on_all = fit_cleaner(kept, features, actions, task)
    rmse, r2, mae, mape, median_ae = np.empty((5, len(splits), len(task.grid)))
    for fold, (train, test) in enumerate((of(train), of(test)) for train, test in splits):
        own = task.cleaning.fit_on != "all"
        cleaner = fit_cleaner(train, features, actions, task) if own else on_all
        x_test, y_test, v_test = clean(test, features, cleaner), numbers(test, target), counts(test)
        in_unit = [math.exp(y) for y in y_test] if task.dataset.in_logs else y_test
        middle, n = mean(in_unit, v_test), float(sum(v_test))
        sst = weighed(((y - middle) ** 2 for y in in_unit), v_test)
        x = clean(train, features, cleaner)
        for index, line in enumerate(fit(x, numbers(train, target), task.grid, counts(train))):
            errors = [off(line.error(x, y), y, task) for x, y in zip(x_test, y_test, strict=True)]
            sse = weighed((error**2 for error in errors), v_test)
            rmse[fold, index] = math.sqrt(sse / n)
            r2[fold, index] = 1.0 - sse / sst if sst > 0 else math.nan
            mae[fold, index] = weighed(map(abs, errors), v_test) / n
            known = zip(errors, in_unit, strict=True)
            shares = (abs(error / y) if y else math.inf for error, y in known)
            mape[fold, index] = weighed(shares, v_test) / n
            median_ae[fold, index] = median(map(abs, errors), v_test)

    x = clean(kept, features, on_all)
    refits = fit(x, numbers(kept, target), task.grid, counts(kept))
    held_out = []
    for line in refits if apart else []:
        pairs = zip(clean(apart, features, on_all), numbers(apart, target), strict=True)
        sse = weighed((off(line.error(x, y), y, task) ** 2 for x, y in pairs), counts(apart))
        held_out.append(math.sqrt(sse / float(sum(counts(apart)))))
    found = [by_column(line.slopes, features, on_all) for line in refits]
    return OracleResult(
        rows_in=len(rows),
        rows_used=len(used),
        rows_dropped_weight=len(rows) - len(counting),
        rows_dropped_target=len(counting) - len(with_target),
        rows_dropped_missing=len(with_target) - len(used),
        cells_imputed=sum(row[name] is None for row in used for name in imputed),
        actions=actions,
        rmse=rmse,
        r2=r2,
        mae=mae,
        mape=mape,
        median_ae=median_ae,
        coefficients=tuple(coefficients for coefficients, _ in found),
        effects=tuple(effects for _, effects in found),
        intercepts=tuple(line.intercept for line in refits),
        cleaner=on_all,
        held_out=tuple(held_out),
    )


def off(error: float, y: float, task: Task) -> float:
    """The error in the unit of the target, where it was one of logarithms."""
    return math.exp(y) - math.exp(y - error) if task.dataset.in_logs else error


def predict(found: OracleResult, point: int, features: Sequence[Column], row: Row) -> float:
    """intercept + sum_j coefficients[j] * x_j of one row, at grid point `point`."""
    used = [column for column in features if column.name in found.coefficients[point]]
    slopes: list[float] = []
    for column in used:
        alone = [found.coefficients[point][column.name]]
        slopes += found.effects[point].get(column.name, alone)
    return found.intercepts[point] + math.fsum(map(mul, slopes, *clean([row], used, found.cleaner)))


def by_column(
    slopes: Sequence[float], features: Iterable[Column], cleaner: Cleaner
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """The slope of every column, 1 where it is 0/1 features; and the slopes of these."""
    coefficients, effects, rest = {}, {}, [*slopes]
    for column in features:
        size = cleaner.places.get(column.name)
        here, rest = rest[: size or 1], rest[size or 1 :]
        coefficients[column.name] = 1.0 if size else here[0]
        if size:
            effects[column.name] = here
    return coefficients, effects


def numbers(rows: Iterable[Row], name: str) -> list[float]:
    """The values of a numeric column that are there."""
    return [row[name] for row in rows if row[name] is not None]


def counts(rows: Iterable[Row], name: str | None = None) -> list[Fraction]:
    """How often the rows count, those in which the column is there."""
    return [row[WEIGHT] for row in rows if name is None or row[name] is not None]


def fit_cleaner(
    rows: Sequence[Row], features: Sequence[Column], actions: Mapping[str, str], task: Task
) -> Cleaner:
    """Means of the values that are there; category -> rank by descending count (to 12 digits of
    all), ties by text, at most `max_levels` where it tells a 0/1 feature; or (sum of the target +
    m * mean) / (rows + m) over its rows, m being the smoothing.
    """
    means, found, unseen, places = {}, {}, {}, {}
    for column in features:
        name = column.name
        if column.kind is Kind.NUMERIC:
            means[name] = mean(numbers(rows, name), counts(rows, name))
            continue
        cells = [MISSING if row[name] is None else row[name] for row in rows]
        if actions[name].startswith("encode"):
            y = [Fraction(row[task.dataset.target.name]) * row[WEIGHT] for row in rows]
            smoothing = Fraction(task.cleaning.smoothing)
            found[name], unseen[name] = target_means(cells, y, counts(rows), smoothing)
            continue
        of = total_of(cells, counts(rows))
        ranked = sorted(sorted(of), key=lambda level: -round(of[level] * 10**12 / sum(of.values())))
        found[name] = {level: float(index) for index, level in enumerate(ranked)}
        unseen[name] = float(len(ranked))
        if actions[name].startswith("a 0/1"):
            most = task.cleaning.max_levels
            places[name] = min(len(ranked), most + 1)
            found[name] = {level: min(index, most) for level, index in found[name].items()}
            unseen[name] = min(unseen[name], most)
    return Cleaner(means, found, unseen, places)


def clean(rows: Iterable[Row], features: Sequence[Column], cleaner: Cleaner) -> list[list[float]]:
    """The features as numbers: value or mean; that of the category, or of an unseen one; or one 1
    and zeros, nothing but zeros where an unseen one shares no feature.
    """
    return [
        [x for column in features for x in as_features(column, row[column.name], cleaner)]
        for row in rows
    ]


def as_features(column: Column, cell: Any, cleaner: Cleaner) -> list[float]:
    """The features that one cell becomes."""
    found = number(column, cell, cleaner)
    if (size := cleaner.places.get(column.name)) is None:
        return [found]
    return [float(place == found) for place in range(size)]


def number(column: Column, cell: Any, cleaner: Cleaner) -> float:
    """One feature of one row."""
    if column.kind is Kind.CATEGORICAL:
        known = cleaner.numbers[column.name]
        return known.get(MISSING if cell is None else cell, cleaner.unseen[column.name])
    return cleaner.means[column.name] if cell is None else float(cell)
