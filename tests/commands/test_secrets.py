"""Passwords and other secrets: in nothing that is printed, recorded or listed of processes."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import psutil
import pytest

from tests.shell import free_port
from tests.tasks import synthetic

LOGIN, KEY, NAME, PLACE = (f"canary{what}" for what in ("Login", "Key", "Name", "Place"))
SECRET = f"+spark.conf={{spark.hadoop.fs.s3a.secret.key: {KEY}, spark.ui.enabled: false}}"
# What the environment gives is a secret, whatever it is for.
TASK = (
    *("dataset=files", "dataset.name=${oc.env:A_NAME}", "dataset.path=${oc.env:A_PLACE}"),
    *("dataset.target=y", "engine=scan", "folds.k=2", "model.reg_param=[0.1]"),
)


@dataclass(frozen=True)
class Server:
    """An MLflow server, what all of its data is below, and the address with a password in it."""

    folder: Path
    address: str
    uri: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, migrated_store: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "mlflow.db").write_bytes(migrated_store.read_bytes())
    place = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", place[10:]]
    with (folder / "log").open("w") as log, subprocess.Popen(
        command, cwd=folder, stdout=log, stderr=log, process_group=0
    ) as process:  # fmt: skip
        try:
            deadline = time.monotonic() + 120
            while not _answers(f"http://{place}/health"):
                assert time.monotonic() < deadline, (folder / "log").read_text("utf-8")
                assert process.poll() is None, (folder / "log").read_text("utf-8")
                time.sleep(0.3)
            yield Server(folder, f"http://{place}", f"http://reader:{LOGIN}@{place}")
        finally:
            for each in (*psutil.Process(process.pid).children(recursive=True), process):
                each.kill()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - our own server
            return bool(answer.status == 200)
    except OSError:
        return False


def watched(place: Path, *arguments: str, expected: int = 0) -> tuple[str, list[str]]:
    """What the command printed, and the command lines seen of all that it started."""
    table = place / PLACE
    if not table.exists():
        synthetic(table, rows=300, seed=1)
    environment = {**os.environ, "A_NAME": NAME, "A_PLACE": str(table)}
    environment["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"  # it would ask for minutes
    seen: set[str] = set()
    with (place / "printed").open("w+b") as printed:
        command = [sys.executable, "-m", "tandem", *arguments]
        with subprocess.Popen(command, env=environment, stdout=printed, stderr=printed) as process:
            while process.poll() is None:
                for child in psutil.Process(process.pid).children(recursive=True):
                    try:
                        seen.add(" ".join(child.cmdline()))
                    except psutil.Error:  # it has ended
                        continue
                time.sleep(0.2)
        printed.seek(0)
        text = printed.read().decode()
    assert process.returncode == expected, text
    # Between fork and exec a child still has the command line that was typed.
    return text, [line for line in seen if line != " ".join(command)]


def with_canaries(*folders: Path) -> list[str]:
    """The files below `folders` that hold or are called what nobody may see."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert files
    words = [canary.encode() for canary in (LOGIN, KEY, NAME, PLACE)]
    return [str(path) for path in files if any(word in path.read_bytes() for word in words)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (("run", "engine=distributed_scan"), "run"),
        (("compare", "compare.engines=[scan,sequential]"), "comparison"),
        (("sweep", "folds.seed=1,2"), "sweep"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_secret_is_printed_recorded_or_listed(
    command: tuple[str, ...], kind: str, server: Server, place: Path
) -> None:
    where = (f"tracking.uri={server.uri}", f"tracking.experiment={kind}")
    own = ("tracking.record_dir=record",) if kind == "run" else ()
    printed, processes = watched(place, command[0], *TASK, SECRET, *where, *own, *command[1:])
    assert not [word for word in (LOGIN, KEY, NAME, PLACE) if word in printed], printed
    assert f"{server.address}/#/experiments/" in printed
    assert kind == "run" or [line for line in processes if "-m tandem" in line]
    assert not [line for line in processes if "canary" in line]
    (place / "printed").unlink()
    assert with_canaries(server.folder, *(path for path in place.iterdir() if path.is_dir()
                                          and path.name != PLACE)) == []  # fmt: skip
    client = mlflow.MlflowClient(server.uri)
    experiment = client.get_experiment_by_name(kind)
    assert experiment
    (child, *_) = client.search_runs([experiment.experiment_id], "tags.kind = 'run'")
    hidden = "*********(redacted)"
    assert child.data.params["spark.conf.spark.hadoop.fs.s3a.secret.key"] == hidden
    assert child.data.params["spark.conf.spark.ui.enabled"] == "false"
    assert child.data.params["dataset.path"] == child.data.params["dataset.name"] == hidden
    assert child.data.params["dataset.target"] == "y"


@pytest.mark.slow
def test_no_secret_is_in_what_a_fault_says(server: Server, place: Path) -> None:
    where = (f"tracking.uri={server.uri}", "tracking.experiment=faults")
    printed, _ = watched(place, *TASK[:3], "dataset.target=z", *where, "debug=true", expected=3)
    assert "dataset.target: " in printed
    assert "Traceback" in printed
    closed = f"tracking.uri=http://reader:{LOGIN}@127.0.0.1:9"
    unreachable, _ = watched(place, *TASK, closed, "debug=true", expected=5)
    assert "http://***@127.0.0.1:9" in unreachable
    for text in (printed, unreachable):
        assert not [word for word in (LOGIN, KEY, NAME, PLACE) if word in text], text
    assert with_canaries(server.folder) == []
