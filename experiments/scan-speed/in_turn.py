"""One process: programs on the same table, turn by turn. Prints a JSON line for every turn.

python in_turn.py PROGRAMS THREADS REPEATS override ...   decode,pieces,scan 1,2 11
python in_turn.py PROGRAMS THREADS 0 override ...         the first turn of the process, and no more
python in_turn.py memory THREADS 1 override ...           peak above the imports, one scan
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tandem.commands.run import execute
from tandem.config import compose, task
from tandem.dataset.opening import open_dataset
from tandem.engines.creation import create
from tandem.machine.timing import Stopwatch
from tandem.model_keys import GridPoint
from tandem.progress import Display
from tandem.records import Array, Kind, Task, unseen
from tandem.scan import Piece, Pieces, Reader, Stretch, in_order
from tandem.scan.cuts import stretches_of

LARGE = tuple(
    GridPoint(10.0 ** (-4 + 5 * i / 19), ratio)
    for i in range(20)
    for ratio in (0.0, 0.25, 0.5, 0.75, 1.0)
)


def decode(task: Task) -> None:
    """R: every column of the task from every row group, one thread each, and nothing else."""
    names = [column.name for column in task.dataset.columns]
    footers = {file.path: pq.read_metadata(file.path) for file in task.dataset.files}

    def read(stretch: Stretch) -> int:
        path, rows = stretch.file.path, 0
        file = pq.ParquetFile(
            path, metadata=footers[path], memory_map=True, read_dictionary=texts(task)
        )
        for index in range(stretch.first, stretch.first + len(stretch.sizes)):
            rows += file.read_row_group(index, names, use_threads=False).num_rows
        return rows

    with ThreadPoolExecutor(task.threads) as pool:
        _check(task, sum(pool.map(read, stretches(task, footers))))


def texts(task: Task) -> tuple[str, ...]:
    """The columns that are read as codes of a dictionary."""
    return tuple(c.name for c in task.dataset.features if c.kind is Kind.CATEGORICAL)


def stretches(task: Task, footers: Mapping[str, pq.FileMetaData]) -> list[Stretch]:
    """The neighbouring row groups that scan works on as one."""
    groups = {path: range(footer.num_row_groups) for path, footer in footers.items()}
    sizes = {p: [footers[p].row_group(at).num_rows for at in groups[p]] for p in footers}
    return [one for file in task.dataset.files for one in stretches_of(file, sizes[file.path])]


@dataclass(frozen=True)
class Decoding:
    """The work of a scan without any: every piece is decoded and thrown away."""

    reader: Reader
    task: Task

    def pieces(self, stretches: Sequence[Stretch], threads: int) -> Pieces:
        """What a scan reads."""
        return self.reader.pieces(stretches, self.task.dataset.columns, threads)

    def worker(self) -> Callable[[Piece], int]:
        """The rows of a piece."""
        return lambda piece: piece.rows

    def total(self, parts: Iterable[int]) -> int:
        """The rows of a stretch."""
        return sum(parts)


def pieces(task: Task) -> None:
    """B: the pieces that scan decodes, by its own reader and threads, and nothing else."""
    footers = {file.path: pq.read_metadata(file.path) for file in task.dataset.files}
    work = Decoding(Reader(task.dataset, texts(task)), task)
    _check(task, sum(in_order(work, stretches(task, footers), task.threads or 1)))


def _check(task: Task, rows: int) -> None:
    if rows != task.dataset.rows:
        sys.exit(f"{task.dataset.files[0].path}: not every row was decoded")


def scan(task: Task) -> Array:
    """The whole cross-validation and the refit; RMSE[fold, grid point]."""
    sums = execute(task, "scan", Stopwatch(), Display("scan")).sums
    found: Array = np.sqrt(sums.sse / np.array(sums.n_test)[:, None])
    return found


def rivals() -> dict[str, Callable[[Task], Array]]:
    """What others write, by name; imported for those turns alone, as scan needs none of it."""
    from rivals import PENALTIES, RIVALS

    def answer(work: Callable[[Path], Array], task: Task) -> Array:
        assert tuple(point.reg_param for point in task.grid) == PENALTIES
        return work(Path(task.dataset.files[0].path))

    return {name: partial(answer, work) for name, work in RIVALS.items()}


def timed(work: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """CPU and wall seconds of `work()`, and what it returns."""
    cpu, wall = time.process_time(), time.perf_counter()
    found = work()
    return {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}, found


def _resident_mb(name: str) -> float:
    """VmRSS: now; VmHWM: at most so far, where ru_maxrss would count the parent too."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024 / 1e6


def main() -> None:
    """Every program once untimed, where the answers of rivals are checked, then in turn."""
    names, counts, repeats, *overrides = sys.argv[1:]
    threads = [int(count) for count in counts.split(",")]
    chosen = compose("engine=scan", "cache.moments=false", *overrides).settings
    small = replace(
        task(chosen, open_dataset(chosen.dataset, chosen.folds, chosen.cleaning)),
        threads=threads[0],
    )
    create("scan", small, unseen).start()
    pa.set_cpu_count(threads[0])
    if names == "memory":
        before = _resident_mb("VmRSS")
        found, _ = timed(partial(scan, small))
        _tell("scan", threads[0], 1, {**found, "mb": _resident_mb("VmHWM") - before})
        return
    large = replace(small, grid=LARGE, folds=replace(small.folds, k=10))
    programs: dict[str, tuple[Callable[[Task], Any], Task]] = {
        "decode": (decode, small),
        "pieces": (pieces, small),
        "scan": (scan, small),
        "scan_large": (scan, large),
    }
    others = {} if {*names.split(",")} <= {*programs} else rivals()
    programs |= {name: (work, small) for name, work in others.items()}
    for turn in range(int(repeats) + 1):
        for count, name in product(threads, names.split(",")):
            work, what = programs[name]
            found, answer = timed(partial(work, replace(what, threads=count)))
            if turn or repeats == "0":
                _tell(name, count, turn, found)
            elif name in others:
                apart = np.abs(answer / scan(small) - 1).max()
                _tell(name, count, turn, {"difference": float(apart)})


def _tell(program: str, threads: int, turn: int, found: dict[str, float]) -> None:
    print(json.dumps({"program": program, "threads": threads, "turn": turn, **found}), flush=True)


if __name__ == "__main__":
    main()
