"""The command line as a user types it, and what the store of the working directory then holds."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import mlflow
import psutil

FEW = ("model.reg_param=[0.1]", "folds.k=2")
SMALL = ("dataset.rows=3000", *FEW)


def tandem(
    *arguments: str, before: Sequence[str] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in the working directory, with the words `before` it."""
    return subprocess.run(
        [*before, sys.executable, "-m", "tandem", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **environment},
    )


def runs(kind: str) -> list[mlflow.entities.Run]:
    """The runs of `kind` in the store of the working directory."""
    client = mlflow.MlflowClient(f"sqlite:///{Path.cwd() / 'mlflow.db'}")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, f"tags.kind = '{kind}'"))


def until(
    true: Callable[[], bool], seconds: float = 120, left: Callable[[], object] = lambda: ""
) -> None:
    """Wait until it is true; `left` says what is not yet."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, left()
        time.sleep(0.1)


def free_port() -> int:
    """One of loopback that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def has_child(pid: int, name: str) -> bool:
    """Whether a child of the process has `name` in its command line."""
    for child in psutil.Process(pid).children():
        with suppress(psutil.Error):  # it may end while it is looked at
            if name in " ".join(child.cmdline()):
                return True
    return False


def lives(process: psutil.Process) -> bool:
    """Whether a process runs; an orphan may stay a zombie where nobody collects it."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
