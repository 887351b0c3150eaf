"""The threads of one machine: two of them work on a stretch, and share what its reader holds.

A reader holds a page and a dictionary of every column, most of the memory of a scan. Decoding takes
less than half of its time: one thread decodes while the other works on what it has decoded.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

from tandem.row_groups import Stretch

A = TypeVar("A")
B = TypeVar("B")
T_co = TypeVar("T_co", covariant=True)

_SHARING = 2  # threads that work on a stretch
_AHEAD = 1  # pieces that wait for a thread: the first of a row group takes longer to decode


class Together(Protocol):
    """map(worker(), pieces), with a worker() for every thread."""

    def __call__(
        self, worker: Callable[[], Callable[[A], B]], pieces: Iterator[A]
    ) -> Iterator[B]: ...


class Work(Protocol[T_co]):
    """What is done with a stretch, by calling `together` once."""

    def __call__(self, stretch: Stretch, together: Together = ...) -> T_co: ...


def alone(worker: Callable[[], Callable[[A], B]], pieces: Iterator[A]) -> Iterator[B]:
    """Together, on this thread."""
    # map holds no piece while the next one is decoded, as a loop's variable would.
    return map(worker(), pieces)


def in_order(work: Work[T_co], stretches: Sequence[Stretch], threads: int) -> Iterator[T_co]:
    """work(stretch) for every one in their order, on `threads` threads, few results ahead."""
    if threads == 1:
        yield from map(work, stretches)
        return
    sharing = max(_SHARING, threads // max(len(stretches), 1))
    waiting: deque[Future[T_co]] = deque()
    with ThreadPoolExecutor(threads, "scan") as pool:
        try:
            for stretch in stretches:
                # A thread helps until there is no piece left to take, then leads the next stretch.
                team = _Team()
                waiting.append(pool.submit(team.lead, work, stretch))
                for _ in range(sharing - 1):
                    pool.submit(team.help)
                if len(waiting) > threads + 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


class _Team:
    """Threads that work on one stretch; the one that leads adds up what they find."""

    def __init__(self) -> None:
        self._shared: Future[_Shared[Any, Any] | None] = Future()

    def lead(self, work: Work[T_co], stretch: Stretch) -> T_co:
        try:
            return work(stretch, self._together)
        finally:
            if not self._shared.done():
                self._shared.set_result(None)

    def help(self) -> None:
        if shared := self._shared.result():
            shared.help()

    def _together(self, worker: Callable[[], Callable[[A], B]], pieces: Iterator[A]) -> Iterator[B]:
        shared = _Shared(worker, pieces)
        self._shared.set_result(shared)
        return shared.parts()


class _Shared(Generic[A, B]):
    """Pieces that threads take in turn, and what each of them came to."""

    def __init__(self, worker: Callable[[], Callable[[A], B]], pieces: Iterator[A]) -> None:
        self._worker, self._pieces = worker, pieces
        self._decoding = Lock()
        self._ended = False
        self._ready: deque[tuple[list[A], Future[B]]] = deque()
        self._parts: deque[Future[B]] = deque()

    def parts(self) -> Iterator[B]:
        """What the pieces came to, in their order; this thread does its share of the work."""
        work = self._worker()
        try:
            while self._one(work):
                while self._parts and self._parts[0].done():
                    yield self._parts.popleft().result()
            while self._parts:
                yield self._parts.popleft().result()
        finally:
            self._ended = True

    def help(self) -> None:
        """Work on pieces until all are decoded."""
        work = self._worker()
        while not self._ended and self._one(work):
            pass

    def _one(self, work: Callable[[A], B]) -> bool:
        """Work on the next piece; whether there was one."""
        if not (taken := self._take()):
            return False
        piece, part = taken
        try:
            part.set_result(work(piece.pop()))
        except Exception as error:  # noqa: BLE001 - raised where the part is asked for
            part.set_exception(error)
        return True

    def _take(self) -> tuple[list[A], Future[B]] | None:
        """The next piece, and what it will come to; before, more are decoded if nobody does."""
        while True:
            while len(self._ready) <= _AHEAD and not self._ended:
                if not self._decoding.acquire(blocking=not self._ready):
                    break
                self._decode()
                self._decoding.release()
            with suppress(IndexError):  # another thread may have taken it
                return self._ready.popleft()
            if self._ended:
                return None

    def _decode(self) -> None:
        part: Future[B] = Future()
        piece: list[A] = []
        try:
            piece += islice(self._pieces, 1)
        except Exception as error:  # noqa: BLE001 - raised where the part is asked for
            part.set_exception(error)
        if piece or part.done():
            self._parts.append(part)
        if piece:
            self._ready.append((piece, part))
        else:
            self._ended = True
