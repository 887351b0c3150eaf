"""How long each stage takes and how much memory the process tree holds while it runs."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import psutil

from tandem.records import STAGES


class Stopwatch:
    """Seconds per stage and in all, on a monotonic clock. Tracking calls stand outside."""

    def __init__(self) -> None:
        self._begin = time.perf_counter()
        self._end: float | None = None
        self.seconds = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to stage `name`."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - begin

    def stop(self) -> None:
        """End the total."""
        self._end = time.perf_counter()

    def metrics(self) -> dict[str, float]:
        """`time/<stage>_s`, `time/total_s`, and `time/unaccounted_s` = total minus the stages."""
        total = (self._end or time.perf_counter()) - self._begin
        times = {f"time/{name}_s": value for name, value in self.seconds.items()}
        unaccounted = total - sum(self.seconds.values())
        return times | {"time/total_s": total, "time/unaccounted_s": unaccounted}


class MemorySampler:
    """Peak resident memory in MB of this process and its children, sampled in a thread."""

    def __init__(self, interval_s: float = 0.2) -> None:
        self._interval = interval_s
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
        here = psutil.Process()
        resident = sum(_resident(process) for process in (here, *here.children(recursive=True)))
        self.peak_mb = max(self.peak_mb, resident / 1e6)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # the child ended while we looked
        return 0
