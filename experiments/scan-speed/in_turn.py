"""One process: programs on the same table, turn by turn. Prints a JSON line for every turn.

python in_turn.py PROGRAMS THREADS REPEATS override ...      decode,scan,scan_large 1,2 11
python in_turn.py memory THREADS 1 override ...              peak above the imports, one scan
"""

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tandem.commands.run import execute
from tandem.config import compose, task
from tandem.dataset.opening import open_dataset
from tandem.engines.creation import create
from tandem.machine.timing import Stopwatch
from tandem.model_keys import GridPoint
from tandem.progress import Display
from tandem.records import Kind, Task, unseen
from tandem.scan.pieces import Stretch
from tandem.scan.row_groups import Reader

LARGE = tuple(
    GridPoint(10.0 ** (-4 + 5 * i / 19), ratio)
    for i in range(20)
    for ratio in (0.0, 0.25, 0.5, 0.75, 1.0)
)


def decode(task: Task) -> None:
    """Every column of the task from every row group, one thread each, and nothing else."""
    footers = {file.path: pq.read_metadata(file.path) for file in task.dataset.files}
    names = [column.name for column in task.dataset.columns]
    text = [c.name for c in task.dataset.features if c.kind is Kind.CATEGORICAL]

    def read(stretch: Stretch) -> int:
        path, rows = stretch.file.path, 0
        for index in range(stretch.first, stretch.first + len(stretch.sizes)):
            file = pq.ParquetFile(path, metadata=footers[path], read_dictionary=text)
            rows += file.read_row_group(index, names, use_threads=False).num_rows
        return rows

    with ThreadPoolExecutor(task.threads) as pool:
        found = sum(pool.map(read, Reader(task.dataset).footers().stretches))
    if found != task.dataset.rows:
        sys.exit(f"{task.dataset.files[0].path}: not every row was decoded")


def scan(task: Task) -> None:
    """The whole cross-validation and the refit."""
    execute(task, "scan", Stopwatch(), Display("scan"))


def timed(work: Callable[[], object]) -> dict[str, float]:
    """CPU and wall seconds of `work()`."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}


def _resident_mb(name: str) -> float:
    """VmRSS: now; VmHWM: at most so far, where ru_maxrss would count the parent too."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024 / 1e6


def main() -> None:
    """Every program once untimed, then in turn."""
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
        found = timed(partial(scan, small))
        _tell("scan", threads[0], 1, {**found, "mb": _resident_mb("VmHWM") - before})
        return
    large = replace(small, grid=LARGE, folds=replace(small.folds, k=10))
    programs = {
        "decode": (decode, small),
        "scan": (scan, small),
        "scan_large": (scan, large),
    }
    for turn in range(int(repeats) + 1):
        for count, name in product(threads, names.split(",")):
            work, what = programs[name]
            found = timed(partial(work, replace(what, threads=count)))
            if turn:
                _tell(name, count, turn, found)


def _tell(program: str, threads: int, turn: int, found: dict[str, float]) -> None:
    print(json.dumps({"program": program, "threads": threads, "turn": turn, **found}), flush=True)


if __name__ == "__main__":
    main()
