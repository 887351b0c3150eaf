"""One job of a sweep: started unless it has finished before, followed to its end, judged."""

import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from tandem.beside import ask, helper_socket, store_uri
from tandem.errors import IncompleteError
from tandem.machine import Place, locked, start_child, stop_children
from tandem.sweeps.jobs import Job
from tandem.sweeps.outcomes import Outcome, Status
from tandem.tracking import (
    FINISHED,
    RUNNING,
    Attempt,
    attempts,
    flush,
    is_over,
    key_of,
    read_outcome,
    stop_under,
)

_PAUSE = 0.1  # seconds between two looks at a job of another sweep
_SILENT = "ended without finishing its run"


class Runner:
    """Runs jobs under the run with the key `parent`, from several threads, until it is stopped.

    `experiment`: where it looks for finished runs of the same jobs; None: nowhere.

    A job's lock is held by its process too. Whoever has the lock knows that no other process of
    the job is alive, so that what the store says of it is final.
    """

    def __init__(self, parent: str, experiment: str | None, say: Callable[[str], None]) -> None:
        self._parent, self._experiment, self._say = parent, experiment, say
        self._place = Place(parent, store_uri(), helper_socket())
        self._gate = threading.Lock()
        self._stopping = False
        self._processes: set[subprocess.Popen[str]] = set()

    def run(self, job: Job) -> Outcome:
        """How the job ended: done where its run is FINISHED, whatever its process returned.

        Raises IncompleteError where the runner is stopped before the job has begun.
        """
        with locked(self._parent, job.key, wait=self._go_on) as lock:
            if self._experiment and (done := self._finished_before(job, self._experiment)):
                return Outcome(job, Status.SKIPPED, done.seconds, 0, done.run_id, done.rmse)
            begin = time.perf_counter()
            with TemporaryDirectory() as place:
                told = Path(place, "outcome")
                process = self._start(job, lock, told)
                message = self._follow(job, process)
                seconds = time.perf_counter() - begin
                return _judged(job, process.returncode, seconds, told, message)

    def stop(self) -> None:
        """End all processes, start no more."""
        with self._gate:
            self._stopping = True
            alive = list(self._processes)
        stop_under(self._parent)
        stop_children(alive)

    def _go_on(self) -> None:
        if self._stopping:
            raise IncompleteError("the sweep ends")

    def _finished_before(self, job: Job, experiment: str) -> Attempt | None:
        for attempt in ask(attempts, experiment, job.key):
            if attempt.status == RUNNING:
                self._await(attempt)
        ask(flush)
        found = ask(attempts, experiment, job.key)
        return next((attempt for attempt in found if attempt.status == FINISHED), None)

    def _await(self, attempt: Attempt) -> None:
        """Wait for the end of a job whose sweep is gone: it may finish yet."""
        if is_over(ask(key_of, attempt.parent)):  # else another sweep is at it
            while not is_over(attempt.key):
                self._go_on()
                time.sleep(_PAUSE)

    def _start(self, job: Job, lock: int, told: Path) -> subprocess.Popen[str]:
        with self._gate:
            self._go_on()
            process = start_child(
                [*job.options, *job.overrides],
                replace(self._place, job=job.key, outcome=str(told)),
                keep=(lock,),
                # On a terminal, what a job prints would tear the bar.
                stdout=subprocess.PIPE if sys.stdout.isatty() else None,
                stderr=subprocess.PIPE,
            )
            self._processes.add(process)
        return process

    def _follow(self, job: Job, process: subprocess.Popen[str]) -> str:
        """Wait for the end; the last line of standard error, all of which is shown."""
        prefix = f"[{job.number} {job.label}] " if job.label else f"[{job.number}] "
        last = deque([_SILENT], maxlen=1)
        readers = [
            threading.Thread(target=self._show, args=each, daemon=True)
            for each in ((process.stderr, prefix, last), (process.stdout, "", last.copy()))
        ]
        for reader in readers:
            reader.start()
        process.wait()
        with self._gate:
            self._processes.discard(process)
        if process.stdin:
            process.stdin.close()
        for reader in readers:
            reader.join(timeout=2)  # a process that outlives the child may hold the pipe
        return last[0]

    def _show(self, stream: IO[str] | None, prefix: str, seen: deque[str]) -> None:
        if stream is None:
            return
        with stream as lines:
            for line in filter(None, map(str.rstrip, lines)):
                seen.append(line)
                self._say(f"{prefix}{line}")


def _judged(job: Job, code: int, seconds: float, told: Path, message: str) -> Outcome:
    """How a job ended, by what its process has told of its run, if it has."""
    status, run_id, rmse = read_outcome(told)
    if status == FINISHED:
        return Outcome(job, Status.DONE, seconds, code, run_id, rmse)
    return Outcome(job, Status.FAILED, seconds, code, run_id, message=message)
