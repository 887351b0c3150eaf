"""scan in Spark tasks over ranges of row groups, each read with pyarrow by the task itself.

Spark schedules, retries and moves the results. What is done with a stretch of row groups, and
everything after, is scan's; the parts are added in the order of the stretches, as scan adds
them, so that the answer is the same bit for bit, whatever the number of partitions and workers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from tandem.engines import scan
from tandem.engines.base import Decide, Progress
from tandem.errors import DataError
from tandem.model_keys import GridPoint
from tandem.records import Array, Ledger, Plan, Task
from tandem.results import ErrorSums, Facts, LinearModel
from tandem.scan import NotFiniteError, Stretch, Work, each, versions
from tandem.settings import SparkSettings
from tandem.spark import (
    cores,
    end_session,
    results_in_order,
    session_facts,
    ship_package,
    start_session,
    start_workers,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

T = TypeVar("T")

# Tasks per core, as far as there are stretches: the last tasks to end leave few cores idle.
_TASKS_PER_CORE = 4
# The driver holds the results of one task at a time: with thousands of stretches, more tasks.
_GROUPS_PER_TASK = 64


class Engine:
    """The scan on a cluster, fault-tolerant through Spark."""

    def __init__(self, task: Task, progress: Progress) -> None:
        self.task = task
        self._progress = progress
        self._scan = scan.Engine(task, progress, self._run)
        self._session: SparkSession | None = None
        self._cores = 1

    def unsupported(self) -> str | None:
        return self._scan.unsupported()

    def start(self) -> None:
        self._scan.start()
        self._session = start_session(self.task.spark, f"tandem {self.task.dataset.name}")
        ship_package(self._session)
        self._cores = cores(self._session)
        start_workers(self._session, self.task.spark, versions, self._cores)

    def load(self) -> None:
        self._scan.load()

    def prepare(self, decide: Decide) -> tuple[Plan, Ledger]:
        return self._scan.prepare(decide)

    def cross_validate(self) -> ErrorSums:
        return self._scan.cross_validate()

    def median_errors(self, point: GridPoint) -> Array:
        return self._scan.median_errors(point)

    def refit(self, point: GridPoint) -> LinearModel:
        return self._scan.refit(point)

    def hold_out(self) -> ErrorSums | None:
        return self._scan.hold_out()

    def facts(self) -> Facts:
        assert self._session is not None
        found = session_facts(self._session, self.task.spark)
        slices = len(self._slices(self._scan.stretches))
        settings = {**found.settings, "spark.repartition": str(slices)}
        return replace(self._scan.facts(), spark=replace(found, settings=settings))

    def close(self) -> None:
        self._scan.close()
        if self._session is not None:
            session, self._session = self._session, None
            end_session(session)

    def _run(self, work: Work[T], stretches: Sequence[Stretch]) -> Iterator[T]:
        assert self._session is not None
        slices = self._slices(stretches)
        advance = self._progress(len(slices), "tasks")
        for result in results_in_order(self._session, partial(each, work), slices, advance):
            if isinstance(result, (NotFiniteError, DataError)):
                raise result
            yield result

    def _slices(self, stretches: Sequence[Stretch]) -> list[tuple[Stretch, ...]]:
        return ranges(stretches, tasks(self.task.spark, self._cores, len(stretches)))


def tasks(settings: SparkSettings, cores: int, stretches: int) -> int:
    """Tasks of one scan, at most: as asked for, else some per core, of not too many stretches."""
    enough = max(_TASKS_PER_CORE * cores, -(-stretches // _GROUPS_PER_TASK))
    return settings.partitions or enough


def ranges(stretches: Sequence[Stretch], slices: int) -> list[tuple[Stretch, ...]]:
    """`stretches` cut into at most `slices` neighbouring ranges of about equally many rows."""
    ends = np.cumsum([stretch.rows for stretch in stretches])
    middles = ends - np.array([stretch.rows for stretch in stretches]) / 2
    place = (middles * slices / ends[-1]).astype(np.int64)
    cuts = np.flatnonzero(np.diff(place, prepend=-1, append=slices)).tolist()
    return [tuple(stretches[first:last]) for first, last in pairwise(cuts)]
