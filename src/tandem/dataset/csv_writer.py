"""A CSV file written as Parquet: parsed by one thread, written by another."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, takewhile
from pathlib import Path
from threading import Event

import pyarrow as pa

from tandem.dataset.ahead import ahead
from tandem.dataset.csv_dates import days_only
from tandem.dataset.csv_reader import typed_batches
from tandem.dataset.csv_rejects import Rejects, sound_batches
from tandem.dataset.parquet import write_row_groups
from tandem.settings import OnBadRow, Spelling

LEVELS = 1000  # up to so many are counted
_WAITING = 4  # batches that are parsed while a row group is written


@dataclass(frozen=True, slots=True)
class Written:
    """Of a file: how many rows, bad ones too; levels, up to what is counted; dates without time."""

    rows: int
    levels: Mapping[str, set[str]]
    days: set[str]


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes files whose columns have `types`; the levels of `counted` columns are gathered.

    `halt`: where it is set, no more is written.
    """

    types: dict[str, pa.DataType]
    counted: Collection[str]
    spelling: Spelling
    rejects: Rejects
    halt: Event

    def write(self, file: Path, place: Path) -> Written:
        """The rows of `file` as Parquet at `place`. Raises DataError as what reads them does."""
        before = self.rejects.count
        found = Written(0, {name: set() for name in self.counted}, self._moments())
        nothing = [pa.nulls(0, kind) for kind in self.types.values()]
        empty = pa.RecordBatch.from_arrays(nothing, schema=pa.schema([*self.types.items()]))
        batches = ahead(_gathered(self._read(file), found), _WAITING)
        going = takewhile(lambda _: not self.halt.is_set(), batches)
        rows = write_row_groups(place, chain([empty], going))
        return replace(found, rows=rows + self.rejects.count - before)

    def _moments(self) -> set[str]:
        return {name for name, kind in self.types.items() if pa.types.is_timestamp(kind)}

    def _read(self, file: Path) -> Iterator[pa.RecordBatch]:
        if self.spelling.on_bad_row == OnBadRow.QUARANTINE:
            return sound_batches(file, self.types, self.spelling, self.rejects)
        return typed_batches(file, self.types, self.spelling)


def _gathered(batches: Iterable[pa.RecordBatch], found: Written) -> Iterator[pa.RecordBatch]:
    """`batches`, while what their columns hold is gathered in `found`.

    Columns of dates with a time of day are taken from its days.
    """
    for batch in batches:
        found.days.difference_update(
            [name for name in found.days if not days_only(batch.column(name))]
        )
        for name, levels in found.levels.items():
            if len(levels) <= LEVELS:
                levels.update(batch.column(name).drop_null().unique().to_pylist())
        yield batch
