"""A real standalone cluster on this machine: a master and workers, each a JVM of its own."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from tandem.errors import MachineError
from tandem.machine import ended_with_us, stop_children
from tandem.spark.java import java_home

_READY_S = 60.0
_POLL_S = 0.1
_LOOPBACK = "127.0.0.1"
# No job is taken by HTTP, and an application that is gone leaves nothing on disk.
_OPTIONS = {
    "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",
    "SPARK_WORKER_OPTS": "-Dspark.worker.cleanup.enabled=true",
}


@dataclass
class Member:
    """The master or a worker: its process, the file it writes to, and how to start it again."""

    name: str
    words: tuple[str, ...]
    log: Path
    process: "subprocess.Popen[bytes]" = field(init=False)

    def start(self) -> None:
        """Start it, or start it again."""
        own = {"SPARK_LOCAL_IP": _LOOPBACK, **_OPTIONS}
        if home := java_home():
            own["JAVA_HOME"] = str(home)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - Spark's own
                [*ended_with_us(signal.SIGTERM), _home() / "bin" / "spark-class", *self.words],
                env=os.environ | own,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )


@dataclass(frozen=True)
class LocalCluster:
    """`address`: of the master; `page`: its web page, which lists workers and applications."""

    address: str
    page: str
    master: Member
    workers: tuple[Member, ...]

    def ready(self) -> bool:
        """Whether every worker has reported to the master, or reports again."""
        with suppress(OSError), urlopen(f"{self.page}/json/", timeout=5) as answer:  # noqa: S310
            alive: bytes = answer.read()
            return alive.count(b'"ALIVE"') > len(self.workers)
        return False

    def await_ready(self) -> None:
        """Wait until it is. Raises MachineError where that takes more than a minute."""
        begin = time.monotonic()
        while not self.ready():
            ended = [one for one in (self.master, *self.workers) if one.process.poll() is not None]
            if ended or time.monotonic() - begin > _READY_S:
                log = (ended or [self.master])[0].log
                said = log.read_text(encoding="utf-8", errors="replace").splitlines()[-1:]
                raise MachineError(f"cluster: it does not start: {said} -> see {log}")
            time.sleep(_POLL_S)


@contextmanager
def local_cluster(
    folder: Path, *, port: int = 7077, page: int = 8080, workers: int = 2, memory: str = "1g"
) -> Iterator[LocalCluster]:
    """A master and `workers` workers of one core and `memory`; on the loopback interface only.

    Logs and what executors keep go to `folder`. All are ended with the block. Raises MachineError
    where they do not start, as where a port is taken.
    """
    address = f"spark://{_LOOPBACK}:{port}"
    deploy, host = "org.apache.spark.deploy", ("--host", _LOOPBACK)
    ports = ("--port", str(port), "--webui-port", str(page))
    master = Member("master", (f"{deploy}.master.Master", *host, *ports), folder / "master.log")
    each = ("--cores", "1", "--memory", memory, "--webui-port", "0")
    others = [
        Member(
            name := f"worker-{number}",
            (f"{deploy}.worker.Worker", *host, *each, "--work-dir", str(folder / name), address),
            folder / f"{name}.log",
        )
        for number in range(1, workers + 1)
    ]
    found = LocalCluster(address, f"http://{_LOOPBACK}:{page}", master, tuple(others))
    started: list[Member] = []
    try:
        for member in (master, *others):
            member.start()
            started.append(member)
        found.await_ready()
        yield found
    finally:
        # Workers first: they end their executors.
        stop_children([member.process for member in reversed(started)], seconds=10)
        for member in started:
            member.process.wait()


def _home() -> Path:
    import pyspark  # noqa: PLC0415 - heavy

    return Path(pyspark.__file__).parent
