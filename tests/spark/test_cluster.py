"""A real standalone cluster on loopback: all engines on it, and what is said where it lacks."""

import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from socket import socket

import psutil
import pytest

from tandem.spark import LocalCluster, local_cluster
from tests.shell import FEW, SMALL, free_port, lives, runs, tandem, until
from tests.tasks import houses

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("place")]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with local_cluster(tmp_path_factory.mktemp("cluster"), **ports()) as found:
        yield found


def ports() -> dict[str, int]:
    return {"port": free_port(), "page": free_port()}


def on(cluster: LocalCluster) -> tuple[str, ...]:
    return "spark=standalone", f"spark.master='{cluster.address}'", "spark.driver_memory=1g"


def test_engines_agree_on_it(cluster: LocalCluster, place: Path) -> None:
    houses().to_csv(place / "houses.csv", index=False)
    words = "compare.engines=[scan,distributed,distributed_scan]", "model.elastic_net_param=[0.5]"
    done = tandem("compare", "houses.csv", "--target", "price", *words, *FEW, *on(cluster))
    assert done.returncode == 0, done.stderr
    (parent,) = runs("comparison")
    assert parent.data.tags["parity"] == "pass"
    of = {run.data.params["engine.name"]: run.data for run in runs("run")}
    for name in ("distributed", "distributed_scan"):
        got = {key: of[name].params[f"spark.executor.{key}"] for key in ("cores", "instances")}
        assert got == {"cores": "1", "instances": "2"}
        assert of[name].params["spark.sql.shuffle.partitions"] == "2"
        assert of[name].metrics["spark/executors_lost"] == 0


def test_nobody_else_can_reach_it(cluster: LocalCluster) -> None:
    members = [cluster.master, *cluster.workers]
    there = [psutil.Process(one.process.pid).net_connections("tcp") for one in members]
    listening = [one.laddr.ip for found in there for one in found if one.status == "LISTEN"]
    assert len(listening) == 2 * len(members)
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_executors_without_libraries_are_sent_them(cluster: LocalCluster, tmp_path: Path) -> None:
    """A Python of its own, in which nothing is installed."""
    venv.create(tmp_path / "bare", with_pip=False)
    bare = f"spark.python='{tmp_path / 'bare' / 'bin' / 'python'}'"
    done = tandem("engine=distributed_scan", *SMALL, *on(cluster), bare)
    assert done.returncode == 0, done.stderr
    assert "No module named 'numpy' -> it is sent our libraries" in done.stderr
    assert tandem("engine=scan", *SMALL).returncode == 0
    first, second = (run.data.metrics["cv/rmse_mean"] for run in runs("run"))
    assert first == second


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("spark.executor_memory=90g spark.wait_s=25", "no executor came within 25 s"),
        ("spark.python=/nowhere/python", 'Cannot run program "/nowhere/python"'),
        ("spark.master=spark://127.0.0.1:1", "spark://127.0.0.1:1: Connection refused"),
        ("spark=yarn", "yarn: neither HADOOP_CONF_DIR nor YARN_CONF_DIR is set"),
    ],
)  # fmt: skip
def test_what_lacks_is_said_with_the_next_step(cluster: LocalCluster, word: str, said: str) -> None:
    words = [word] if word.startswith("spark=") else [*on(cluster), *word.split()]
    done = tandem("engine=distributed_scan", *SMALL, *words, HADOOP_CONF_DIR="")
    assert done.returncode == 4
    (line,) = (one for one in done.stderr.splitlines() if one.startswith("tandem: spark.master"))
    assert said in line
    assert " -> " in line


def test_a_master_that_says_nothing_is_given_up() -> None:
    """Something else listens there; Spark would ask for a minute, and YARN's client for many."""
    with socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        master = f"spark.master=spark://127.0.0.1:{other.getsockname()[1]}"
        done = tandem("engine=distributed", *SMALL, master, "spark.wait_s=5")
    assert done.returncode == 4
    assert "no session within 5 s -> is that the address of a cluster" in done.stderr


def test_without_executors_a_run_ends(tmp_path: Path) -> None:
    """All that could run a task is killed while the rows are scanned."""
    with ExitStack() as stack:
        found = stack.enter_context(local_cluster(tmp_path, **ports()))
        run = stack.enter_context(started(found, "spark.wait_s=30"))
        until_tasks_run(run, tmp_path)
        for worker in found.workers:
            every = [psutil.Process(worker.process.pid)]
            for one in [*every, *every[0].children(recursive=True)]:
                one.kill()
        _, said = run.communicate(timeout=120)
    assert run.returncode == 4, said
    assert re.search("no executor (is left|came within 30 s)", said.splitlines()[-1])


def started(cluster: LocalCluster, word: str) -> "subprocess.Popen[str]":
    """A run that takes a minute there."""
    words = ("engine=distributed", "dataset.rows=100000", *on(cluster), word)
    command = [sys.executable, "-m", "tandem", *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def until_tasks_run(run: "subprocess.Popen[str]", folder: Path) -> None:
    """Until the executor of the first worker of a cluster in `folder` has run one of its tasks."""
    logs = "worker-1/app-*/*/stderr"
    until(
        lambda: (
            run.poll() is not None
            or any("Running task" in log.read_text() for log in folder.glob(logs))
        )
    )
    assert run.poll() is None, run.communicate()[1]


def test_an_executor_that_nobody_can_end_ends_the_run(tmp_path: Path) -> None:
    """One stops, and the master is gone: Spark itself would wait for its task for ever."""
    soon = "spark.network.timeout: 6s, spark.network.timeoutInterval: 2s"
    conf = f"spark.conf={{{soon}, spark.executor.heartbeatInterval: 2s}}"
    with ExitStack() as stack:
        found = stack.enter_context(local_cluster(tmp_path, **ports()))
        run = stack.enter_context(started(found, conf))
        until_tasks_run(run, tmp_path)
        found.master.process.kill()
        for executor in psutil.Process(found.workers[0].process.pid).children():
            executor.suspend()
        _, said = run.communicate(timeout=120)
    assert run.returncode == 4, said
    assert "an executor does not answer, and the master that should end it does not" in said


STARTER = """
import sys, time
from pathlib import Path
from tandem.spark import local_cluster

with local_cluster(Path(sys.argv[1]), port=int(sys.argv[2]), page=int(sys.argv[3])) as found:
    print(*[one.process.pid for one in (found.master, *found.workers)], flush=True)
    time.sleep(300)
"""


def test_a_cluster_ends_with_who_started_it(tmp_path: Path) -> None:
    words = [sys.executable, "-c", STARTER, str(tmp_path), str(free_port()), str(free_port())]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout
        members = [psutil.Process(int(pid)) for pid in starter.stdout.readline().split()]
        starter.kill()
    assert len(members) == 3
    until(lambda: not any(map(lives, members)), 30)
