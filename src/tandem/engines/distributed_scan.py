"""scan in Spark tasks over ranges of row groups, each read with pyarrow by the task itself.

Spark schedules, retries and moves the results. What is done with a stretch of row groups, and
everything after, is scan's; the parts are added in the order of the stretches, as scan adds
them, those of many files by tasks, in ranges that follow from the number of files alone: the
answer is the same bit for bit, whatever the number of partitions and workers.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tandem.engines import scan
from tandem.engines.base import Decide, Progress
from tandem.errors import DataError
from tandem.model_keys import GridPoint
from tandem.records import Array, File, Ledger, Plan, Task
from tandem.results import ErrorSums, Facts, LinearModel
from tandem.scan import (
    WIDE,
    Add,
    Footer,
    NotFiniteError,
    Stretch,
    Ways,
    Work,
    each,
    each_file,
    each_footer,
    files_of,
    levels,
    range_sums,
    summed,
    versions,
)
from tandem.settings import SparkSettings
from tandem.spark import (
    Sums,
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

S = TypeVar("S")
T = TypeVar("T")

# Tasks per core, as far as there are stretches: the last tasks to end leave few cores idle.
_TASKS_PER_CORE = 4
# The driver holds the results of one task at a time: with thousands of stretches, more tasks.
_GROUPS_PER_TASK = 64
# The driver reads the footers of so many files itself: a job takes longer.
_FEW_FILES = 1000


class Engine:
    """The scan on a cluster, fault-tolerant through Spark."""

    def __init__(self, task: Task, progress: Progress) -> None:
        self.task = task
        self._progress = progress
        self._scan = scan.Engine(task, progress, Ways(self._run, self._tell, self._add_up))
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
        return self._results(partial(each, work), self._slices(stretches))

    def _add_up(self, work: Work[T], stretches: Sequence[Stretch], add: Add[T]) -> Iterator[T]:
        files = files_of(stretches)
        if not levels(len(files)):
            return summed(self._run(work, stretches), stretches, add)
        rows = [sum(stretch.rows for stretch in members) for members in files]
        most = self._most(stretches)
        slices = [
            (first, tuple(chain.from_iterable(files[first:last])))
            for first, last in cut(rows, most)
        ]
        of_ranges = Sums(partial(range_sums, add, WIDE), WIDE, levels(len(files)))
        return self._results(partial(each_file, work, add), slices, of_ranges)

    def _tell(
        self, work: Callable[[Iterable[File]], Iterator[Footer]], files: Sequence[File]
    ) -> Iterator[Footer]:
        if len(files) <= _FEW_FILES:
            return work(files)
        slices = [files[first:last] for first, last in cut([1] * len(files), self._most(files))]
        return self._results(partial(each_footer, work), slices)

    def _results(
        self,
        work: Callable[[Iterable[S]], Iterable[Any]],
        slices: Sequence[S],
        sums: Sums | None = None,
    ) -> Iterator[Any]:
        """What `work` comes to; raises what it found to be wrong with the data."""
        assert self._session is not None
        advance = self._progress(len(slices) + sum(sums.counts if sums else ()), "tasks")
        for result in results_in_order(self._session, work, slices, advance, sums):
            if isinstance(result, (NotFiniteError, DataError)):
                raise result
            yield result

    def _slices(self, stretches: Sequence[Stretch]) -> list[tuple[Stretch, ...]]:
        return ranges(stretches, self._most(stretches))

    def _most(self, items: Sequence[object]) -> int:
        return tasks(self.task.spark, self._cores, len(items))


def tasks(settings: SparkSettings, cores: int, stretches: int) -> int:
    """Tasks of one scan, at most: as asked for, else some per core, of not too many stretches."""
    enough = max(_TASKS_PER_CORE * cores, -(-stretches // _GROUPS_PER_TASK))
    return settings.partitions or enough


def ranges(stretches: Sequence[Stretch], slices: int) -> list[tuple[Stretch, ...]]:
    """`stretches` cut into at most `slices` neighbouring ranges of about equally many rows."""
    rows = [stretch.rows for stretch in stretches]
    return [tuple(stretches[first:last]) for first, last in cut(rows, slices)]


def cut(rows: Sequence[int], slices: int) -> Iterator[tuple[int, int]]:
    """First and last of at most `slices` neighbouring ranges of about equally many `rows`."""
    ends = np.cumsum(rows)
    place = ((ends - np.array(rows) / 2) * slices / ends[-1]).astype(np.int64)
    return pairwise(np.flatnonzero(np.diff(place, prepend=-1, append=slices)).tolist())
