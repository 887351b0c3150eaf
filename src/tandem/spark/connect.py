"""Spark Connect: a session by gRPC, without a JVM here; tasks get Arrow batches, no RDDs."""

import pickle
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

from tandem.errors import MachineError
from tandem.records import Advance
from tandem.results import SparkFacts
from tandem.settings import SparkSettings

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql.connect.session import SparkSession as RemoteSession

S = TypeVar("S")
T = TypeVar("T")

_LACKING = "Spark Connect is not installed -> pip install 'tandem[connect]'"
_CHUNK = 2**20  # bytes of a row of results: a message of gRPC holds 128 MB at most
_work_done: dict[str, list[int]] = {}  # jobs and tasks, by session


def is_remote(session: object) -> "TypeGuard[RemoteSession]":
    """Whether it is one of Connect."""
    return type(session).__module__.startswith("pyspark.sql.connect.")


def active() -> "RemoteSession | None":
    """The session of Connect that this process works with, where it has one."""
    module = sys.modules.get("pyspark.sql.connect.session")
    return module.SparkSession.getActiveSession() if module else None


def by_connect(settings: SparkSettings) -> bool:
    """Whether a session of `start_session` is one of Connect."""
    return settings.master.startswith("sc://") or active() is not None


def connected(settings: SparkSettings) -> "RemoteSession":
    """A new session of the server that `settings.master` names; it has the server's settings.

    Raises MachineError where it does not answer, or the libraries are missing.
    """
    try:
        import grpc  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
        from pyspark.errors import PySparkException  # noqa: PLC0415
        from pyspark.sql.connect.client.retries import DefaultPolicy  # noqa: PLC0415
        from pyspark.sql.connect.session import SparkSession  # noqa: PLC0415
    except ImportError as error:
        raise MachineError(f"spark.master: {settings.master}: {_LACKING}") from error
    try:
        session: RemoteSession = SparkSession.builder.remote(settings.master).create()
        # It would ask a server that is gone for ten minutes: 4 s, and every 10 s after them.
        policy = DefaultPolicy(max_retries=4 + settings.wait_s // 10, max_backoff=10_000)
        session.client.set_retry_policies([policy])
        _ = session.version
    except (PySparkException, grpc.RpcError) as error:
        said = " ".join(str(error).split())[:300]
        raise MachineError(
            f"spark.master: {settings.master}: no session: {said} -> is it the address of a "
            "Connect server? spark=connect spark.master=sc://host:15002"
        ) from error
    return session


def disconnect(session: "RemoteSession") -> None:
    """End a session of `connected`, also where the server is gone."""
    session.client.set_retry_policies([])
    session.stop()


def remote_cores(session: "RemoteSession") -> int:
    """Cores of its executors, by the partitions that Spark makes where nobody says how many."""
    return session.range(10**6).selectExpr("spark_partition_id()").distinct().count()


def remote_results(
    session: "RemoteSession",
    work: Callable[[Iterable[S]], Iterable[T]],
    slices: Sequence[S],
    advance: Advance,
) -> Iterator[T]:
    """As `results_in_order`; the server holds all results until they are fetched.

    Each task is told of all slices, and takes its own.
    """
    told = _Progress(advance)
    session.registerProgressHandler(told)  # type: ignore[arg-type]  # it gets keywords
    try:
        tasks = session.range(0, len(slices), 1, len(slices))
        found = tasks.mapInArrow(_Task(work, [*map(pickle.dumps, slices)]), "i long, b binary")
        done = _work_done.setdefault(session.session_id, [0, 0])
        done[0], done[1] = done[0] + 1, done[1] + len(slices)
        number, chunks = 0, list[bytes]()
        for row in found.toLocalIterator():
            if row["i"] != number:
                yield from _unpickled(chunks)
                number, chunks = row["i"], []
            chunks.append(row["b"])
        yield from _unpickled(chunks)
        told.all(len(slices))
    finally:
        session.removeProgressHandler(told)  # type: ignore[arg-type]  # the same


def remote_facts(session: "RemoteSession", settings: SparkSettings) -> SparkFacts:
    """What the server says of its settings; jobs and tasks are those of `remote_results`."""
    conf = {key: str(value) for key, value in session.conf.getAll.items()}
    names = ("executor.cores", "executor.instances", "executor.memory", "driver.memory")
    shown = {name: conf.get(f"spark.{name}", "default") for name in names}
    shown |= {"master": settings.master, "version": session.version}
    jobs, tasks = _work_done.get(session.session_id, (0, 0))
    return SparkFacts(
        log="",
        conf=conf,
        settings={f"spark.{key}": value for key, value in shown.items()},
        jobs=jobs,
        tasks=tasks,
    )


class _Task:
    """What a task does with its number: the results of its slice, pickled, a chunk a row."""

    def __init__(self, work: Callable[[Iterable[S]], Iterable[T]], slices: list[bytes]) -> None:
        self._work, self._slices = work, slices

    def __call__(self, batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa  # noqa: PLC0415 - in the worker

        schema = pa.schema([("i", pa.int64()), ("b", pa.binary())])
        for batch in batches:
            for number in batch.column(0).to_pylist():
                results = [*self._work([pickle.loads(self._slices[number])])]  # noqa: S301 - ours
                whole = pickle.dumps(results, pickle.HIGHEST_PROTOCOL)
                for start in range(0, len(whole), _CHUNK):
                    rows = {"i": [number], "b": [whole[start : start + _CHUNK]]}
                    yield pa.RecordBatch.from_pydict(rows, schema=schema)


class _Progress:
    """Tells of tasks as they are done; it is called from a thread of Spark's."""

    def __init__(self, advance: Advance) -> None:
        self._advance, self._told, self._lock = advance, 0, threading.Lock()

    def __call__(self, *, stages: Iterable[Any], **_: object) -> None:
        self.all(sum(stage.num_completed_tasks for stage in stages))

    def all(self, done: int) -> None:
        """So many are done by now."""
        with self._lock:
            self._advance(max(done - self._told, 0))
            self._told = max(done, self._told)


def _unpickled(chunks: Sequence[bytes]) -> Iterator[Any]:
    if chunks:
        yield from pickle.loads(b"".join(chunks))  # noqa: S301 - what our own tasks wrote
