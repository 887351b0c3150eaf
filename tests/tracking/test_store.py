"""A SQLite store that several processes make at once, or one is killed while it makes it."""

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from shutil import which
from threading import Thread

import mlflow
import psutil
import pytest

from tandem.errors import AwayError
from tandem.tracking.store import answering, open_store
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


def _silent(connection: socket.socket) -> None:
    with connection:
        while connection.recv(4096):  # until the other end has had enough
            pass


def _untrusted(connection: socket.socket) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*own_certificate())
    with suppress(ssl.SSLError), context.wrap_socket(connection, server_side=True):
        pass


def own_certificate() -> tuple[str, str]:
    """Signed by nobody else; and its key."""
    words = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out own.pem -days 2 -subj /CN=a"
    subprocess.run(["openssl", *words.split()], check=True, capture_output=True)
    return "own.pem", "key.pem"


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """host:port of a server that does with each connection what the parameter says."""
    work: Callable[[socket.socket], None] = request.param
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    work(listening.accept()[0])

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("scheme", "server", "said"),
    [
        ("http", _silent, "timed out (MLFLOW_HTTP_REQUEST_TIMEOUT=60 waits for longer)"),
        pytest.param(
            "https",
            _untrusted,
            "self-signed certificate (MLFLOW_TRACKING_SERVER_CERT_PATH names",
            marks=pytest.mark.skipif(which("openssl") is None, reason="openssl makes it"),
        ),
    ],
    indirect=["server"],
)
def test_why_there_is_no_connection_is_said_alone(
    scheme: str, server: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the requests, pools and objects through which MLflow tells of it."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    address = f"{scheme}://{server}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(AwayError) as found, answering():
        mlflow.set_experiment("e")
    assert str(found.value).startswith(f"tracking.uri: {address}: {said}")
