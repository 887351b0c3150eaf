"""What tests build tasks from: the shipped configuration with overrides, a dirty small table."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tandem.commands.run import execute
from tandem.config.composed import compose, task
from tandem.dataset.opening import open_dataset
from tandem.machine.timing import Stopwatch
from tandem.oracle import OracleResult, cross_validate
from tandem.progress import Display
from tandem.records import Task
from tandem.results import Result

Cells = NDArray[np.object_]
_TRUTHS: dict[str, OracleResult] = {}


def make_task(*overrides: str) -> Task:
    """The task of conf/ with `overrides`, as the command line would make it; its data is there.

    Unless `overrides` say otherwise nothing is looked up, since a test measures what it runs, and a
    category is its rank.
    """
    words = ("cache.moments=false", "cleaning.encoding=index")
    chosen = compose(*words, *overrides).settings
    return task(chosen, open_dataset(chosen.dataset, chosen.folds, chosen.cleaning))


def truth_of(task: Task) -> OracleResult:
    """What the oracle finds; once for all engines, whose tests have the same files elsewhere."""
    bare = replace(task.dataset, name="", files=(), notes=())
    question = repr(replace(task, dataset=bare))
    if question not in _TRUTHS:
        _TRUTHS[question] = cross_validate(task)
    return _TRUTHS[question]


def drive(engine_name: str, task: Task) -> Result:
    """Run one engine through its stages, without tracking."""
    return execute(task, engine_name, Stopwatch(), Display(engine_name))


def synthetic(folder: Path, rows: int, seed: int, files: int = 1) -> None:
    """Write a dirty table with target `y` to `folder`, as `files` Parquet files of unequal size.

    A column for every action and every trap: cells missing as null and as NaN; integers with gaps;
    booleans; levels with equal counts, with characters beyond the basic plane, that stand in one
    row only; a missing category in one row only; constants, one of them with gaps.
    """
    rng = np.random.default_rng(seed)
    table = _table(rng, rows)
    cuts = [0, *sorted(rng.choice(np.arange(1, rows), files - 1, replace=False).tolist()), rows]
    folder.mkdir(parents=True, exist_ok=True)
    for number, (begin, end) in enumerate(pairwise(cuts)):
        pq.write_table(table.slice(begin, end - begin), folder / f"{number:02}.parquet")


def houses() -> pd.DataFrame:
    """90 houses: a price, two numbers and a category with gaps."""
    rng = np.random.default_rng(0)
    area, rooms = rng.integers(40, 200, 90), rng.integers(1, 6, 90)
    city = rng.choice(["Bern", "Basel", None], 90)
    price = 3000 * area + 10_000 * rooms + 50_000 * (city == "Bern") + rng.normal(0, 2e4, 90)
    return pd.DataFrame({"price": price, "area": area, "rooms": rooms, "city": city})


def _table(rng: np.random.Generator, rows: int) -> pa.Table:
    a, b, c = rng.normal(size=(3, rows))
    count = rng.integers(0, 9, rows)
    city = rng.choice(["b", "a", "\uff5e", "\U0001f600", "null", "", "B c"], rows)
    flag = rng.random(rows) < 0.4
    y = 50 + 3 * a - 2 * b * (b > 0) + 0.5 * c + count + 4 * flag + 2 * (city == "a")
    y += rng.normal(scale=2.0, size=rows)
    once = np.where(np.arange(rows) % 2, "odd", "even").astype(object)
    once[:3] = ["only here", "and here", None]  # "odd" and "even" are about as frequent
    with_nan = np.where(rng.random(rows) < 0.1, np.nan, 1e6 + 20 * c)
    return pa.table(
        {
            "a": pa.array(a),
            "y": pa.array(_gaps(rng, y, 0.03), pa.float64()),
            "rows.dropped": pa.array(_gaps(rng, b, 0.04), pa.float64()),
            "imputed": pa.array(_gaps(rng, with_nan, 0.2), pa.float64()),
            "column dropped": pa.array(_gaps(rng, a * c, 0.8), pa.float64()),
            "small": pa.array(rng.normal(size=rows).astype(np.float32)),
            "count": pa.array(count.astype(np.int16)),
            "count with gaps": pa.array(_gaps(rng, count * count, 0.3), pa.int64()),
            "constant": pa.array(np.full(rows, 7)),
            "constant with gaps": pa.array(_gaps(rng, np.full(rows, 0.1), 0.2), pa.float64()),
            "city": pa.array(_gaps(rng, city, 0.15), pa.string()),
            "packed": pa.array(_gaps(rng, city[::-1], 0.02), pa.string()).dictionary_encode(),
            "flag": pa.array(flag),
            "flag with gaps": pa.array(_gaps(rng, a > c, 0.1), pa.bool_()),
            "once": pa.array(once, pa.string()),
            "same": pa.array(["one"] * rows),
        }
    )


def _gaps(rng: np.random.Generator, values: NDArray[np.generic], share: float) -> Cells:
    """`values` as Python objects, `share` of them None."""
    cells = values.astype(object)
    cells[rng.permutation(len(values))[: round(share * len(values))]] = None
    return cells
