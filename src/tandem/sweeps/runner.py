"""One job of a sweep: started unless it has finished before, followed to its end, judged."""

import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import IO

from tandem.beside import ask, helper_socket
from tandem.errors import IncompleteError
from tandem.machine import Place, held, locked, start_child, stop_children
from tandem.sweeps.jobs import Job
from tandem.sweeps.outcomes import Outcome, Status
from tandem.tracking import FINISHED, RUNNING, Attempt, attempts, end_unfinished, tracking_uri

SWEEP_LOCK = "sweep"  # beside the locks of a parent's jobs: held while the sweep lives
_SILENT = "ended without finishing its run"


class Runner:
    """Runs jobs under one parent, from several threads, until it is stopped.

    A job's lock is held by its process too. Whoever has the lock knows that no other process of
    the job is alive, so that what the store says of it is final.
    """

    def __init__(
        self, parent: str, experiment: str, *, resume: bool, say: Callable[[str], None]
    ) -> None:
        self._parent, self._experiment = parent, experiment
        self._resume, self._say = resume, say
        self._place = Place(parent, ask(tracking_uri), helper_socket())
        self._gate = threading.Lock()
        self._stopping = False
        self._processes: set[subprocess.Popen[str]] = set()

    def run(self, job: Job) -> Outcome:
        """How the job ended: done where its run is FINISHED, whatever its process returned.

        Raises IncompleteError where the runner is stopped before the job has begun.
        """
        with locked(self._parent, job.key, wait=self._go_on) as lock:
            if self._resume and (done := self._finished_before(job)):
                return Outcome(job, Status.SKIPPED, done.seconds, 0, done.run_id, done.rmse)
            begin = time.perf_counter()
            process = self._start(job, lock)
        message = self._follow(job, process)
        return self._judge(job, process.returncode, time.perf_counter() - begin, message)

    def stop(self) -> None:
        """End all processes, start no more."""
        with self._gate:
            self._stopping = True
            alive = list(self._processes)
        stop_children(alive)

    def _go_on(self) -> None:
        if self._stopping:
            raise IncompleteError("the sweep ends")

    def _finished_before(self, job: Job) -> Attempt | None:
        for attempt in ask(attempts, self._experiment, job.key):
            if attempt.status == RUNNING:
                self._conclude(attempt, job.key)
        found = ask(attempts, self._experiment, job.key)
        return next((attempt for attempt in found if attempt.status == FINISHED), None)

    def _conclude(self, attempt: Attempt, key: str) -> None:
        if attempt.parent == self._parent:
            ask(end_unfinished, attempt.run_id)
            return
        with held(attempt.parent, SWEEP_LOCK) as dead:
            pass
        if dead:  # else another sweep is at it
            with locked(attempt.parent, key, wait=self._go_on):
                ask(end_unfinished, attempt.run_id)

    def _start(self, job: Job, lock: int) -> subprocess.Popen[str]:
        with self._gate:
            self._go_on()
            process = start_child(
                [*job.options, *job.overrides],
                replace(self._place, job=job.key),
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

    def _judge(self, job: Job, code: int, seconds: float, message: str) -> Outcome:
        found = ask(attempts, self._experiment, job.key)
        own = [attempt for attempt in found if attempt.parent == self._parent]
        for attempt in own:
            if attempt.status == RUNNING or self._stopping:
                ask(end_unfinished, attempt.run_id, killed=self._stopping)
            if attempt.status == FINISHED:
                return Outcome(job, Status.DONE, seconds, code, attempt.run_id, attempt.rmse)
        run_id = own[0].run_id if own else ""
        return Outcome(job, Status.FAILED, seconds, code, run_id, message=message)
