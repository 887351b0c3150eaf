"""A sweep: its jobs as processes, several at once, under one parent run that counts them."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tandem.beside import ask
from tandem.errors import IncompleteError
from tandem.machine import forget_locks, held, lock_name, locked, write_atomically
from tandem.progress import Display
from tandem.settings import SweepKeys, Tracking
from tandem.sweeps import outcomes
from tandem.sweeps.jobs import Job, sweep_key
from tandem.sweeps.outcomes import Outcome, Status
from tandem.sweeps.runner import SWEEP_LOCK, Runner
from tandem.tracking import (
    SWEEP_TAG,
    Record,
    latest_sweep,
    links,
    log_batch,
    log_file,
    opened_store,
    tracked,
    tracking_uri,
)

_NAMED = 4  # keys in the name of a parent


def sweep(jobs: Sequence[Job], keys: SweepKeys, where: Tracking, folder: Path) -> None:
    """Run every job; keep the parent run, and `results.csv` in `folder`, up to date as they end.

    With `keys.resume`, jobs of which there is a finished run are skipped, and the newest parent of
    the same set of jobs is reopened. Raises IncompleteError where a job failed, or where the sweep
    to be resumed is running.
    """
    experiment = opened_store(where)
    display = Display("sweep")
    with _parent(where, experiment, jobs, resume=keys.resume) as parent:
        runner = Runner(parent, experiment, resume=keys.resume, say=display.line)
        ended: list[Outcome] = []
        with display.stage("running"):
            advance = display.begin(len(jobs), "jobs")

            def take(outcome: Outcome) -> None:
                ended.append(outcome)
                _record(parent, ended, folder, resumed=keys.resume)
                advance(1)

            _in_parallel(jobs, runner, keys.jobs, take)
        _conclude(parent, ended, display)
    forget_locks(parent)


@contextmanager
def _parent(
    where: Tracking, experiment: str, jobs: Sequence[Job], *, resume: bool
) -> Iterator[str]:
    """The parent run, RUNNING and claimed by this process to its end."""
    key, name = sweep_key(jobs), _name(jobs)
    tags = {"kind": "sweep", SWEEP_TAG: key}
    with ExitStack() as claim, ExitStack() as run:
        # Two that resume at the same moment find, or make, one after the other.
        with locked(f"sweep-{lock_name(ask(tracking_uri), experiment, key)}"):
            old = None
            if resume and "MLFLOW_RUN_ID" not in os.environ:
                old = ask(latest_sweep, experiment, key)
            if old and not claim.enter_context(held(old, SWEEP_LOCK)):
                raise IncompleteError(
                    f"sweep.resume: the sweep {old} is running -> wait for its end, or end it"
                )
            parent = run.enter_context(tracked(where, name, tags, old)).id
            if not old:
                claim.enter_context(held(parent, SWEEP_LOCK))
        yield parent


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


def _record(parent: str, ended: Sequence[Outcome], folder: Path, *, resumed: bool) -> None:
    results = folder / "results.csv"
    write_atomically(results, outcomes.to_csv(ended))
    ask(log_file, parent, results, "sweep")
    counts = outcomes.counts(ended)
    told = [status for status in Status if resumed or status is not Status.SKIPPED]
    metrics = tuple((f"sweep/{status}", float(counts[status]), 0) for status in told)
    ask(log_batch, parent, Record(metrics=metrics))


def _conclude(parent: str, ended: Sequence[Outcome], display: Display) -> None:
    """The table on the parent, a line per failure. Raises IncompleteError where there is one."""
    tags = {"mlflow.note.content": outcomes.table(ended)}
    if winner := outcomes.best(ended):
        tags["sweep.best_run_id"] = winner.run_id
    ask(log_batch, parent, Record(tags=tags))
    sys.stdout.write(outcomes.for_terminal(ended))
    sys.stdout.write(f"{ask(links, parent)}\n")
    failures = [one for one in outcomes.by_number(ended) if one.status is Status.FAILED]
    for one in failures:
        display.line(f"tandem: {one.sentence()}")
    if failures:
        raise IncompleteError(
            f"sweep: {len(failures)} of {len(ended)} jobs failed -> "
            "sweep.resume=true runs only these again"
        )
