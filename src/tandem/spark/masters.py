"""Masters: where their executors are, and what is known to be wrong before a JVM is started."""

import os
import re
import socket
from collections.abc import Sequence
from contextlib import closing

from tandem.errors import ConfigurationError, MachineError
from tandem.settings import SparkSettings

_ANSWERS_S = 5.0  # a master that takes longer to accept a connection is away
_CONNECT_PORT = 15002
_LOOPBACK = ("127.", "localhost", "[::1]")
_IMAGE = "spark.kubernetes.container.image"


def inside(master: str) -> bool:
    """Whether the tasks of `master` are threads of the driver's JVM."""
    return master.startswith("local") and not master.startswith("local-cluster")


def on_this_machine(master: str) -> bool:
    """Whether everything of `master` is reached over the loopback interface."""
    hosts = master.removeprefix("spark://").split(",")
    return master.startswith("local") or all(map(is_loopback, hosts))


def is_loopback(host: str) -> bool:
    """Whether nothing but this machine reaches `host`."""
    return host.startswith(_LOOPBACK)


def expected(settings: SparkSettings) -> int | None:
    """How many executors the session will have; None: as many as the cluster gives."""
    if inside(settings.master):
        return 1
    if match := re.match(r"local-cluster\[(\d+)", settings.master):
        return int(match.group(1))
    return settings.executor_instances


def check_master(settings: SparkSettings) -> str:
    """Refuse a cluster that is not there, or of which Spark is not told enough to find it.

    The address of this machine on the way to a master of Spark's own; "": of any other cluster.
    Raises MachineError, and ConfigurationError where a key is missing.
    """
    master = settings.master
    if master == "databricks":
        raise ConfigurationError(
            "spark.master: databricks: its library takes the place of Spark's, so that this "
            "environment could not hold both -> pip install tandem on the cluster and call "
            "tandem.run(...) in a notebook or job there: it uses the session that is there"
        )
    if master.startswith("spark://"):
        return _check_reachable(master, master.removeprefix("spark://").split(","))
    if master.startswith("sc://"):
        host = re.split("[/;]", master.removeprefix("sc://"))[0]
        _check_reachable(master, [host if ":" in host else f"{host}:{_CONNECT_PORT}"])
    if master == "yarn" and not any(map(os.environ.get, ("HADOOP_CONF_DIR", "YARN_CONF_DIR"))):
        raise MachineError(
            "spark.master: yarn: neither HADOOP_CONF_DIR nor YARN_CONF_DIR is set, and Spark finds "
            "the cluster by it -> export HADOOP_CONF_DIR=/etc/hadoop/conf"
        )
    if master.startswith("k8s://") and _IMAGE not in settings.conf:
        raise ConfigurationError(
            f"spark.conf: {_IMAGE} is not given, and executors are made of it -> "
            f"'spark.conf={{{_IMAGE}:registry/spark-with-python:tag}}'"
        )
    return ""


def _check_reachable(master: str, addresses: Sequence[str]) -> str:
    """Our end of a connection to one of them. Spark would ask for a minute."""
    reasons = []
    for address in addresses:
        host, _, port = address.rpartition(":")
        try:
            at = host.strip("[]"), int(port)
            with closing(socket.create_connection(at, _ANSWERS_S)) as connection:
                own: str = connection.getsockname()[0]
                return f"[{own}]" if ":" in own else own
        except OSError as error:
            reasons.append(error.strerror or str(error))
    raise MachineError(
        f"spark.master: {master}: {', '.join(dict.fromkeys(reasons))} -> start the cluster (make "
        "cluster starts one on this machine), or name another master"
    )
