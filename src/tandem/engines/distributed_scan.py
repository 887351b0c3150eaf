"""scan in Spark tasks over ranges of row groups, each read with pyarrow by the task itself.

Spark schedules, retries and moves the results. What is done with a row group, and everything
after the row groups, is scan's; the parts are added in the order of the row groups, as scan adds
them, so that the answer is the same bit for bit, whatever the number of partitions and workers.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from tandem.columns import NotFiniteError
from tandem.engines import scan, spark_session
from tandem.errors import DataError
from tandem.records import SparkFacts, SparkSettings, Task
from tandem.row_groups import RowGroup

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

T = TypeVar("T")

# Tasks per core, as far as there are row groups: the last tasks to end leave few cores idle.
_TASKS_PER_CORE = 4


class Engine(scan.Engine):
    """The scan on a cluster, fault-tolerant through Spark."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._session: SparkSession | None = None

    def start(self) -> None:
        super().start()
        self._session = spark_session.start(self.task.spark, f"tandem {self.task.dataset.name}")
        spark_session.ship_package(self._session)

    def facts(self) -> SparkFacts | None:
        if self._session is None:
            return None
        found = spark_session.facts(self._session, self.task.spark)
        slices = len(ranges(self._footers.row_groups, partitions(self.task.spark)))
        return replace(found, settings={**found.settings, "spark.repartition": str(slices)})

    def close(self) -> None:
        super().close()
        if self._session is not None:
            session, self._session = self._session, None
            session.stop()

    def _map(self, work: Callable[[RowGroup], T], groups: Sequence[RowGroup]) -> Iterator[T]:
        assert self._session is not None
        slices = ranges(groups, partitions(self.task.spark))
        for result in spark_session.results_in_order(self._session, partial(_each, work), slices):
            if isinstance(result, (NotFiniteError, DataError)):
                raise result
            yield result


def partitions(settings: SparkSettings) -> int:
    """Tasks of one scan, at most: as asked for, else some per core."""
    return settings.partitions or _TASKS_PER_CORE * spark_session.cores(settings)


def ranges(groups: Sequence[RowGroup], slices: int) -> list[tuple[RowGroup, ...]]:
    """`groups` cut into at most `slices` neighbouring ranges of about equally many rows."""
    ends = np.cumsum([group.rows for group in groups])
    middles = ends - np.array([group.rows for group in groups]) / 2
    place = (middles * slices / ends[-1]).astype(np.int64)
    cuts = np.flatnonzero(np.diff(place, prepend=-1, append=slices)).tolist()
    return [tuple(groups[first:last]) for first, last in pairwise(cuts)]


def _each(
    work: Callable[[RowGroup], T], slices: Iterable[tuple[RowGroup, ...]]
) -> Iterator[T | NotFiniteError | DataError]:
    """In a task: the result of every row group, or what is wrong with the data as the last."""
    threadpool_limits(1)  # one task per core: the cores are Spark's to give
    pa.set_cpu_count(1)
    try:
        for groups in slices:
            yield from map(work, groups)
    except (NotFiniteError, DataError) as error:
        yield error  # raised here it would be retried, and reach the driver as text
