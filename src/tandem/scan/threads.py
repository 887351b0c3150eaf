"""The threads of one machine: they take pieces in turn, and what these come to is added in order.

The thread that adds up does its share of the work meanwhile.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from threading import Lock, Semaphore
from typing import Any, Protocol, TypeVar

from tandem.scan.cuts import Stretch
from tandem.scan.ranges import Add
from tandem.scan.row_groups import Tell

A_co = TypeVar("A_co", covariant=True)
T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

# Parts for every thread that may wait for being added.
_AHEAD = 3


class Pieces(Protocol[A_co]):
    """Calls for pieces of stretches, in order; `counts`: how many there are for each."""

    counts: tuple[int, ...]

    def __next__(self) -> Callable[[], Iterator[A_co]]: ...

    def __iter__(self) -> Iterator[Callable[[], Iterator[A_co]]]: ...

    def stop(self) -> None:
        """No piece is taken any more; one that waits for another is to fail."""


class Work(Protocol[T_co]):
    """What is done with stretches: worker()(piece) -> part; total(parts) -> a stretch's result."""

    def pieces(self, stretches: Sequence[Stretch], threads: int, /) -> Pieces[Any]:
        """The rows of `stretches`, piece by piece, for so many threads."""

    def worker(self) -> Callable[[Any], Any]:
        """What a thread does with a piece."""

    def total(self, parts: Iterable[Any], /) -> T_co:
        """What the parts of a stretch come to, in their order."""


class Run(Protocol):
    """work(stretch) for every one of the stretches, in their order: by threads, or by Spark."""

    def __call__(self, work: Work[T], stretches: Sequence[Stretch], /) -> Iterator[T]: ...


class AddUp(Protocol):
    """The sums of the last ranges of the files, as `summed` has them, of work(stretch)."""

    def __call__(
        self, work: Work[T], stretches: Sequence[Stretch], add: Add[T], /
    ) -> Iterator[T]: ...


@dataclass(frozen=True, slots=True)
class Ways:
    """How a scan is run; where footers are read and sums of files added: None: in this process."""

    run: Run
    tell: Tell | None = None
    add_up: AddUp | None = None


def in_order(work: Work[T_co], stretches: Sequence[Stretch], threads: int = 1) -> Iterator[T_co]:
    """The result of every one of `stretches` in their order, by so many threads.

    What is raised by the work on a piece is raised here, when its turn has come.
    """
    pieces = work.pieces(stretches, threads)
    if threads == 1:
        # map holds no piece while the next one is decoded, as a loop's variable would.
        yield from _totals(work, pieces, map(partial(_parts, work.worker()), pieces))
        return
    crew = _Crew(work, pieces, threads)
    with ThreadPoolExecutor(threads - 1, "scan") as pool, closing(crew):
        for _ in range(threads - 1):
            pool.submit(crew.help)
        yield from _totals(work, pieces, crew.parts())


def _parts(worker: Callable[[Any], Any], call: Callable[[], Iterator[Any]]) -> list[Any]:
    """What the pieces of one call come to."""
    return [*map(worker, call())]


def _totals(work: Work[T_co], pieces: Pieces[Any], parts: Iterator[list[Any]]) -> Iterator[T_co]:
    """`parts`: of every call."""
    for count in pieces.counts:
        yield work.total(chain.from_iterable(islice(parts, count)))


class _Crew:
    """Threads that take calls in turn, one of them by the way."""

    def __init__(self, work: Work[object], pieces: Pieces[Any], threads: int) -> None:
        self._work, self._pieces, self._threads = work, pieces, threads
        self._taking = Lock()
        self._room = Semaphore(_AHEAD * threads)
        self._parts: deque[Future[list[Any]]] = deque()
        self._closed = False

    def parts(self) -> Iterator[list[Any]]:
        """The parts of every call, in their order; this thread works until some are to be had."""
        worker, left = self._work.worker(), True
        while True:
            if not self._parts or not self._parts[0].done():
                if left and self._room.acquire(blocking=False):
                    left = self._one(worker)
                    continue
                if not self._parts:
                    return
            yield self._parts.popleft().result()
            self._room.release()

    def help(self) -> None:
        """Work until no call is left."""
        worker = self._work.worker()
        while self._room.acquire() and not self._closed and self._one(worker):
            pass

    def close(self) -> None:
        """Let all threads end."""
        self._closed = True
        self._pieces.stop()
        self._room.release(self._threads)

    def _one(self, worker: Callable[[Any], Any]) -> bool:
        """Work on the pieces of the next call; whether there was one."""
        parts: Future[list[Any]] = Future()
        with self._taking:
            call = next(self._pieces, None)
            if call is None:
                return False
            self._parts.append(parts)
        try:
            parts.set_result(_parts(worker, call))
        except Exception as error:  # noqa: BLE001 - raised where the parts are asked for
            parts.set_exception(error)
        return True
