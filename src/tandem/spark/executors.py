"""The executors of a session: which there are, which were lost, and what is done without any."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING

from py4j.protocol import Py4JError

from tandem.errors import DataError, MachineError, TandemError
from tandem.settings import SparkSettings
from tandem.spark.masters import expected, inside

if TYPE_CHECKING:
    from pyspark import SparkContext

_POLL_S = 0.1
_LOOK_S = 1.0  # how often a watch looks whether executors are there
_SETTLED_S = 2.0  # without one more executor: those are all
_STARTED = "Granted executor ID"  # what Spark says of each that a standalone master gave
_GONE = "no executor is left"
_DEAF = "an executor does not answer, and the master that should end it does not either"
_NOT_ENDED = "thread kill-executor-thread"  # what Spark says then, before it waits for ever


@dataclass(frozen=True, slots=True)
class Executor:
    """One that a session has or had. `tasks`: completed; `lost`: why it is gone, if it is."""

    name: str
    cores: int
    tasks: int
    lost: str = ""


def executors(context: "SparkContext") -> list[Executor]:
    """All executors so far; on a local master the driver is the only one."""
    found = context._jsc.sc().statusStore().executorList(False)  # noqa: SLF001 - Python has no other way
    every = (found.apply(place) for place in range(found.size()))
    return [
        Executor(
            f"{one.id()} on {one.hostPort()}",
            one.totalCores(),
            one.completedTasks(),
            "" if one.isActive() else str(one.removeReason().getOrElse(None) or "for no reason"),
        )
        for one in every
        if one.totalCores() or not one.isActive()
    ]


def present(context: "SparkContext") -> list[Executor]:
    """The executors that are there."""
    return [one for one in executors(context) if not one.lost]


def await_executors(
    context: "SparkContext", settings: SparkSettings, said: Callable[[], str]
) -> None:
    """Wait for the executors that were asked for, or until no more come.

    `said()`: what the JVM has written so far. Raises MachineError where there is none within
    `settings.wait_s` seconds.
    """
    begin = changed = time.monotonic()
    wanted, there = expected(settings), 0
    while (now := time.monotonic()) - begin < settings.wait_s:
        if (found := len(present(context))) != there:
            there, changed = found, now
        if there and (there >= wanted if wanted else now - changed > _SETTLED_S):
            return
        time.sleep(_POLL_S)
    if not there:
        raise MachineError(
            f"spark.master: {settings.master}: no executor came within {settings.wait_s} s"
            f"{_why_none(context, settings, said())}"
        )


def _why_none(context: "SparkContext", settings: SparkSettings, said: str) -> str:
    conf = context.getConf()
    if started := len(re.findall(f"{_STARTED} {context.applicationId}/", said)):
        return (
            f": the cluster started {started}, none of which reached this machine at "
            f"{conf.get('spark.driver.host')}:{conf.get('spark.driver.port')} -> open its firewall "
            "to them, or name an address that they reach: 'spark.conf={spark.driver.host: "
            "ADDRESS}'; their stderr, by the master's page, says why"
        )
    asked = conf.get("spark.executor.cores", None)
    return (
        f" (asked for: {settings.executor_memory} of memory"
        f"{f', {asked} cores' if asked else ''} each) -> ask for what a worker has free: "
        "spark.executor_memory=1g spark.executor_cores=1; or wait for longer: spark.wait_s=600"
    )


class Watch:
    """Ends the jobs of a session that has been without executors for `wait_s` seconds.

    And of one that could not end an executor that is given up. Spark itself would wait for ever.
    `said()`: what the JVM has written so far.
    """

    def __init__(self, context: "SparkContext", wait_s: float, said: Callable[[], str]) -> None:
        self._context, self._wait_s, self._said, self._ended = context, wait_s, said, Event()
        self._thread = Thread(target=self._look, name="tandem-executors", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Look no more; the JVM may end then."""
        self._ended.set()
        self._thread.join(5 * _LOOK_S)

    def _look(self) -> None:
        seen, before = time.monotonic(), self._said().count(_NOT_ENDED)  # by an earlier session
        try:
            while not self._ended.wait(_LOOK_S):
                if not present(self._context):
                    if time.monotonic() - seen > self._wait_s:
                        self._cancel(_GONE)
                    continue
                seen = time.monotonic()
                if self._said().count(_NOT_ENDED) > before:
                    self._cancel(_DEAF)
        except (Py4JError, OSError, AttributeError):  # the session ended, or its JVM did
            return

    def _cancel(self, reason: str) -> None:
        for job in self._context.statusTracker().getActiveJobsIds():
            self._context._jsc.sc().cancelJob(job, reason)  # noqa: SLF001 - Python's gives none


def explained(error: Exception, master: str) -> MachineError | None:
    """What `error`, of Spark's, says of the cluster; None: it is about something else."""
    text = str(error)
    if isinstance(error, TandemError) and not isinstance(error, DataError):
        return None
    if re.search("No such file|does not exist", text) and not inside(master):
        file = text.partition(": ")[0]
        what = (
            f"executors do not find {file}, which this machine has -> all must have the "
            "data, and TANDEM_CACHE, where CSV and s3:// are copied to, under the same path"
        )
    elif _GONE in text:
        what = f"{_GONE}, and no new one came -> look at the cluster"
    elif _DEAF in text:
        what = f"{_DEAF} -> look at the cluster"
    elif "ExecutorLostFailure" in text:
        reason = text.partition("ExecutorLostFailure")[2].splitlines()[0].lstrip(" (")
        what = f"a task lost its executor each time: {reason} -> spark.executor_memory=8g"
    elif "SparkContext was shut down" in text or "stopped SparkContext" in text:
        what = "the cluster ended this application -> look at the log of the master"
    elif type(error).__name__ == "RetriesExceeded" or "UNAVAILABLE" in text:
        what = "the server of Spark Connect is gone -> look at its log"
    elif isinstance(error, ConnectionError) or type(error).__name__ == "Py4JNetworkError":
        what = "the JVM of this run is gone -> spark.driver_memory=8g where memory ran out"
    else:
        return None
    return MachineError(f"spark.master: {master}: {what}; run again")


def lost(found: Sequence[Executor]) -> list[str]:
    """A line about each executor that was lost."""
    return [f"executor {one.name} was lost: {one.lost}" for one in found if one.lost]
