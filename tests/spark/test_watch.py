"""A watch on a real session: what Spark says while it runs ends its jobs, what it said does not."""

import time
from collections.abc import Iterator

import pytest
from py4j.protocol import Py4JJavaError

from tandem.spark import start_session
from tandem.spark.executors import Watch
from tests.tasks import make_task

ENDED = "ERROR Utils: Uncaught exception in thread kill-executor-thread\n"


@pytest.mark.slow
@pytest.mark.usefixtures("one_session")
def test_only_what_is_said_from_now_on_ends_a_job() -> None:
    """One JVM, and what it says, serve the sessions of a process one after another."""
    context = start_session(make_task().spark, "watch").sparkContext
    said = [ENDED]

    def wait(seconds: float) -> int:
        def sleep(rows: Iterator[int]) -> Iterator[int]:
            time.sleep(seconds)
            yield from rows

        return context.parallelize([1], 1).mapPartitions(sleep).count()

    watch = Watch(context, 60.0, lambda: "".join(said))
    try:
        assert wait(3.0) == 1
        said.append(ENDED)
        with pytest.raises(Py4JJavaError, match="an executor does not answer"):
            wait(20.0)
    finally:
        watch.end()
