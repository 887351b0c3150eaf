"""A Spark session on a Java that is really there."""

import atexit
import logging
import os
import sys
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, cast

from tandem.errors import MachineError
from tandem.machine import end_family, scratch_folder
from tandem.redaction import redacted
from tandem.results import SparkFacts
from tandem.settings import SparkSettings
from tandem.spark.conf_keys import SHUFFLE, conf_keys
from tandem.spark.connect import active, by_connect, connected, disconnect, is_remote, remote_facts
from tandem.spark.executors import Watch, await_executors
from tandem.spark.facts import cores, partitions, read_back, work_done
from tandem.spark.java import java_home
from tandem.spark.masters import check_master, inside, is_loopback, on_this_machine

if TYPE_CHECKING:
    from py4j.java_gateway import JavaGateway
    from pyspark import SparkConf
    from pyspark.sql import SparkSession
    from pyspark.sql.connect.session import SparkSession as RemoteSession


# In the command line of a JVM, and in those of the shells that become it.
_JVM = ("spark.deploy.SparkSubmit", "bin/spark-submit")
_LOGGED = 200_000  # characters of what the JVM writes
_REACHED = ("spark.driver.host", "spark.driver.bindAddress")
_LOCAL = ("SPARK_LOCAL_IP", "SPARK_LOCAL_HOSTNAME")  # the environment's words for it
_ours: set[str] = set()  # Spark applications that are not the user's
_before: dict[str, tuple[int, int]] = {}  # jobs and tasks of an application before it was borrowed
_watches: dict[str, Watch] = {}  # by application


def start_session(settings: SparkSettings, name: str) -> "SparkSession":
    """A new Spark session as `settings` say; with executors, or after a minute none at all.

    It is bound to the loopback interface where the master is reached over it. Where this process
    has one of its user's, it is a session beside that one, on the same cluster, whose own settings
    stay as they are; of `settings` it takes what can be set by then. Raises MachineError where
    there is no Java 17 or later, no cluster, or no executor of it.
    """
    # Spark 4.3 says so of every pandas 3; no pandas frame ever meets Spark here.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    if by_connect(settings):
        return cast("SparkSession", active() or _connected(settings))  # as on Databricks; or ours
    session = _session(settings, name)
    await_executors(session.sparkContext, settings, _said)
    if SHUFFLE not in settings.conf:
        count = settings.shuffle_partitions or partitions(settings, cores(session))
        session.conf.set(SHUFFLE, str(count))
    return session


def _connected(settings: SparkSettings) -> "RemoteSession":
    check_master(settings)
    session = connected(settings)
    _ours.add(session.session_id)
    return session


def _session(settings: SparkSettings, name: str) -> "SparkSession":
    if (home := java_home()) is not None:
        os.environ["JAVA_HOME"] = str(home)
    # Without this the workers start whatever python3 is first on PATH.
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ["PYSPARK_PYTHON"] = settings.python or sys.executable
    if on_this_machine(settings.master):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    # Heavy, and needs the variables above.
    from pyspark import SparkConf, SparkContext  # noqa: PLC0415
    from pyspark.sql import SparkSession  # noqa: PLC0415

    conf = {"spark.app.name": name, "spark.master": settings.master, **conf_keys(settings)}
    context = SparkContext._active_spark_context  # noqa: SLF001 - it has no public name
    if context is not None and context.applicationId not in _ours:
        _before[context.applicationId] = work_done(context)
        return _beside(SparkSession(context), conf)
    own = check_master(settings)
    # The JVM's command line shows what it is launched with; it gets the rest when it is there.
    visible = {key: value for key, value in conf.items() if redacted(None, value, key) == value}
    launch = SparkConf(loadDefaults=False).setAll([*visible.items()])
    if SparkContext._gateway is None:  # noqa: SLF001 - no public way to do it in two
        SparkContext._ensure_initialized(gateway=_gateway(launch))  # noqa: SLF001
    builder = SparkSession.builder
    for key, value in {**_reached_at(own), **conf}.items():
        builder = builder.config(key, value)
    session = _got(builder, settings)
    application = session.sparkContext.applicationId
    _ours.add(application)
    if not inside(settings.master) and application not in _watches:
        _watches[application] = Watch(session.sparkContext, settings.wait_s, _said)
    return session


def _reached_at(own: str) -> Mapping[str, str]:
    """Executors are told the address by which the master is reached, `own`.

    Of several, or of a name that is that of the loopback interface, Spark takes one that they may
    not reach. What the user or the machine says of it wins.
    """
    from pyspark import SparkConf, SparkContext  # noqa: PLC0415 - heavy

    if not own:
        return {}
    loaded = SparkConf(_jvm=SparkContext._jvm)  # noqa: SLF001 - no public way before a context
    said = [*map(os.environ.get, _LOCAL), loaded.get(_REACHED[0], None)]
    if any(name and not is_loopback(name) for name in said):
        return {}
    return dict.fromkeys(_REACHED, own)  # both: an earlier local session of the JVM left its own


def _silence() -> None:
    """Let py4j not say, in many lines, that a JVM has ended: we say why."""
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    logging.getLogger().addFilter(_is_not_py4j)  # some of it it logs as nobody


def _is_not_py4j(record: logging.LogRecord) -> bool:
    return "py4j" not in Path(record.pathname).parts


def _got(builder: "SparkSession.Builder", settings: SparkSettings) -> "SparkSession":
    """The session, within `settings.wait_s` seconds: Spark would ask a cluster for many minutes."""
    from py4j.protocol import Py4JError  # noqa: PLC0415 - heavy, as all of Spark
    from pyspark import SparkContext  # noqa: PLC0415
    from pyspark.errors import PySparkException  # noqa: PLC0415

    _silence()
    begin, timer = time.monotonic(), Timer(settings.wait_s, end_family, _JVM)
    if not inside(settings.master):
        timer.start()
    try:
        return builder.getOrCreate()
    except (Py4JError, PySparkException, OSError) as error:
        late = time.monotonic() - begin >= settings.wait_s
        if late:  # a later session gets a JVM of its own
            SparkContext._gateway = SparkContext._jvm = None  # noqa: SLF001
        why = f"no session within {settings.wait_s} s" if late else _cause(error)
        raise MachineError(
            f"spark.master: {settings.master}: {why} -> is that the address of a cluster, whose "
            "Spark is of this version? If it is busy, wait for longer: spark.wait_s=600"
        ) from error
    finally:
        timer.cancel()


def _cause(error: Exception) -> str:
    """What the JVM says of it, without its stack."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line.lstrip(": ") for line in lines[1:] if line.startswith(":")), lines[0])


def _beside(session: "SparkSession", conf: Mapping[str, str]) -> "SparkSession":
    """A session on the same cluster, with what of `conf` can still be set."""
    found = session.newSession()
    for key, value in conf.items():
        if key.startswith("spark.sql.") and found.conf.isModifiable(key):
            found.conf.set(key, value)
    return found


def end_session(session: "SparkSession") -> None:
    """End a session of `start_session`; a cluster of the user's goes on."""
    if is_remote(session):
        if session.session_id in _ours:
            disconnect(session)
        return
    application = session.sparkContext.applicationId
    if application in _ours:
        if watch := _watches.pop(application, None):
            watch.end()
        with suppress(OSError):  # the JVM is gone already
            session.stop()


def session_facts(session: "SparkSession", settings: SparkSettings) -> SparkFacts:
    """The settings that `session` really has, and what it has done for us."""
    if is_remote(session):
        return remote_facts(session, settings)
    before = _before.get(session.sparkContext.applicationId, (0, 0))
    return read_back(session, settings, before, _said())


def _gateway(conf: "SparkConf") -> "JavaGateway":
    """A JVM whose own words go to a file: they are about its start, and help no user.

    Raises MachineError where it does not start.
    """
    from pyspark.errors import PySparkRuntimeError  # noqa: PLC0415 - heavy, as all of Spark
    from pyspark.java_gateway import launch_gateway  # noqa: PLC0415

    atexit.register(end_family, *_JVM)
    with _log_file().open("wb") as log:
        try:
            found: JavaGateway = launch_gateway(conf, {"stdout": log, "stderr": log})  # type: ignore[no-untyped-call]  # Spark's
        except PySparkRuntimeError as error:
            said = " ".join(_said().split())[-300:]
            raise MachineError(f"spark: the JVM did not start: {said} -> see JAVA_HOME") from error
    return found


@cache
def _log_file() -> Path:
    return scratch_folder() / "spark.log"  # one that a killed process leaves is removed by the next


def _said() -> str:
    """What the JVM of this process has written so far, the end of it where it is much."""
    try:
        return _log_file().read_text(encoding="utf-8", errors="replace")[-_LOGGED:]
    except FileNotFoundError:
        return ""
