"""What tasks find, brought to the driver in order; sums of very many are added up on the way."""

import gc
import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tandem.records import Advance
from tandem.spark.connect import is_remote, remote_results

if TYPE_CHECKING:
    from pyspark import RDD, SparkContext
    from pyspark.sql import SparkSession

S = TypeVar("S")
T = TypeVar("T")
Numbered = Iterable[tuple[int, Any]]

_POLL_S = 0.05  # how often a job is asked whether it is done
_AT_ONCE_BYTES = 2**26  # results up to this come to the driver in one job


@dataclass(frozen=True, slots=True)
class Sums:
    """A tree: result n is in range n // `wide`, that range in range n // wide // wide, and so on.

    `add`: numbered results, ascending -> number and sum of each range; `counts`: the ranges of
    every level, the last of which come to the driver.
    """

    add: Callable[[Numbered], Numbered]
    wide: int
    counts: Sequence[int]


def results_in_order(
    session: "SparkSession",
    work: Callable[[Iterable[S]], Iterable[Any]],
    slices: Sequence[S],
    advance: Advance,
    sums: Sums | None = None,
) -> Iterator[Any]:
    """The results of work([slice]) of every slice, in their order, one task each.

    With `sums`, work yields numbered results, and those of the last ranges come, without numbers.
    `advance` is called with the number of tasks that are newly done.
    All tasks run first and leave their results with the executors, on disk where memory is
    short; the driver then holds those of one task at a time, or all where they are small.
    """
    if is_remote(session):
        found = remote_results(session, work, slices, advance)
        if sums:  # they are added here: Connect has no shuffle of ours
            for _ in sums.counts:
                found = iter(sums.add(found))
            found = (total for _, total in found)
        yield from found
        return
    from pyspark import StorageLevel  # noqa: PLC0415 - heavy

    tasks = session.sparkContext.parallelize(slices, len(slices))
    if sums:
        results = _summed(tasks.mapPartitions(partial(_pickled_numbered, work)), sums)
    else:
        results = tasks.mapPartitions(partial(_pickled, work))
    results.persist(StorageLevel.MEMORY_AND_DISK_DESER)
    count = len(slices) + sum(sums.counts if sums else ())
    try:
        # Only Java counts without Python workers.
        counting = results._jrdd.countAsync()  # noqa: SLF001
        advance(count - _wait(session.sparkContext, counting, advance))
        # toLocalIterator is a job per task, and runs one after another.
        small = _bytes_held(session.sparkContext, results.id()) <= _AT_ONCE_BYTES
        yield from map(pickle.loads, results.collect() if small else results.toLocalIterator())
    finally:
        results.unpersist()


def _summed(numbered: "RDD[tuple[int, bytes]]", sums: Sums) -> "RDD[bytes]":
    """The sums of the last ranges, each by a task that holds one of its members at a time."""
    for count in sums.counts:
        # Sorted on disk, beyond what a worker may hold.
        near = numbered.repartitionAndSortWithinPartitions(count, partial(_range, sums.wide))
        numbered = near.mapPartitions(partial(_added, sums.add))
    return numbered.values()


def _range(wide: int, number: int) -> int:
    return number // wide


def _added(add: Callable[[Numbered], Numbered], members: Numbered) -> Numbered:
    return _pickled_numbered(add, ((number, pickle.loads(part)) for number, part in members))  # noqa: S301 - our own


def _pickled_numbered(
    work: Callable[[Iterable[S]], Numbered], slices: Iterable[S]
) -> Iterator[tuple[int, bytes]]:
    gc.freeze()
    for number, result in work(slices):
        yield number, pickle.dumps(result, pickle.HIGHEST_PROTOCOL)


def _bytes_held(context: "SparkContext", rdd: int) -> int:
    """What the executors hold of a persisted RDD."""
    held = context._jsc.sc().getRDDStorageInfo()  # noqa: SLF001 - Python has no other way
    return sum(info.memSize() + info.diskSize() for info in held if info.id() == rdd)


def _pickled(work: Callable[[Iterable[S]], Iterable[T]], slices: Iterable[S]) -> Iterator[bytes]:
    """In a task: Spark's own pickler is written in Python, and takes longer than the scan."""
    gc.freeze()  # after a task its worker looks for garbage, in all that is imported too
    for result in work(slices):
        yield pickle.dumps(result, pickle.HIGHEST_PROTOCOL)


def _wait(context: "SparkContext", job: Any, advance: Advance) -> int:
    """Wait for a job; the number of its tasks that were told of as they were completed."""
    tracker, known = context.statusTracker(), 0
    while not job.isDone():
        time.sleep(_POLL_S)
        infos = [tracker.getJobInfo(id_) for id_ in job.jobIds()]
        stages = [tracker.getStageInfo(stage) for info in infos if info for stage in info.stageIds]
        done = sum(stage.numCompletedTasks for stage in stages if stage)
        advance(done - known)
        known = done
    job.get()
    return known
