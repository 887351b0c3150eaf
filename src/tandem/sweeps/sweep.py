"""A sweep: its jobs as processes, several at once, under one parent run that counts them."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tandem.beside import ask, later, store_uri
from tandem.errors import IncompleteError, TrackingError
from tandem.machine import forget_locks, lock_name, locked, write_atomically
from tandem.progress import Display
from tandem.redaction import shown
from tandem.settings import SweepKeys, Tracking
from tandem.sweeps import outcomes
from tandem.sweeps.jobs import Job, sweep_key
from tandem.sweeps.outcomes import Outcome, Status
from tandem.sweeps.runner import Runner
from tandem.tracking import (
    BEST_TAG,
    SWEEP_TAG,
    Record,
    Run,
    artifacts_in,
    flush,
    keep_record,
    latest_sweep,
    links,
    log_progress,
    opened_store,
    tracked,
)

_NAMED = 4  # keys in the name of a parent


def sweep(jobs: Sequence[Job], keys: SweepKeys, where: Tracking, folder: Path) -> None:
    """Run every job; keep the parent run, and `results.csv` in `folder`, up to date as they end.

    With `keys.resume`, jobs of which there is a finished run are skipped, and the newest parent of
    the same set of jobs is reopened. Raises IncompleteError where a job failed, or where the sweep
    to be resumed is running.
    """
    experiment = opened_store(where) if keys.resume else None
    display = Display("sweep")
    with _parent(where, experiment, jobs) as run:
        runner = Runner(run.key, experiment, display.line)
        ended: list[Outcome] = []
        with display.stage("running"):
            advance = display.begin(len(jobs), "jobs")

            def take(outcome: Outcome) -> None:
                ended.append(outcome)
                _record(run, ended, folder, resumed=keys.resume)
                advance(1)

            _in_parallel(jobs, runner, keys.jobs, take)
        _show(run, ended, display)
    forget_locks(run.key)


@contextmanager
def _parent(where: Tracking, experiment: str | None, jobs: Sequence[Job]) -> Iterator[Run]:
    """The parent run, claimed by this process to its end; in `experiment` the newest goes on."""
    key, name = sweep_key(jobs), _name(jobs)
    tags = {"kind": "sweep", SWEEP_TAG: key}
    with ExitStack() as stack:
        # Two that resume at the same moment find, or make, one after the other.
        with locked(f"sweep-{lock_name(store_uri(), experiment or '', key)}"):
            old = None
            if experiment and "MLFLOW_RUN_ID" not in os.environ:
                ask(flush)
                old = ask(latest_sweep, experiment, key)
            run = stack.enter_context(tracked(where, name, tags, old))
            if experiment:
                run.wait()
        yield run


def _name(jobs: Sequence[Job]) -> str:
    """`sweep` and the keys that are swept."""
    keys = dict.fromkeys(word.partition("=")[0] for job in jobs for word in job.swept)
    return "-".join(("sweep", *keys)) if len(keys) <= _NAMED else "sweep"


def _in_parallel(
    jobs: Sequence[Job], runner: Runner, at_once: int, take: Callable[[Outcome], None]
) -> None:
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for future in as_completed([pool.submit(runner.run, job) for job in jobs]):
                take(future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            runner.stop()
            raise


def _record(run: Run, ended: Sequence[Outcome], folder: Path, *, resumed: bool) -> None:
    """How the jobs have ended so far: kept, and shown where the store answers."""
    text = outcomes.to_csv(ended)
    write_atomically(folder / "results.csv", text)
    write_atomically(artifacts_in(run.folder) / "sweep" / "results.csv", text)
    counts = outcomes.counts(ended)
    told = [status for status in Status if resumed or status is not Status.SKIPPED]
    metrics = tuple((f"sweep/{status}", float(counts[status]), 0) for status in told)
    tags = {"mlflow.note.content": outcomes.table(ended)}
    if winner := outcomes.best(ended):
        tags[BEST_TAG] = winner.run_id
    record = Record(metrics=metrics, tags=tags)
    keep_record(run.folder, record)
    later(log_progress, run.key, record)


def _show(run: Run, ended: Sequence[Outcome], display: Display) -> None:
    """The table, a line per failure. Raises IncompleteError where there is one."""
    sys.stdout.write(shown(outcomes.for_terminal(ended)))
    with suppress(TrackingError):
        if run.id:
            sys.stdout.write(f"{ask(links, run.id)}\n")
    failures = [one for one in outcomes.by_number(ended) if one.status is Status.FAILED]
    for one in failures:
        display.line(f"tandem: {one.sentence()}")
    if failures:
        raise IncompleteError(
            f"sweep: {len(failures)} of {len(ended)} jobs failed -> "
            "sweep.resume=true runs only these again"
        )
