"""Members of a cluster are killed or stopped in a run on it: the same bits, or a clear end?"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from store import free_port

from tandem.spark import LocalCluster, local_cluster
from tandem.tracking import artifacts_in, read_record

ROWS, SHOTS = "dataset.rows=6e6", 3
LATEST = 300.0  # seconds; what stops is given up after 60, and may be several, in turn
TARGETS = ("executor", "worker", "Python worker", "master")
SIGNALS = (signal.SIGKILL, signal.SIGSTOP)


@dataclass(frozen=True)
class Kills:
    """One run, who was shot in it, and what was wrong; nothing: good. `lost`: executors."""

    shots: tuple[tuple[str, str], ...]
    exit: int
    took: float
    lost: int
    faults: tuple[str, ...]


def kills(rounds: int, seed: int) -> Iterator[Kills]:
    """As many runs of distributed_scan on a standalone cluster, each with up to SHOTS shots."""
    draw = random.Random(seed)  # noqa: S311 - moments
    with TemporaryDirectory() as name:
        folder = Path(name)
        calm = folder / "calm"
        status, said = _ended(_tandem(folder, calm, "engine=scan"))
        assert status == 0, said
        with local_cluster(folder, port=free_port(), page=free_port()) as cluster:
            words = _on(cluster)
            run = _tandem(folder, folder / "first", *words)
            usual = _life(cluster, run)
            status, said = _ended(run)
            assert status == 0, said
            for number in range(rounds):
                _mend(cluster)
                record = folder / f"round-{number}"
                run, begin = _tandem(folder, record, *words), time.monotonic()
                shots = _shoot(cluster, run, draw, usual)
                yield _outcome(run, shots, begin, (calm, record))


def _on(cluster: LocalCluster) -> tuple[str, ...]:
    own = f"spark.master='{cluster.address}'", "spark.driver_memory=1g"
    return "engine=distributed_scan", "spark=standalone", *own


def _tandem(folder: Path, record: Path, *words: str) -> "subprocess.Popen[str]":
    tracked = f"tracking.uri='sqlite:///{folder}/mlflow.db'", f"tracking.record_dir='{record}'"
    return subprocess.Popen(
        [sys.executable, "-m", "tandem", ROWS, "cache.moments=false", *words, *tracked],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def _ended(run: "subprocess.Popen[str]") -> tuple[int, str]:
    said, _ = run.communicate()
    return run.returncode, said


def _shoot(
    cluster: LocalCluster, run: "subprocess.Popen[str]", draw: random.Random, usual: float
) -> list[tuple[str, str]]:
    """Who was shot, and how: at random moments in the `usual` life of executors."""
    _until(cluster, run, there=True)
    shots, start = [], time.monotonic()
    for moment in sorted(draw.uniform(0, usual) for _ in range(SHOTS)):
        time.sleep(max(0.0, start + moment - time.monotonic()))
        target, how = draw.choice(TARGETS), draw.choice(SIGNALS)
        found = _targets(cluster, target)
        if found and _targets(cluster, "executor"):  # else nothing of the run is there
            with suppress(ProcessLookupError):
                os.kill(draw.choice(found).pid, how)
                shots.append((target, how.name))
    return shots


def _life(cluster: LocalCluster, run: "subprocess.Popen[str]") -> float:
    """Seconds from the first executor to the last one."""
    _until(cluster, run, there=True)
    begin = time.monotonic()
    _until(cluster, run, there=False)
    return time.monotonic() - begin


def _until(cluster: LocalCluster, run: "subprocess.Popen[str]", *, there: bool) -> None:
    while run.poll() is None and bool(_targets(cluster, "executor")) != there:
        time.sleep(0.05)


def _outcome(
    run: "subprocess.Popen[str]",
    shots: list[tuple[str, str]],
    begin: float,
    records: tuple[Path, Path],
) -> Kills:
    """What came of it; `records`: of the calm run, and of this one."""
    calm, record = records
    try:
        said, _ = run.communicate(timeout=LATEST)
    except subprocess.TimeoutExpired:
        run.kill()
        said, _ = run.communicate()
    took, faults, lost = time.monotonic() - begin, [], 0
    if run.returncode == 0:
        own, same = _tables(record), _tables(calm)
        faults = [f"{name} differs" for name in same if own[name] != same[name]]
        lost = int(read_record(record).values()["spark/executors_lost"])
    elif run.returncode != 4 or "tandem: spark.master: " not in said:
        faults = [f"status {run.returncode}: {said[-1500:]}"]
    return Kills(tuple(shots), run.returncode, took, lost, tuple(faults))


def _tables(record: Path) -> dict[str, bytes]:
    """Errors of folds, coefficients and the like, to the last digit."""
    return {path.name: path.read_bytes() for path in artifacts_in(record).glob("cv/*.csv")}


def _targets(cluster: LocalCluster, kind: str) -> list[psutil.Process]:
    """The processes of the cluster that are of this kind."""
    if kind == "master":
        return [psutil.Process(cluster.master.process.pid)]
    workers = [psutil.Process(one.process.pid) for one in cluster.workers]
    if kind == "worker":
        return workers
    name = "CoarseGrainedExecutorBackend" if kind == "executor" else "pyspark.daemon"
    found = []
    for one in [child for worker in workers for child in worker.children(recursive=True)]:
        with suppress(psutil.Error):  # they come and go
            found += [one] if name in " ".join(one.cmdline()) else []
    return found


def _mend(cluster: LocalCluster) -> None:
    """All that was shot is started anew, and the executors of the run before are gone."""
    for one in (cluster.master, *cluster.workers):
        with suppress(psutil.NoSuchProcess):
            shot = psutil.Process(one.process.pid)
            family = [shot, *shot.children(recursive=True)]
            stopped = [p for p in family if p.status() == psutil.STATUS_STOPPED]
            for process in family if shot in stopped else stopped:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        if one.process.poll() is not None or shot in stopped:
            one.process.wait()
            one.start()
    cluster.await_ready()
    deadline = time.monotonic() + 30
    while _targets(cluster, "executor") and time.monotonic() < deadline:
        time.sleep(0.1)
