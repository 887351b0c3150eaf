"""A standalone cluster on another host: one in a network namespace of its own, beside ours."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tandem.machine import stop_children
from tests.shell import SMALL, runs, tandem, until
from tests.spark.classes import spark_class

# Of ours, the first that Spark finds, but no other host does; then the two between which is a wire.
_OTHER, _NEAR, _FAR = "10.78.0.1", "10.77.0.1", "10.77.0.2"
_WIRES = """\
{near} link add o0 type veth peer name o1
{near} addr add {other}/24 dev o0
{near} link set o0 up
{near} link set o1 up
{near} link set lo up
{near} link add w0 type veth peer name w1 netns {far}
{near} addr add {at}/24 dev w0
{near} link set w0 up
{far} addr add {there}/24 dev w1
{far} link set w1 up
{far} link set lo up"""

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("place")]


@dataclass(frozen=True)
class Hosts:
    """Two namespaces of this machine's network."""

    near: str
    far: str


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    """Two hosts, and a wire between them."""
    found = Hosts(f"near{os.getpid()}", f"far{os.getpid()}")
    wires = _WIRES.format(other=_OTHER, at=_NEAR, there=_FAR, near=found.near, far=found.far)
    with ExitStack() as stack:
        try:
            for name in (found.near, found.far):
                ip("netns", "add", name)
                stack.callback(ip, "netns", "del", name)
            for line in wires.splitlines():
                ip("-n", *line.split())
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("a network namespace takes iproute2 and root")
        yield found


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def master(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A master and a worker on the far one."""
    folder, address = tmp_path_factory.mktemp("far"), f"spark://{_FAR}:7077"
    each = ("--cores", "2", "--memory", "1g", "--work-dir", str(folder))
    with ExitStack() as stack:
        start = partial(member, hosts.far, folder)
        stack.enter_context(start("Master", "--port", "7077"))
        stack.enter_context(start("Worker", *each, address))
        until(lambda: "registered with master" in (folder / "Worker").read_text(), 60)
        yield address


@contextmanager
def member(host: str, folder: Path, name: str, *words: str) -> Iterator[None]:
    every = f"org.apache.spark.deploy.{name.lower()}.{name}", "--host", _FAR, "--webui-port", "0"
    with (folder / name).open("wb") as log:
        process = spark_class(*every, *words, log=log, before=on(host), SPARK_LOCAL_IP=_FAR)
    try:
        yield
    finally:
        stop_children([process], seconds=10)


def on(host: str) -> tuple[str, ...]:
    """Words before a command that have it run on `host`."""
    return "ip", "netns", "exec", host


def test_executors_are_told_the_address_that_reaches_them(hosts: Hosts, master: str) -> None:
    """Of the addresses of a host, Spark takes the first, which nobody else may reach."""
    words = "engine=distributed_scan", *SMALL, "spark=standalone", f"spark.master={master}"
    done = tandem(*words, before=on(hosts.near))
    assert done.returncode == 0, done.stderr
    assert tandem("engine=scan", *SMALL).returncode == 0
    first, second = (run.data.metrics["cv/rmse_mean"] for run in runs("run"))
    assert first == second


def test_executors_that_do_not_reach_the_driver_are_told_of(hosts: Hosts, master: str) -> None:
    """The user's word for its address wins."""
    words = "engine=distributed_scan", *SMALL, "spark=standalone", f"spark.master={master}"
    words = *words, "spark.wait_s=15"
    done = tandem(*words, before=on(hosts.near), SPARK_LOCAL_IP=_OTHER)
    assert done.returncode == 4
    (line,) = (one for one in done.stderr.splitlines() if one.startswith("tandem: spark.master"))
    assert "no executor came within 15 s: the cluster started " in line
    assert f"none of which reached this machine at {_OTHER}:" in line
    assert "'spark.conf={spark.driver.host: ADDRESS}'" in line
