"""The constants of the model, each measured on this machine by what a run calls."""

import pickle
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tandem.cleaning import decide
from tandem.config import compose, task
from tandem.dataset import open_dataset, read_footer
from tandem.engines import create
from tandem.machine import digest_of
from tandem.moments import Moments, total
from tandem.records import Task
from tandem.scaling import fit
from tandem.scan import Reader, Stretch
from tandem.spark import end_session, results_in_order, ship_package, start_session

K = 3  # folds
MASTER, CORES = "local[2]", 2
_GROUPS = 10  # row groups of the file whose footer is read


@dataclass(frozen=True, slots=True)
class Constants:
    """Seconds of CPU time, bytes, on one core of this machine. p: columns of numbers.

    row_s: seconds of a row are row_s[0] + row_s[1] p + row_s[2] p^2. partial: bytes of a
    partial measured over those of its formula. level_bytes, level_s: of a level and fold of a
    category that is only counted, sent and added. group_s: of a row group without rows.
    footer_s: of a footer are footer_s[0] + footer_s[1] its columns times row groups; told_s: of
    what a task tells of it, by column and row group. add_s: a byte of a partial, unpickled and
    added. solve_s: of all fits are solve_s[0] + solve_s[1] p^2 + solve_s[2] p^3; solve_bytes:
    its peak over bytes of a partial. stretch_bytes: what the driver holds of a stretch.
    digest_s: of a byte. task_s: one more task that does nothing, on all cores; job_s: a job of
    a task for each core. start_s: a session.
    """

    row_s: tuple[float, ...]
    partial: float
    level_bytes: float
    level_s: float
    group_s: float
    footer_s: tuple[float, ...]
    told_s: float
    add_s: float
    solve_s: tuple[float, ...]
    solve_bytes: float
    stretch_bytes: float
    digest_s: float
    task_s: float
    job_s: float
    start_s: float


def formula(p: int) -> float:
    """8 k (p + 2)^2: bytes of the Grams of k folds."""
    return 8.0 * K * (p + 2) ** 2


def write(folder: Path, rows: int, p: int, groups: int = 1, levels: int = 0) -> None:
    """A file of `p` columns of numbers, a target, and a category where it has `levels`."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len([*folder.iterdir()]))
    columns = {f"x{j}": rng.normal(size=rows) for j in range(p)}
    table = {**columns, "y": sum(columns.values()) + rng.normal(size=rows)}
    if levels:
        table["c"] = [f"level-{number:08}" for number in rng.integers(0, levels, rows)]
    name = f"{len([*folder.iterdir()]):06}.parquet"
    pq.write_table(pa.table(table), folder / name, row_group_size=-(-rows // groups))


def task_of(folder: Path, *words: str) -> Task:
    """The task that tandem makes of the files of `folder`, without a cache."""
    own = ("dataset=files", f"dataset.path='{folder}'", "dataset.target=y", "cache.moments=false")
    chosen = compose(*own, "cleaning.encoding=index", f"folds.k={K}", *words).settings
    return task(chosen, open_dataset(chosen.dataset, chosen.folds, chosen.cleaning))


def timed(
    work: Callable[[], Any], repeats: int = 3, clock: Callable[[], float] = time.process_time
) -> float:
    """Median seconds."""
    taken = []
    for _ in range(repeats):
        begin = clock()
        work()
        taken.append(clock() - begin)
    return median(taken)


def driven(
    task: Task, name: str = "scan", clock: Callable[[], float] = time.process_time
) -> Iterator[tuple[str, float, Any]]:
    """Stage, seconds and engine, of every stage of a run."""
    engine = create(name, task, lambda *_: lambda _: None)
    data = task.dataset
    asked = partial(decide, data.target, data.features, weight=data.weight, cleaning=task.cleaning)
    stages = {
        "start": engine.start,
        "load": engine.load,
        "prepare": lambda: engine.prepare(asked),
        "train": engine.cross_validate,
        "refit": lambda: engine.refit(task.grid[0]),
    }
    try:
        for stage, work in stages.items():
            begin = clock()
            work()
            yield stage, clock() - begin, engine
    finally:
        engine.close()


def constants(*, small: bool) -> Constants:
    """All of them; `small`: of tables so small that only the way is shown."""
    cells, sizes = (4e4, (5, 10, 20)) if small else (2e7, (10, 30, 100, 300, 1000))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows, sums, solving, peaks, times = [], [], [], [], []
        for p in sizes:
            count = max(int(cells / p), 4 * p)
            write(folder / str(p), count, p)
            row, moments, solve, peak = _of_size(folder / str(p), count, p)
            rows.append(row)
            times.append(solve)
            sums.append(len(pickle.dumps(moments)) / formula(p))
            solving.append((1.0, float(p) ** 2, float(p) ** 3))
            peaks += [peak / formula(p)] if peak else []
        largest = moments
        write(folder / "levels", 20_000, 2, levels=5_000)
        write(folder / "groups", 2_000, 5, groups=1_000)
        footers, levels = _footers(folder, sizes[:4]), _levels(folder / "levels")
        return Constants(
            row_s=_terms([(1.0, float(p), float(p) ** 2) for p in sizes], rows),
            partial=median(sums),
            level_bytes=levels[0],
            level_s=levels[1],
            group_s=_prepared(folder / "groups")[0] / 1_000,
            footer_s=footers[0],
            told_s=footers[1],
            add_s=_add_s(largest),
            solve_s=_terms(solving, times),
            solve_bytes=peaks[-1],
            stretch_bytes=_stretch_bytes(folder / "groups"),
            digest_s=_digest_s(folder / str(sizes[-1])),
            **_spark(folder / "groups", 10 if small else 1000),
        )


def _terms(terms: Sequence[tuple[float, ...]], seconds: Sequence[float]) -> tuple[float, ...]:
    return tuple(fit(terms, seconds).coefficients.tolist())


def _prepared(folder: Path, *words: str) -> tuple[float, Any]:
    """Seconds of the scan by one thread, and the engine; what it holds stays to be had."""
    for stage, taken, engine in driven(task_of(folder, "engine.threads=1", *words)):
        if stage == "prepare":
            return taken, engine._scanned.moments  # noqa: SLF001 - what a task sends
    raise AssertionError


def _of_size(folder: Path, rows: int, p: int) -> tuple[float, Moments, float, float]:
    """Seconds of a row, the moments, seconds of all fits, and their peak in bytes."""
    row, solve, peak, sums = 0.0, 0.0, 0.0, None
    for stage, taken, engine in driven(task_of(folder, "engine.threads=1")):
        if stage == "prepare":
            row, sums = taken / rows, engine._scanned.moments  # noqa: SLF001
            if p <= 300:
                tracemalloc.start()
        if stage in {"train", "refit"}:
            solve += taken
    if tracemalloc.is_tracing():
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert sums is not None
    return row, sums, solve, peak


def _levels(folder: Path) -> tuple[float, float]:
    """Bytes and seconds of a level and fold that is counted, sent and added."""
    _, sums = _prepared(folder)
    category = sums.categories[0]
    counted = replace(category, sums=category.sums[:, :1].copy())
    part, keys = pickle.dumps(replace(sums, categories=(counted,))), len(category.keys)
    taken = timed(lambda: total(map(pickle.loads, [part] * 16)))
    return len(pickle.dumps(counted)) / keys, taken / keys / 16


def _footers(folder: Path, sizes: Sequence[int]) -> tuple[tuple[float, ...], float]:
    terms, taken, told = [], [], []
    for p in sizes:
        here = folder / f"footer-{p}"
        write(here, 100, p, groups=_GROUPS)
        path = next(here.iterdir())
        chunks = float(_GROUPS * (p + 1))
        terms.append((1.0, chunks))
        taken.append(timed(lambda path=path: read_footer(path), 9))
        dataset = task_of(here).dataset
        told.append(timed(lambda d=dataset: [*Reader(d).told(d.files)], 9) / chunks)
    return _terms(terms, taken), median(told)


def _add_s(moments: Moments) -> float:
    parts = [pickle.dumps(moments, pickle.HIGHEST_PROTOCOL)] * 16
    added = timed(lambda: total(map(pickle.loads, parts)))
    return added / sum(map(len, parts))


def _stretch_bytes(folder: Path) -> float:
    file = task_of(folder).dataset.files[0]
    tracemalloc.start()
    numbers = range(1000, 6000)
    kept = [Stretch(file, number, (number, number + 1), number + 2) for number in numbers]
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return taken / len(kept)


def _digest_s(folder: Path) -> float:
    path = next(folder.iterdir())
    return timed(lambda: digest_of(path)) / path.stat().st_size


def _spark(folder: Path, count: int) -> dict[str, float]:
    """Seconds of an empty task, when the workers run, and of a session."""
    settings = task_of(folder, f"spark.master='{MASTER}'").spark
    begin = time.perf_counter()
    session = start_session(settings, "tandem scale")
    started = time.perf_counter() - begin
    try:
        ship_package(session)

        def run(tasks: int) -> float:
            work = partial(results_in_order, session, iter, range(tasks), lambda _: None)
            return timed(lambda: [*work()], 3, time.perf_counter)

        run(CORES)
        job = run(CORES)
        return {"task_s": max(run(count) - job, 0.0) / count, "job_s": job, "start_s": started}
    finally:
        end_session(session)
