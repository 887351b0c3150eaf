"""The tables that the study measures: written once to a folder, with pyarrow's own defaults."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tandem.dataset.flights import flights_folder
from tandem.fold_keys import Folds
from tandem.folds import Assignment

IMPUTED_SHARE = 0.2  # of the columns: these get the mean
MISSING_SHARE = 0.1  # of the cells of such a column
_PIECE = 1_048_576  # rows made at a time; pyarrow's own row groups are as long

Cells = NDArray[Any]
STORED: dict[str, Callable[[Cells], Cells]] = {  # what is made of the doubles that are drawn
    "doubles": lambda drawn: drawn,
    "decimals": lambda drawn: drawn.round(2),  # thousands of values: a dictionary holds them
    "float32": lambda drawn: drawn.astype(np.float32),
    "integers": lambda drawn: np.rint(10 * drawn).astype(np.int64),  # some hundreds of values
}
_CODED = ("decimals", "integers")
GROUPS = (100, 1_000, 10_000, 100_000, 500_000)  # rows of a row group, of 500,000 rows
TARGET = ("dataset.target=y",)
FLIGHTS = (
    "dataset.target=dep_delay",
    "dataset.exclude=[dep_time,arr_time,arr_delay,air_time,time_hour]",
)


@dataclass(frozen=True)
class Table:
    """A table to measure on, as overrides of the configuration."""

    name: str
    path: Path
    overrides: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The overrides that make it the dataset."""
        index = "cleaning.encoding=index"  # sums alone: what is solved is small
        return ("dataset=files", f"dataset.path='{self.path}'", index, *self.overrides)


def numeric(folder: Path, rows: float, features: int) -> Table:
    """Random doubles, `rows` x `features`."""
    return Table(f"{features} features", _numeric(folder, int(rows), features), TARGET)


def numbers(folder: Path, share: float) -> list[Table]:
    """Random doubles, about 60 million cells each."""
    sizes = ((2e6, 30), (6e5, 100), (2e5, 300))
    return [numeric(folder, rows * share, features) for rows, features in sizes]


def stored(folder: Path, share: float) -> list[Table]:
    """Numbers as people store them; the first are those that Parquet keeps as dictionaries."""
    sizes = (("decimals", 3e6), ("float32", 2e6), ("integers", 2e6))
    return [
        Table(f"30 {cells}", _numeric(folder, int(rows * share), 30, cells), TARGET)
        for cells, rows in sizes
    ]


def grouped(folder: Path, share: float) -> list[Table]:
    """The same doubles in row groups of a few rows, and of many."""
    paths = {rows: _numeric(folder, int(5e5 * share), 30, group=rows) for rows in GROUPS}
    return [Table(f"row groups of {rows}", path, TARGET) for rows, path in paths.items()]


def folded(folder: Path, share: float, imputed: float) -> list[Table]:
    """Doubles, the fold of every row beside them, and ridge alone; `imputed`: columns with gaps."""
    ridge = ("dataset.exclude=[fold]", "model.elastic_net_param=[0]")
    sizes, complete = ((2e6, 30), (6e5, 100)), "" if imputed else ", complete"
    return [
        Table(f"{p} features{complete}", path, (*TARGET, *ridge))
        for p, path in ((p, _folded(folder, int(rows * share), p, imputed)) for rows, p in sizes)
    ]


def flights(rows: float | None, name: str = "flights") -> Table:
    """So many flights with their categories, as the product prepares them; None: all real ones."""
    folder = flights_folder(None if rows is None else int(rows), 0)
    return Table(name, folder / "flights.parquet", FLIGHTS)


def _numeric(
    folder: Path, rows: int, features: int, cells: str = "doubles", group: int | None = None
) -> Path:
    """A Parquet file of `rows` x (`features` + target), 20 % of the columns with missing cells.

    y = x'b + noise, so that R2 is about 0.9, stored as `cells` says. Everything is pyarrow's
    default: snappy, row groups of 1,048,576 rows; only a table of fewer rows is cut in eight, to
    give every thread its share. `group`: row groups of so many rows instead.
    """
    length = group or (_PIECE if rows >= 2 * _PIECE else -(-rows // 8))
    path = folder / f"{cells}-{rows}-{features}-{length}.parquet"
    _written(path, _pieces(rows, features, STORED[cells], IMPUTED_SHARE), length)
    if cells in _CODED:
        _check_coded(path)
    return path


def _folded(folder: Path, rows: int, features: int, imputed: float) -> Path:
    """The same doubles, and `fold`: where scan's default has every row."""
    path = folder / f"folded-{rows}-{features}-{imputed}.parquet"
    fold = pa.array(Assignment(Folds(k=3), rows).of(0, rows)).cast(pa.int8())

    def pieces() -> Iterator[pa.Table]:
        done = 0
        for piece in _pieces(rows, features, STORED["doubles"], imputed):
            yield piece.append_column("fold", fold.slice(done, piece.num_rows))
            done += piece.num_rows

    _written(path, pieces(), _PIECE)
    return path


def _written(path: Path, pieces: Iterator[pa.Table], length: int) -> None:
    if path.exists():
        return
    work, first = path.with_suffix(".part"), next(pieces)
    with pq.ParquetWriter(work, first.schema) as writer:
        writer.write_table(first, row_group_size=length)
        for table in pieces:
            writer.write_table(table, row_group_size=length)
    work.rename(path)


def _pieces(
    rows: int, features: int, stored: Callable[[Cells], Cells], share: float
) -> Iterator[pa.Table]:
    rng = np.random.default_rng(features)
    slopes = rng.normal(size=features)
    imputed = round(share * features)
    for first in range(0, rows, _PIECE):
        here = min(_PIECE, rows - first)
        columns, target = {}, rng.normal(scale=features**0.5 / 3, size=here)
        for j in range(features):
            values = rng.normal(loc=j, scale=1.0 + j % 7, size=here)
            target += slopes[j] / (1.0 + j % 7) * values
            gaps = rng.random(here) < MISSING_SHARE if j < imputed else None
            columns[f"x{j:03}"] = pa.array(stored(values), mask=gaps)
        yield pa.table({**columns, "y": stored(target)})


def _check_coded(path: Path) -> None:
    """End where a column is not kept as codes of a dictionary.

    Beyond 1 MB of dictionary pyarrow writes the cells themselves; so many values have 17 bits.
    """
    footer = pq.read_metadata(path)
    for at in range(footer.num_row_groups):
        for column in map(footer.row_group(at).column, range(footer.num_columns)):
            if column.total_uncompressed_size > 2**20 + column.num_values * 17 / 8:
                sys.exit(f"{path}: {column.path_in_schema}: cells, and no codes of a dictionary")
