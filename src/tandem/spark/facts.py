"""What a session really is and did, read back from Spark."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tandem.results import SparkFacts
from tandem.settings import SparkSettings
from tandem.spark.conf_keys import SHUFFLE, conf_keys
from tandem.spark.connect import is_remote, remote_cores
from tandem.spark.executors import Executor, executors, lost, present

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession


def cores(session: "SparkSession") -> int:
    """Cores of the executors that `session` has now; at least 1."""
    if is_remote(session):
        return remote_cores(session)
    return _cores(present(session.sparkContext))


def partitions(settings: SparkSettings, cores: int) -> int:
    """Partitions of the repartitioned rows: as asked for, else one per core."""
    return settings.partitions or cores


def read_back(
    session: "SparkSession", settings: SparkSettings, before: tuple[int, int], log: str
) -> SparkFacts:
    """The settings that `session` really has, and how many jobs and tasks it has run.

    `before`: jobs and tasks that are not ours; `log`: what its JVM wrote.
    """
    context = session.sparkContext
    conf: dict[str, str] = {key: str(value) for key, value in context.getConf().getAll()}
    ours = (SHUFFLE, *conf_keys(settings))
    conf |= {key: str(session.conf.get(key)) for key in ours if key.startswith("spark.sql.")}
    every = executors(context)
    there = [one for one in every if not one.lost]
    jobs, tasks = (now - then for now, then in zip(_work(context, every), before, strict=True))
    shown = {
        "master": str(context.master),
        "version": session.version,
        "executor.cores": ",".join(sorted({str(one.cores) for one in there})),
        "executor.instances": str(len(there)),
        "executor.memory": conf.get("spark.executor.memory", "default"),
        "driver.memory": conf.get("spark.driver.memory", "default"),
        "repartition": str(partitions(settings, _cores(there))),
        "sql.shuffle.partitions": conf[SHUFFLE],
        "sql.adaptive.enabled": str(session.conf.get("spark.sql.adaptive.enabled")),
    }
    return SparkFacts(
        log=log,
        conf=conf,
        settings={f"spark.{key}": value for key, value in shown.items()},
        jobs=jobs,
        tasks=tasks,
        lost=tuple(lost(every)),
    )


def work_done(context: "SparkContext") -> tuple[int, int]:
    """Jobs started and tasks completed in the life of `context`.

    Its tracker would be asked for every job and stage, a thousand calls of a millisecond, and
    forgets the first ones.
    """
    return _work(context, executors(context))


def _work(context: "SparkContext", every: Sequence[Executor]) -> tuple[int, int]:
    jobs: int = context._jsc.sc().dagScheduler().numTotalJobs()  # noqa: SLF001 - Python has no other way
    return jobs, sum(one.tasks for one in every)


def _cores(there: Sequence[Executor]) -> int:
    return sum(one.cores for one in there) or 1
