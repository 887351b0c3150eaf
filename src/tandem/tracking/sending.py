"""From the outbox to the store. Called by the process that has MLflow."""

import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tandem.errors import AwayError, TrackingError
from tandem.machine import leave, revoke
from tandem.tracking import outbox, runs
from tandem.tracking.folder import artifacts_in, has_dataset, has_record, read_logged, read_record
from tandem.tracking.history import FINISHED
from tandem.tracking.logged_model import (
    add_model,
    describe_model,
    finish_model,
    log_dataset,
    of_model,
)
from tandem.tracking.outbox import Ended, Entry
from tandem.tracking.record import Record
from tandem.tracking.store import Patience

_START_SECONDS = 2.0  # for the store to hear that a run begins: it is heard at the end, else


class Flushed(NamedTuple):
    """How many entries the store has got, and why it has not got the others, by their keys."""

    sent: int
    left: Mapping[str, str]


def start(key: str) -> str:
    """Open the run of an entry, and let it end as lost where its process goes away without a word.

    A warning for its user, if there is one. Raises TrackingError where the store refuses it,
    AwayError where it does not answer.
    """
    leave(key, _lost, key)
    entry = _entry(key)
    once = Patience(_START_SECONDS, again=False)
    run_id = once(runs.opened, entry)
    return "" if entry.parent else once(runs.provide_dashboard, run_id)


def deliver(key: str, patience: Patience | None = None) -> str:
    """Send all of an entry, which then is no more; the id of its run.

    Raises TrackingError and AwayError as `start`; what has been sent is not sent again.
    """
    revoke(key)
    with outbox.sending(key):
        return _sent(_entry(key), patience or Patience())


def _sent(entry: Entry, call: Patience) -> str:
    key = entry.key
    how = outbox.ended(key)
    run_id = call(runs.added_to if entry.of else runs.opened, entry)
    if how and how.status != FINISHED:
        call(runs.end, run_id, how)
    _send_record(call, entry, run_id, how)
    if how and how.status == FINISHED and not entry.of:
        call(runs.end, run_id, how)
        if not entry.parent:
            call(runs.provide_dashboard, run_id)  # there may be several sizes now
    outbox.remove(key)
    return run_id


def deliver_once(key: str, seconds: float) -> str:
    """As `deliver`, with one attempt of so many seconds for each call."""
    return deliver(key, Patience(seconds, again=False))


def settle(key: str, patience: Patience | None = None) -> bool:
    """Send an entry whose process is gone, as lost where it went without a word.

    Whether that was done: not while its process lives. Raises as `deliver`.
    """
    with outbox.sending(key):
        entry = outbox.entry_of(key)
        if entry is None or not outbox.is_over(key):
            return False
        if outbox.ended(key) is None:
            outbox.lose(key)
        _sent(entry, patience or Patience())
    return True


def _lost(key: str) -> None:
    settle(key, Patience(_START_SECONDS, again=False))


def flush() -> Flushed:
    """Send all that waits for the store in use and whose process is gone, parents first."""
    uri = outbox.address(os.environ.get("MLFLOW_TRACKING_URI", ""))
    sent, left = 0, {}
    away: AwayError | None = None
    for key in outbox.waiting(uri, str(Path.cwd())):
        try:
            if away:
                raise away
            sent += settle(key)
        except TrackingError as error:
            away = error if isinstance(error, AwayError) else None
            left[key] = str(error)
    return Flushed(sent, left)


def _entry(key: str) -> Entry:
    found = outbox.entry_of(key)
    if found is None:
        raise TrackingError(f"{outbox.place(key)}: there is no such record -> tandem send")
    return found


def _send_record(call: Patience, entry: Entry, run_id: str, how: Ended | None) -> None:
    """All that the record folder of an entry has; the metrics go last, in one batch.

    `time/log_s` counts to that batch, and is kept for where that is sent once more.
    """
    begin, folder = time.perf_counter(), outbox.record_of(entry.key)
    if artifacts_in(folder).is_dir():
        _upload(call, partial(runs.artifacts_of, run_id), artifacts_in(folder))
    model: dict[str, str] = {}
    if has_dataset(folder):
        logged = read_logged(folder)
        if logged.model.exists():
            made = call(add_model, run_id, logged)
            with describe_model(run_id, made, logged) as written:
                _upload(call, lambda: made.artifact_location, written)
            call(finish_model, run_id, made.model_id)
            model = of_model(made.model_id, logged)
        call(log_dataset, run_id, logged)
    if has_record(folder):
        record = read_record(folder)
        if model:
            taken = outbox.heard(entry.key).get("log_s") or time.perf_counter() - begin
            outbox.note(entry.key, log_s=taken)
            record = Record(record.params, (*record.metrics, ("time/log_s", taken, 0)), record.tags)
        call(runs.log_batch, run_id, record, how.at if how else None, model)
        if (place := entry.tags.get(outbox.PLACE)) is not None:
            call(runs.put_in_place, run_id, int(place))


def _upload(call: Patience, where: Callable[[], str], folder: Path) -> None:
    """Every file below `folder` by itself, so that a call that fails does not repeat the others."""
    from mlflow.store.artifact.artifact_repository_registry import (  # noqa: PLC0415 - slow
        get_artifact_repository,
    )

    target: Any = call(get_artifact_repository, call(where))
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        inside = file.parent.relative_to(folder).as_posix()
        call(target.log_artifact, str(file), None if inside == "." else inside)
