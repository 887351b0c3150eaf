"""The rows of a CSV file that fit, and a list of those that do not."""

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from tandem.dataset.csv_reader import (
    check_header,
    not_text,
    odd_numbers,
    parsed,
    read_csv,
    shown,
    wanted,
)
from tandem.dataset.csv_records import line_of
from tandem.errors import DataError
from tandem.records import Reject
from tandem.settings import Spelling

LISTED = 20  # of the bad rows
_WIDTH = "{:,} cells, where the header has {:,}"


def as_lines(rejects: Iterable[Reject]) -> str:
    """A line of JSON each."""
    return "".join(f"{json.dumps(asdict(reject), ensure_ascii=False)}\n" for reject in rejects)


class Rejects:
    """Bad rows: how many, and the first LISTED of them.

    `most`: DataError is raised where there are more; None for any number.
    """

    def __init__(self, spelling: Spelling, most: int | None) -> None:
        self.count = 0
        self.first: list[Reject] = []
        self._spelling, self._most = spelling, most

    def add(self, file: Path, record: int, column: str | None, value: str, rule: str) -> None:
        """One more; `record` of the file, from 1."""
        self.count += 1
        if len(self.first) < LISTED:
            line = line_of(file, record, self._spelling.delimiter)
            self.first.append(Reject(str(file), line, column, value, rule))
        if self._most is not None and self.count > self._most:
            raise DataError(
                f"{self.first[0]}: more than {self._most:,} rows are bad -> correct them, or raise "
                "dataset.max_bad_rows"
            )


def texts(
    file: Path, names: Sequence[str], spelling: Spelling, wrong: list[tuple[int, str, str]]
) -> Iterator[tuple[pa.RecordBatch, dict[int, tuple[str, str, str]]]]:
    """The columns `names`, as text, of the rows with as many cells as the header.

    With every batch, by row, the column, value and rule of the first cell that is no text, which
    is missing in the batch. `wrong` gets record, value and rule of the rows with other cells.
    """

    def skip(row: pv.InvalidRow) -> str:
        rule = _WIDTH.format(row.actual_columns, row.expected_columns)
        wrong.append((row.number - 1, shown(row.text), rule))
        return "skip"

    for batch in read_csv(file, spelling, dict.fromkeys(names, pa.binary()), skip, names):
        bad: dict[int, tuple[str, str, str]] = {}
        columns = [_decoded(name, batch.column(name), spelling, bad) for name in names]
        yield pa.RecordBatch.from_arrays(columns, names=[*names]), bad


def sound_batches(
    file: Path, types: Mapping[str, pa.DataType], spelling: Spelling, rejects: Rejects
) -> Iterator[pa.RecordBatch]:
    """The rows of a file that fit, as `csv_reader.typed_batches` has them; the others are listed.

    Raises DataError where the file has other columns, or more rows are bad than `rejects` takes.
    """
    check_header(file, types, spelling)
    wrong: list[tuple[int, str, str]] = []  # rows of another width, as the parser meets them
    shifts: list[int] = []  # of each, its record less those before it
    listed, first = 0, 0
    for batch, bad in texts(file, [*types], spelling, wrong):
        columns = [
            cells if cells.type == types[name] else _typed(name, cells, types[name], spelling, bad)
            for name, cells in zip(types, batch.columns, strict=True)
        ]
        # Row r is record r + 1, were it not for those before it that are left out.
        shifts += [wrong[before][0] - before for before in range(len(shifts), len(wrong))]
        found: list[tuple[int, str | None, str, str]] = []
        for row, told in bad.items():
            place = first + row + 1
            found.append((place + bisect_right(shifts, place), *told))
        first += len(batch)
        last = first + bisect_right(shifts, first)
        while listed < len(wrong) and wrong[listed][0] <= last:
            record, value, rule = wrong[listed]
            found.append((record, None, value, rule))
            listed += 1
        for record, column, value, rule in sorted(found, key=lambda reject: reject[0]):
            rejects.add(file, record, column, value, rule)
        good = np.ones(len(batch), np.bool_)
        good[[*bad]] = False
        whole = pa.RecordBatch.from_arrays(columns, schema=pa.schema([*types.items()]))
        yield whole.filter(pa.array(good))
    for record, value, rule in wrong[listed:]:
        rejects.add(file, record, None, value, rule)


def _decoded(
    name: str, cells: pa.BinaryArray, spelling: Spelling, bad: dict[int, tuple[str, str, str]]
) -> pa.StringArray:
    try:
        return pc.cast(cells, pa.string())
    except pa.ArrowInvalid:
        found: list[str | None] = []
        for row, cell in enumerate(cells.to_pylist()):
            try:
                found.append(None if cell is None else cell.decode())
            except UnicodeDecodeError:
                found.append(None)
                told = shown(cell.decode(errors="backslashreplace"))
                bad.setdefault(row, (name, told, not_text(spelling)))
        return pa.array(found, pa.string())


def _typed(
    name: str,
    cells: pa.StringArray,
    kind: pa.DataType,
    spelling: Spelling,
    bad: dict[int, tuple[str, str, str]],
) -> pa.Array:
    """The numbers or dates of a column; what is none goes to `bad`, unless its row is there."""
    values, none = parsed(name, cells, kind, spelling)
    rules = odd_numbers(name, values, spelling) if pa.types.is_floating(kind) else ()
    for odd, rule in ((none, None), *rules):
        for row in pc.indices_nonzero(odd).to_pylist():
            cell = cells[row].as_py()
            what = wanted(name, kind, spelling, cell)
            bad.setdefault(row, (name, shown(cell), rule or f"not a {what}, where others are"))
    return values
