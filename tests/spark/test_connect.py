"""A real server of Spark Connect on loopback: scan's bits through it, and what it cannot do."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from socket import socket

import pytest

from tests.shell import SMALL, free_port, has_child, runs, tandem, until
from tests.spark.classes import spark_class

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("place")]
SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"


class Server:
    """The server, its address, and its process."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.address = f"sc://127.0.0.1:{self.port}"
        own = {"address": "127.0.0.1", "port": self.port}
        keys = {f"spark.connect.grpc.binding.{key}": value for key, value in own.items()}
        keys |= {"spark.master": "local[2]", "spark.ui.enabled": "false"}
        words = [word for key, value in keys.items() for word in ("--conf", f"{key}={value}")]
        every = "org.apache.spark.deploy.SparkSubmit", "--class", SERVER, *words, "spark-internal"
        more = {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
        self.process = spark_class(*every, folder=folder, **more)
        until(self.answers)

    def answers(self) -> bool:
        with socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = Server(tmp_path_factory.mktemp("connect"))
    yield found
    found.end()


def on(server: Server) -> tuple[str, str]:
    return "spark=connect", f"spark.master='{server.address}'"


def test_the_bits_are_those_of_scan(server: Server) -> None:
    """No Java is looked for on this side."""
    words = ("engine=distributed_scan", *SMALL, "spark.partitions=2", *on(server))
    done = tandem(*words, JAVA_HOME="/nowhere")
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert tandem("engine=scan", *SMALL).returncode == 0
    scan, remote = sorted(
        (run.data for run in runs("run")), key=lambda r: "spark/jobs" in r.metrics
    )
    assert scan.metrics["cv/rmse_mean"] == remote.metrics["cv/rmse_mean"]
    assert remote.params["spark.master"] == server.address
    assert remote.metrics["spark/tasks"] > 0


def test_distributed_is_refused_with_the_reason(server: Server) -> None:
    done = tandem("engine=distributed", *SMALL, *on(server))
    assert done.returncode == 2
    assert "Spark's own JVM, which Connect does not show -> choose another engine" in done.stderr


NOTEBOOK = """
import sys
import tandem
from pyspark.sql.connect.session import SparkSession
from tandem.errors import TandemError
from tests.tasks import houses

own = SparkSession.builder.remote(sys.argv[1]).getOrCreate()
keys = {"model": {"reg_param": [0.1]}, "folds": {"k": 3}, "track": False}
there = tandem.run(houses(), "price", engine="distributed_scan", **keys)
assert there.rmse == tandem.run(houses(), "price", **keys).rmse
assert own.range(10).count() == 10  # it is not ended
try:
    tandem.run(houses(), "price", engine="distributed", **keys)
except TandemError as error:
    assert "which Connect does not show" in str(error)
else:
    raise AssertionError
"""


def test_a_session_of_the_users_is_used(server: Server) -> None:
    path = str(Path(__file__).parents[2])
    words = [sys.executable, "-c", NOTEBOOK, server.address]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr


def test_a_server_that_goes_away_ends_the_run(tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        words = ("engine=distributed_scan", *SMALL, *on(server), "spark.wait_s=10")
        run = subprocess.Popen(
            [sys.executable, "-m", "tandem", *words], stderr=subprocess.PIPE, text=True
        )
        with run:
            until(lambda: has_child(server.process.pid, "pyspark.daemon"))
            server.process.send_signal(signal.SIGKILL)
            _, said = run.communicate(timeout=120)
    finally:
        server.end()
    assert run.returncode == 4, said
    gone = f"tandem: spark.master: {server.address}: the server of Spark Connect is gone"
    assert said.splitlines()[-1].startswith(gone)
