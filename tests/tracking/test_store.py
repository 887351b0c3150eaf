"""A SQLite store that several processes make at once, or one is killed while it makes it."""

import subprocess
import sys
import time
from pathlib import Path

import mlflow
import psutil
import pytest

from tandem.errors import AwayError
from tandem.tracking.store import open_store
from tests.shell import runs

OPEN = (
    "from tandem.settings import Tracking; from tandem.tracking import tracked\n"
    "with tracked(Tracking(None, 'e'), 'n', {'kind': 'opened'}): pass\n"
)

pytestmark = pytest.mark.slow


def opening() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", OPEN])


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_eight_processes_open_a_fresh_store_at_once(fresh: Path) -> None:
    processes = [opening() for _ in range(8)]
    assert [process.wait(timeout=300) for process in processes] == [0] * 8
    assert [run.info.status for run in runs("opened")] == ["FINISHED"] * 8
    client = mlflow.MlflowClient(f"sqlite:///{fresh / 'mlflow.db'}")
    assert sorted(e.name for e in client.search_experiments()) == ["Default", "e"]


def test_a_helper_killed_while_it_makes_the_store_leaves_none(fresh: Path) -> None:
    process = opening()
    half = fresh / ".mlflow.db.new"
    deadline = time.monotonic() + 120
    while not (half.exists() and half.stat().st_size):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)
    (helper,) = psutil.Process(process.pid).children()
    helper.kill()
    assert process.wait() == 1  # a TrackingError that nobody takes; the outbox has the run
    assert not (fresh / "mlflow.db").exists()
    assert opening().wait(timeout=300) == 0
    assert [run.info.status for run in runs("opened")] == ["FINISHED"] * 2  # the first is sent, too


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("sqlite:///{}", "unable to open database file -> check it"),
        ("postgresql://u:pw@127.0.0.1:9/d", r"\*\*\*@127.0.0.1:9/d: .* refused"),
        ("mysql+pymysql://u:pw@127.0.0.1:9/d", "No module named 'pymysql'"),
    ],
)
def test_a_database_that_cannot_be_opened_is_asked_once(
    uri: str, said: str, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow itself asks for 100 s."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(fresh))
    begin = time.monotonic()
    with pytest.raises(AwayError, match=said):
        open_store("e")
    assert time.monotonic() - begin < 30
