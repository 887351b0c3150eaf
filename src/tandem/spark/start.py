"""A Spark session on a Java that is really there."""

import atexit
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tandem.errors import MachineError
from tandem.machine import end_family
from tandem.redaction import redacted
from tandem.results import SparkFacts
from tandem.settings import SparkSettings
from tandem.spark.java import java_home

if TYPE_CHECKING:
    from py4j.java_gateway import JavaGateway
    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession


_LOGGING = Path(__file__).with_name("log4j2.properties")
_LOGGED = 200_000  # characters of what the JVM writes
_ours: set[str] = set()  # Spark applications that are not the user's
_before: dict[str, tuple[int, int]] = {}  # jobs and tasks of an application before it was borrowed


def start_session(settings: SparkSettings, name: str) -> "SparkSession":
    """A new Spark session as `settings` say, bound to the loopback interface on a local master.

    Where this process has one of its user's, it is a session beside that one, on the same cluster,
    whose own settings stay as they are; of `settings` it takes what can be set by then. Raises
    MachineError where there is no Java 17 or later.
    """
    if (home := java_home()) is not None:
        os.environ["JAVA_HOME"] = str(home)
    # Without this the workers start whatever python3 is first on PATH.
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    if settings.master.startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    # Spark 4.3 says so of every pandas 3; no pandas frame ever meets Spark here.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    # Heavy, and needs the variables above.
    from pyspark import SparkConf, SparkContext  # noqa: PLC0415
    from pyspark.sql import SparkSession  # noqa: PLC0415

    conf = {"spark.app.name": name, "spark.master": settings.master}
    conf |= configuration(settings)
    context = SparkContext._active_spark_context  # noqa: SLF001 - it has no public name
    if context is not None and context.applicationId not in _ours:
        _before[context.applicationId] = _work_done(context)
        return _beside(SparkSession(context), conf)
    # The JVM's command line shows what it is launched with; it gets the rest when it is there.
    visible = {key: value for key, value in conf.items() if redacted(None, value, key) == value}
    launch = SparkConf(loadDefaults=False).setAll([*visible.items()])
    if SparkContext._gateway is None:  # noqa: SLF001 - no public way to do it in two
        SparkContext._ensure_initialized(gateway=_gateway(launch))  # noqa: SLF001
    builder = SparkSession.builder
    for key, value in conf.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    _ours.add(session.sparkContext.applicationId)
    return session


def _beside(session: "SparkSession", conf: Mapping[str, str]) -> "SparkSession":
    """A session on the same cluster, with what of `conf` can still be set."""
    found = session.newSession()
    for key, value in conf.items():
        if key.startswith("spark.sql.") and found.conf.isModifiable(key):
            found.conf.set(key, value)
    return found


def end_session(session: "SparkSession") -> None:
    """End a session of `start_session`; a cluster of the user's goes on."""
    if session.sparkContext.applicationId in _ours:
        session.stop()


def _gateway(conf: "SparkConf") -> "JavaGateway":
    """A JVM whose own words go to a file: they are about its start, and help no user.

    Raises MachineError where it does not start.
    """
    from pyspark.errors import PySparkRuntimeError  # noqa: PLC0415 - heavy, as all of Spark
    from pyspark.java_gateway import launch_gateway  # noqa: PLC0415

    atexit.register(_log_file().unlink, missing_ok=True)
    atexit.register(end_family, "java")
    with _log_file().open("wb") as log:
        try:
            found: JavaGateway = launch_gateway(conf, {"stdout": log, "stderr": log})  # type: ignore[no-untyped-call]  # Spark's
        except PySparkRuntimeError as error:
            said = " ".join(_said().split())[-300:]
            raise MachineError(f"spark: the JVM did not start: {said} -> see JAVA_HOME") from error
    return found


def _log_file() -> Path:
    return Path(tempfile.gettempdir(), f"tandem-spark-{os.getpid()}.log")


def _said() -> str:
    """What the JVM of this process has written so far, the end of it where it is much."""
    try:
        return _log_file().read_text(encoding="utf-8", errors="replace")[-_LOGGED:]
    except FileNotFoundError:
        return ""


def configuration(settings: SparkSettings) -> dict[str, str]:
    """Spark's keys and values for `settings`; what stands in `settings.conf` wins."""
    conf = {
        "spark.driver.memory": settings.driver_memory,
        "spark.executor.memory": settings.executor_memory,
        "spark.sql.shuffle.partitions": str(shuffle_partitions(settings)),
        "spark.sql.adaptive.enabled": str(settings.adaptive).lower(),
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_LOGGING.as_uri()}",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Else a damaged page is read, and figures change without a word.
        "spark.hadoop.parquet.page.verify-checksum.enabled": "true",
        # `a` and `A` are two columns, as everywhere else.
        "spark.sql.caseSensitive": "true",
        # Counting the jobs and tasks of a long cross-validation needs all of them kept.
        "spark.ui.retainedJobs": "1000000",
        "spark.ui.retainedStages": "1000000",
    }
    if settings.master.startswith("local"):
        conf |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    if settings.executor_cores is not None:
        conf["spark.executor.cores"] = str(settings.executor_cores)
    if settings.executor_instances is not None:
        conf["spark.executor.instances"] = str(settings.executor_instances)
    return conf | dict(settings.conf)


def cores(settings: SparkSettings) -> int:
    """Cores that the master in `settings` offers, as far as its address tells."""
    if match := re.fullmatch(r"local\[(\d+|\*)(?:,\d+)?\]", settings.master):
        return (os.cpu_count() or 1) if match.group(1) == "*" else int(match.group(1))
    if match := re.fullmatch(r"local-cluster\[(\d+),\s*(\d+),\s*\d+\]", settings.master):
        return int(match.group(1)) * int(match.group(2))
    if settings.master == "local":
        return 1
    return (settings.executor_instances or 1) * (settings.executor_cores or 1)


def partitions(settings: SparkSettings) -> int:
    """Partitions of the repartitioned rows: as asked for, else one per core."""
    return settings.partitions or cores(settings)


def shuffle_partitions(settings: SparkSettings) -> int:
    """Partitions after a shuffle: as asked for, else as many as of the rows."""
    return settings.shuffle_partitions or partitions(settings)


def session_facts(session: "SparkSession", settings: SparkSettings) -> SparkFacts:
    """The effective settings of `session`, and how many jobs and tasks it has run."""
    context = session.sparkContext
    conf = {key: value or "" for key, value in context.getConf().getAll()}
    conf |= {key: str(value) for key, value in configuration(settings).items()}
    before = _before.get(context.applicationId, (0, 0))
    jobs, tasks = (now - then for now, then in zip(_work_done(context), before, strict=True))
    shown = {
        "master": context.master,
        "version": session.version,
        "executor.cores": conf.get("spark.executor.cores", "default"),
        "executor.instances": conf.get("spark.executor.instances", "default"),
        "executor.memory": conf["spark.executor.memory"],
        "driver.memory": conf["spark.driver.memory"],
        "repartition": str(partitions(settings)),
        "sql.shuffle.partitions": conf["spark.sql.shuffle.partitions"],
        "sql.adaptive.enabled": conf["spark.sql.adaptive.enabled"],
    }
    return SparkFacts(
        log=_said(),
        conf=conf,
        settings={f"spark.{key}": str(value) for key, value in shown.items()},
        jobs=jobs,
        tasks=tasks,
    )


def _work_done(context: "SparkContext") -> tuple[int, int]:
    """Jobs started and tasks completed in the life of `context`.

    Its tracker would be asked for every job and stage, a thousand calls of a millisecond, and
    forgets the first ones.
    """
    inside = context._jsc.sc()  # noqa: SLF001 - Python has no other way
    executors = inside.statusStore().executorList(False)
    tasks = sum(executors.apply(place).completedTasks() for place in range(executors.size()))
    return inside.dagScheduler().numTotalJobs(), tasks
