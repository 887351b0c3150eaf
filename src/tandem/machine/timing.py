"""How long each stage takes and how much memory the process tree holds while it runs."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

from tandem.records import STAGES


class Stopwatch:
    """Seconds per stage and in all, on a monotonic clock. Tracking calls stand outside.

    The total begins where this is made. `seconds`: so far, by the names in `records.STAGES`.
    `look` is called before every stage; what it raises ends the work.
    """

    def __init__(self) -> None:
        self.look: Callable[[], None] = lambda: None
        self._begin = time.perf_counter()
        self._end: float | None = None
        self.seconds = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to stage `name`."""
        self.look()
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - begin

    def stop(self) -> None:
        """End the total."""
        self._end = time.perf_counter()

    def metrics(self) -> dict[str, float]:
        """In s: `time/<stage>_s`, `time/total_s`, `time/unaccounted_s` = total minus the stages."""
        total = (self._end or time.perf_counter()) - self._begin
        times = {f"time/{name}_s": value for name, value in self.seconds.items()}
        unaccounted = total - sum(self.seconds.values())
        return times | {"time/total_s": total, "time/unaccounted_s": unaccounted}


class MemorySampler:
    """Peak resident memory of this process and its children, sampled in a thread in a `with` block.

    `peak_mb`: the most so far, in units of 10^6 bytes. `without`: the process id of a child that
    has no part in the work.
    """

    def __init__(self, interval_s: float = 0.2, without: int | None = None) -> None:
        self._without = without
        self._interval = interval_s
        self._seen: set[int] = set()  # processes whose parents are known
        self._ours = {os.getpid()}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory-sampler", daemon=True)
        self.peak_mb = 0.0

    def __enter__(self) -> Self:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self._sample()

    def _sample(self) -> None:
        self.peak_mb = max(self.peak_mb, self._resident_bytes() / 1e6)

    def _resident_bytes(self) -> int:
        """Of this process and its children, all but one."""
        import psutil  # noqa: PLC0415 - Spark's workers need not have it

        running, parents, total = {*psutil.pids()}, dict[int, int](), 0
        for pid in running - self._seen:  # to ask all of a busy machine takes milliseconds
            with suppress(psutil.Error):  # it ended while we looked
                parents[pid] = psutil.Process(pid).ppid()
        self._seen, self._ours = running, self._ours & running
        while more := {pid for pid, of in parents.items() if of in self._ours} - self._ours:
            self._ours |= more
        for pid in self._ours - {self._without}:
            with suppress(psutil.Error):
                total += int(psutil.Process(pid).memory_info().rss)
        return total
