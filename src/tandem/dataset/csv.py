"""CSV to Parquet, once, strictly: one parser decides what the text says, for every engine."""

import hashlib
import json
import re
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from tandem.dataset.csv_columns import Remark, column_types
from tandem.dataset.csv_reader import NUMBER
from tandem.dataset.csv_records import Records, count_records, line_of
from tandem.dataset.csv_rejects import Rejects, as_lines, sound_batches
from tandem.dataset.csv_writer import LEVELS, Writer, Written
from tandem.errors import DataError, RejectedError
from tandem.machine import published
from tandem.records import Reject
from tandem.settings import OnBadRow, Spelling

_TOLD = "told.json"
_SEVERAL = 2  # files at once, each parsed by one thread and written by another
_RULES = 7  # raise it where a file would be read, refused or told of in another way than before


@dataclass(frozen=True, slots=True)
class Converted:
    """The Parquet files of CSV files, one each, in their order, and what is to be told of them.

    `rejected`: rows that were left out; `rejects`: the first of them; `ended`: whether the last
    line of each is; `days`: the columns of dates that have no time of day.
    """

    files: tuple[Path, ...]
    sources: tuple[Path, ...]
    spelling: Spelling
    remarks: tuple[Remark, ...]
    rejected: int
    rejects: tuple[Reject, ...]
    ended: tuple[bool, ...]
    days: tuple[str, ...]

    def notes(self, target: str | None, names: Collection[str]) -> tuple[str, ...]:
        """A line on every column of `names` that is text but looks like something else.

        Raises DataError where most of a column is numbers, or such a column is the target.
        """
        notes = [
            f"{file}: the last line does not end with a line break: was the file cut off? -> if "
            "not, add one"
            for file, ended in zip(self.sources, self.ended, strict=True)
            if not ended
        ]
        if told := [name for name in names if _is_number(name)]:
            notes.append(
                f"{self.sources[0]}:1: '{told[0]}' is the name of a column: has the file no "
                "header? -> if so, write one above the first row"
            )
        if self.rejected:
            notes.append(
                f"{self.rejected:,} bad rows are left out; the first: {self.rejects[0]} -> "
                f"data/rejects.jsonl of the run lists {len(self.rejects):,}"
            )
        for remark in self.remarks:
            if remark.column in names:
                is_target = remark.column == target
                file = self.sources[remark.file]
                notes.append(remark.told(file, self.spelling, target=is_target))
                if remark.refused or is_target:
                    raise DataError(notes[-1])
        return tuple(notes)


def to_parquet(files: Sequence[Path], digest: str, spelling: Spelling) -> Converted:
    """The Parquet files that `files` are converted to, on first use of their content.

    Numbers become float64, dates moments of UTC, all else text. What a column holds is decided from
    the first block of the first file (or, where that is empty, from the first values that are
    there); a cell that does not fit is never a reason to read the column as something else: its row
    is left out, or RejectedError tells of it. Raises DataError where it cannot be told what the
    rows are.
    """
    key = hashlib.sha256(f"{_RULES} {digest} {spelling}".encode()).hexdigest()
    needed = sum(file.stat().st_size for file in files)

    def build(work: Path) -> dict[str, Any]:
        try:
            return _build(files, spelling, work)
        except DataError as error:
            raise _listed(error, files, spelling) from error

    folder = published(f"csv/{key[:32]}", needed, build)
    told = json.loads((folder / _TOLD).read_text(encoding="utf-8"))
    return Converted(
        tuple(folder / f"{i:05}.parquet" for i in range(len(files))),
        tuple(files),
        spelling,
        tuple(Remark(**remark) for remark in told["remarks"]),
        told["rejected"],
        tuple(Reject(**reject) for reject in told["rejects"]),
        tuple(told["ended"]),
        tuple(told["days"]),
    )


def _build(files: Sequence[Path], spelling: Spelling, work: Path) -> dict[str, Any]:
    """Write the files and what is told of them below `work`; a summary."""
    rejects = Rejects(spelling, spelling.max_bad_rows)
    places = [work / f"{i:05}.parquet" for i in range(len(files))]
    records, remarks, found = _at_once(files, places, spelling, rejects)
    told = {
        "remarks": [asdict(_completed(remark, files, found, spelling)) for remark in remarks],
        "rejected": rejects.count,
        "days": sorted(set.intersection(*(one.days for one in found))),
        "ended": [counted.ended for counted in records],
        "rejects": [asdict(reject) for reject in rejects.first],
    }
    (work / _TOLD).write_text(json.dumps(told), encoding="utf-8")
    return {"files": [str(file) for file in files], "rows": [counted.number for counted in records]}


def _at_once(
    files: Sequence[Path], places: Sequence[Path], spelling: Spelling, rejects: Rejects
) -> tuple[list[Records], list[Remark], list[Written]]:
    """Count the records of `files`, and meanwhile write them at `places`, several at once.

    What is wrong is raised in order: first what the counting complains of, then file by file.
    """
    # Bad rows are listed in the order of the files.
    several = 1 if spelling.on_bad_row == OnBadRow.QUARANTINE else _SEVERAL
    count = partial(count_records, multiline=spelling.multiline, delimiter=spelling.delimiter)
    halt = Event()
    with ThreadPoolExecutor(1, "count") as counter, ThreadPoolExecutor(several, "csv") as writers:
        counts = counter.map(count, files)
        try:
            try:
                types, remarks = column_types(files, spelling)
            except DataError:
                list(counts)
                raise
            write = Writer(types, [remark.column for remark in remarks], spelling, rejects, halt)
            written = writers.map(write.write, files, places)
            records, found = [*counts], []
            for file, counted, one in zip(files, records, written, strict=True):
                _check_rows(file, counted.number, one.rows)
                found.append(one)
        finally:
            halt.set()
            counter.shutdown(cancel_futures=True)
            writers.shutdown(cancel_futures=True)
    return records, remarks, found


def _is_number(name: str) -> bool:
    """Whether a name looks like a cell of data; years and words such as inf are names."""
    return bool(re.fullmatch(NUMBER, name)) and not re.fullmatch(r"[12]\d{3}|\D+", name.strip())


def _listed(error: DataError, files: Sequence[Path], spelling: Spelling) -> DataError:
    """The error with all bad rows counted and the first listed, where it is about rows."""
    if spelling.on_bad_row == OnBadRow.QUARANTINE:
        return error
    leaving_out = replace(spelling, on_bad_row=OnBadRow.QUARANTINE)
    rejects, good = Rejects(leaving_out, most=None), 0
    try:
        types, _ = column_types(files, leaving_out)
        for file in files:
            good += sum(map(len, sound_batches(file, types, leaving_out, rejects)))
    except DataError:
        return error
    if not rejects.count:
        return error
    what, arrow, step = str(error).partition(" -> ")
    if not good and all(one.column is None for one in rejects.first):
        step = "are the lines above the names of the columns a title, or comments? Delete them"
    total = f" (the first of {rejects.count:,} bad rows)" if rejects.count > 1 else ""
    return RejectedError(f"{what}{total}{arrow}{step}", as_lines(rejects.first))


def _check_rows(file: Path, counted: int, read: int) -> None:
    if counted != read:
        raise DataError(
            f"{file}: {counted:,} rows by its line breaks and quotes, {read:,} by the parser -> "
            "look for odd quotes, or store it as Parquet"
        )


def _completed(
    remark: Remark, files: Sequence[Path], found: Sequence[Written], spelling: Spelling
) -> Remark:
    number = len(set.union(*(one.levels[remark.column] for one in found)))
    words = f"{number:,} levels" if number <= LEVELS else f"more than {LEVELS:,} levels"
    return replace(
        remark, line=line_of(files[remark.file], remark.row + 1, spelling.delimiter), levels=words
    )
