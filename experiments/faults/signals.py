"""Signals at any moment: does the command end in time, and what is left of it?"""

import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import mlflow
import psutil
from outages import TASK, Place, place
from store import runs_of

ROOT = Path(__file__).parents[2]
SPARK = ("spark.master=local[1]", "spark.driver_memory=1g")
WORK = {
    "scan": ("run", *TASK, "engine=scan"),
    "long fits": ("run", "dataset.rows=50000", "model.max_iter=100000", "model.tol=1e-12"),
    "Spark": ("run", *TASK, "engine=distributed", *SPARK),
    "compare": ("compare", *TASK, "compare.engines=[distributed,sequential]"),
    "sweep": ("sweep", *TASK, "engine=scan", "folds.seed=1,2,3", "sweep.jobs=2"),
}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
TO = ("tandem", "mlflow run's group", "mlflow alone")
SECONDS, LATEST = 5.0, 25.0
LARGE = 1_000_000  # bytes


@dataclass(frozen=True)
class Shot:
    """One signal, and what was wrong after it; nothing: good. `away`: the store was."""

    work: str
    signal: str
    to: str
    away: bool
    after: float
    took: float
    faults: tuple[str, ...]


def signals(rounds: int, seed: int, *, spark: bool = True) -> Iterator[Shot]:
    """As many signals at random moments of random commands."""
    # A shell that starts this in the background has it ignore these, and all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    draw = random.Random(seed)  # noqa: S311 - moments
    work = [name for name in WORK if spark or name not in {"Spark", "compare"}]
    with place() as here:
        here.tandem(*WORK["scan"], "tracking.experiment=warm-up")
        for number in range(rounds):
            shot = draw.choice(work), draw.choice(SIGNALS), draw.choice(TO), draw.random() < 0.3
            after = draw.uniform(0.3, draw.choice((3, 10, LATEST)))
            yield _shoot(here, f"shot-{number}", shot, after)


def _shoot(
    here: Place, experiment: str, shot: tuple[str, signal.Signals, str, bool], after: float
) -> Shot:
    work, signum, to, away = shot
    before = _temporary(here)
    with (here.folder / "said").open("w") as said, subprocess.Popen(
        _command(WORK[work], to, experiment, here.folder), cwd=here.folder, env=_environment(here),
        stdout=said, stderr=said, process_group=0,
    ) as process:  # fmt: skip
        if to != TO[0]:  # before the program knows of MLflow's run, that is MLflow's own affair
            _until(lambda: bool(here.waiting()), time.monotonic(), 60)
        here.proxy.misbehave("hangs" if away else "", 0, None)
        with suppress(subprocess.TimeoutExpired):
            process.wait(after)
        ended = process.poll() is not None
        family = _family(process)
        begin, status = time.monotonic(), 0
        if not ended:
            (os.killpg if to == TO[1] else os.kill)(process.pid, signum)
        if to == TO[0]:
            status = process.wait(60)
            took = time.monotonic() - begin
        else:
            took = _until(lambda: not _alive(family, "-m tandem"), begin, 60)
            process.kill()  # MLflow asks a store that is away for minutes
    faults = []
    if not ended:
        faults = [*_status(status, signum)] if to == TO[0] else []
        faults += [f"{took:.1f} s"] if took > SECONDS else []
    _until(lambda: not _alive(family), begin, 20)
    faults += [f"lives: {one}" for one in _alive(family)]
    here.proxy.heal()
    here.tandem("send")  # the next command
    faults += [*_left(here, experiment, before)]
    return Shot(work, signum.name, to, away, after, took, tuple(faults))


def _family(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children(recursive=True)
    return []


def _command(words: tuple[str, ...], to: str, experiment: str, here: Path) -> list[str]:
    if to == TO[0]:
        return [sys.executable, "-m", "tandem", *words, f"tracking.experiment={experiment}"]
    entry, given = {"run": "main"}.get(words[0], words[0]), [*words[1:]]
    if words[1] == "table.csv":  # no project runs in the folder of its caller
        given = ["dataset=files", f"dataset.path={here}/table.csv", "dataset.target=y", *words[4:]]
    task = shlex.join(given)
    options = ["-e", entry, "--env-manager", "local", "--experiment-name", experiment]
    return [sys.executable, "-m", "mlflow", "run", str(ROOT), *options, "-P", f"overrides={task}"]


def _environment(here: Place) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return here.environment | {"MLFLOW_TRACKING_URI": here.uri, "PATH": path}


def _status(status: int, signum: signal.Signals) -> Iterator[str]:
    wanted = -signum if signum == signal.SIGKILL else 128 + signum
    # Before the program has said what is to happen on a signal, the system decides.
    if status not in {wanted, -signum}:
        yield f"status {status}, not {wanted}"


def _alive(family: list[psutil.Process], name: str = "") -> list[psutil.Process]:
    found = []
    for one in family:
        with suppress(psutil.Error):  # it may end while it is looked at
            words = " ".join(one.cmdline())
            helps = bool(name) and "machine.helper" in words  # it tells the store after the others
            if one.status() != psutil.STATUS_ZOMBIE and name in words and not helps:
                found.append(one)
    return found


def _until(true: Callable[[], bool], begin: float, seconds: float) -> float:
    """Seconds from `begin` until it is true."""
    while not true() and time.monotonic() - begin < seconds:
        time.sleep(0.05)
    return time.monotonic() - begin


def _left(here: Place, experiment: str, before: set[str]) -> Iterator[str]:
    """What the signal and the next command after it have left."""
    mlflow.set_tracking_uri(here.direct)
    for run in runs_of(here.direct, experiment):
        if run.info.status == "RUNNING":
            yield f"RUNNING: {run.info.run_name}"
        unsaid = "failure.class" not in run.data.tags and "record.key" in run.data.tags
        if run.info.status == "FAILED" and unsaid:
            yield f"FAILED for no reason: {run.info.run_name}"
    if here.waiting():
        yield f"in the outbox: {here.waiting()}"
    yield from (f"left: {path}" for path in sorted(_temporary(here) - before))


def _temporary(here: Place) -> set[str]:
    """Large files in the places for temporary ones, but for a cache's own; and work folders."""
    cache = here.folder / "cache"
    found = {str(path) for path in (cache / "scratch").glob("*") if any(path.rglob("*"))}
    for path in [*here.temporary.iterdir(), *cache.glob(".*")]:
        with suppress(OSError):
            files = path.rglob("*") if path.is_dir() else [path]
            size = sum(file.stat().st_size for file in files if file.is_file())
            found |= {str(path)} if size > LARGE else set()
    return found
