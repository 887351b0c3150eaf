"""The server that a team shares, as a user starts it, and what is seen of it from outside."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import mlflow
import psutil
import pytest

from tandem.server import ADMIN
from tests.shell import free_port, lives, until

needs_postgres = pytest.mark.skipif(
    not (shutil.which("initdb") or [*Path("/usr/lib/postgresql").glob("*/bin/initdb")]),
    reason="no PostgreSQL -> apt-get install postgresql",
)


@contextmanager
def open_folder() -> Iterator[Path]:
    """One that PostgreSQL's own user may pass through; pytest's are closed to it."""
    place = Path(mkdtemp(prefix="tandem-server-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


class Served:
    """`tandem server` with its data in `folder`, on a port that was free."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.words = (f"server.folder={folder}", f"server.port={self.port}", "server.workers=2")
        self.said = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Until it has said all that it says."""
        command = ["nohup", sys.executable, "-m", "tandem", "server", *self.words]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0
        )
        assert self._process.stdout
        self.said = ""
        while "to end it" not in self.said:
            line = self._process.stdout.readline()
            assert line, self.said
            self.said += line

    def family(self) -> list[psutil.Process]:
        """All processes of it."""
        assert self._process
        parent = psutil.Process(self._process.pid)
        return [parent, *parent.children(recursive=True)]

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Its exit status, and the seconds until no process of it was left."""
        assert self._process
        family, begin = self.family(), time.monotonic()
        self._process.send_signal(signum)
        status = self._process.wait(60)
        until(lambda: not any(map(lives, family)), 60)
        assert self._process.stdout
        self._process.stdout.close()
        return status, time.monotonic() - begin

    def close(self) -> None:
        """End it, if it runs."""
        if self._process and self._process.poll() is None:
            self.stop()

    @property
    def password(self) -> str:
        """Of the first user."""
        return (self.folder / "admin-password").read_text()

    def login(self, name: str = ADMIN, password: str = "") -> dict[str, str]:
        """What a client is told by its environment."""
        return {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": name,
            "MLFLOW_TRACKING_PASSWORD": password or self.password,
        }

    def runs(self, experiment: str = "tandem") -> list[mlflow.entities.Run]:
        """All of an experiment, the first to begin first; asked for as the environment says."""
        client = mlflow.MlflowClient(self.address)
        found = client.get_experiment_by_name(experiment)
        assert found, os.environ.get("MLFLOW_TRACKING_USERNAME")
        return list(client.search_runs([found.experiment_id], order_by=["start_time ASC"]))
