"""The same data, worked on in another way: how much of the answer changes."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tandem.commands.run import answer
from tandem.config import compose
from tandem.engines import scan
from tandem.fold_keys import Folds
from tandem.folds import Assignment
from tandem.moments.tiling import Workplace
from tandem.results import Result
from tandem.scan import row_groups
from tandem.scan.cuts import Stretch
from tandem.scan.threads import Work, in_order
from tandem.scores import largest_relative_difference

COUNT = 54_000
K, SEED, BLOCK = 3, 7, 256
GROUP = 18_000  # rows: more than a tile


@dataclass(frozen=True)
class Row:
    """`results` yields the answers that are compared, for a table of a `kind` of numbers."""

    results: Callable[[str], Iterator[Result]]
    on_spark: bool = False


def table(kind: str) -> pa.Table:
    """Three features, one with gaps, a category, a target: all numbers of one `kind`.

    The first rows are unlike the rest, so that no order of rows has the first rows of another.
    """
    rng = np.random.default_rng(0)
    centre = np.array([[10_000.0], [0.0], [-70.0]])
    x = np.rint(rng.normal(centre, 300.0, (3, COUNT)))
    x[:, :2000] += np.rint(rng.normal(400.0, 30.0, (3, 2000)))
    y = x[0] - 2 * x[1] + np.rint(rng.normal(0.0, 200.0, COUNT))
    columns = {f"x{j}": number(x[j], kind, rng.random(COUNT) < 0.1 * j) for j in range(3)}
    names = rng.choice(["u", "v", "w", "only here"], COUNT, p=[0.5, 0.25, 0.2, 0.05])
    return pa.table({**columns, "c": names, "y": number(y, kind, np.zeros(COUNT, dtype=bool))})


def number(values: np.ndarray[Any, Any], kind: str, missing: np.ndarray[Any, Any]) -> pa.Array:
    if kind == "whole numbers":
        return pa.array(values.astype(np.int64), mask=missing)
    if kind == "decimals":
        cents = [
            None if gone else Decimal(int(value)).scaleb(-2)
            for value, gone in zip(values, missing, strict=True)
        ]
        return pa.array(cents, pa.decimal128(12, 2))
    return pa.array(values / 7, mask=missing)


def write(folder: Path, data: pa.Table, row_group: int = GROUP, files: int = 1) -> None:
    rows = -(-data.num_rows // files)
    for file in range(files):
        part = data.slice(file * rows, rows)
        pq.write_table(part, folder / f"{file}.parquet", row_group_size=row_group)


def answered(folder: Path, engine: str, *overrides: str) -> Result:
    data = ("dataset=files", f"dataset.path={folder}", "dataset.target=y", "cache.moments=false")
    data = (*data, "cleaning.encoding=index")
    return answer(compose(*data, "model.reg_param=[0,0.1]", *overrides).settings, engine)


def run(data: pa.Table, *overrides: str, engine: str = "scan", **layout: int) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), data, **layout)
        return answered(Path(folder), engine, *overrides)


def threads(kind: str) -> Iterator[Result]:
    """Two threads have two pieces each of two row groups to share; five are too many."""
    for count in (1, 2, 5):
        with patch.object(row_groups, "BATCH_CELLS", 1):
            yield run(table(kind), f"engine.threads={count}", row_group=COUNT // 2)


def order_of_work(kind: str) -> Iterator[Result]:
    """Row groups worked on from the last to the first; results are taken in their order."""

    def backwards(work: Work[Any], groups: tuple[Stretch, ...], _: int) -> Iterator[Any]:
        yield from [next(in_order(work, [group])) for group in groups[::-1]][::-1]

    yield run(table(kind))
    with patch.object(scan, "in_order", backwards):
        yield run(table(kind))


def partitions(kind: str) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), table(kind), row_group=1_000)
        yield answered(Path(folder), "scan")
        for count in (1, 2, 7):
            yield answered(Path(folder), "distributed_scan", f"spark.partitions={count}")


def order_of_rows(kind: str, block: int) -> Iterator[Result]:
    """Every row on the place of another one of its fold, so that no fold changes."""
    data, rng = table(kind), np.random.default_rng(1)
    overrides = (f"folds.k={K}", f"folds.seed={SEED}", f"folds.block={block}")
    yield run(data, *overrides)
    folds = Assignment(Folds(K, SEED, block), COUNT).of(0, COUNT)
    place = np.arange(COUNT)
    for fold in range(K):
        place[folds == fold] = rng.permutation(np.flatnonzero(folds == fold))
    yield run(data.take(place), *overrides)


def layout(kind: str) -> Iterator[Result]:
    for row_group, files in ((GROUP, 1), (700, 1), (COUNT, 1), (4_000, 3)):
        yield run(table(kind), row_group=row_group, files=files)


def tile(kind: str, block: int) -> Iterator[Result]:
    for rows in (16384, 1000, 64):
        with patch.object(Workplace.__init__, "__defaults__", (rows,)):
            yield run(table(kind), f"folds.block={block}")


def batch(kind: str) -> Iterator[Result]:
    """A row group read in one piece, in pieces of two tiles, of one."""
    for cells in (row_groups.BATCH_CELLS, 200_000, 1):
        with patch.object(row_groups, "BATCH_CELLS", cells):
            yield run(table(kind), row_group=COUNT)


ROWS = {
    "threads (1, 2, 5)": Row(threads),
    "order of work on row groups": Row(order_of_work),
    "distributed_scan on 1, 2, 7 partitions": Row(partitions, on_spark=True),
    "order of rows within a fold": Row(partial(order_of_rows, block=1)),
    "the same, `folds.block=256`": Row(partial(order_of_rows, block=BLOCK)),
    "row groups and files": Row(layout),
    "`TILE` (16384, 1000, 64)": Row(partial(tile, block=1)),
    "`TILE`, `folds.block=256`": Row(partial(tile, block=BLOCK)),
    "`BATCH_CELLS` (all rows, two tiles, one)": Row(batch),
}


def difference(row: Row, kind: str) -> float:
    """Largest relative difference of any error sum or coefficient; 0 says equal bit for bit."""
    first, *others = row.results(kind)
    return max(_difference(first, other) for other in others)


def _difference(left: Result, right: Result) -> float:
    assert left.ledger == right.ledger
    assert left.model.levels == right.model.levels
    pairs = (
        (left.sums.sse, right.sums.sse),
        (left.sums.sst, right.sums.sst),
        (_numbers(left), _numbers(right)),
    )
    return max(largest_relative_difference(one, other) for one, other in pairs)


def _numbers(result: Result) -> np.ndarray[Any, Any]:
    model = result.model
    return np.array([model.intercept, *model.coefficients.values(), *model.means.values()])
