"""Runs in MLflow. Called by the process that has MLflow, for the one that has the run.

Whatever is done here finds what an earlier attempt has done, and does not do it twice.
"""

import time
from collections.abc import Mapping

from tandem.errors import TrackingError
from tandem.registry import ENGINES
from tandem.tracking import dashboard, outbox
from tandem.tracking.client import client
from tandem.tracking.history import FINISHED, RUNNING, several_sizes, with_key
from tandem.tracking.outbox import Ended, Entry
from tandem.tracking.record import KEY_TAG, Record
from tandem.tracking.store import experiment_of, open_store

BEST_TAG = "sweep.best_run_id"
_FAILURE = {"failure.class", "failure.message"}
_PARAM_LIMIT = 6000  # MLflow refuses longer values


def opened(entry: Entry) -> str:
    """The id of the run that `entry` is, RUNNING: found by its key, opened again, or created.

    The run above it is opened first. Raises TrackingError where that is nowhere.
    """
    with outbox.opening(entry.key):
        if known := outbox.heard(entry.key).get("run_id"):
            return str(known)
        parent = _known(entry.parent) if entry.parent else None
        run_id = _run(entry, parent)
        outbox.note(entry.key, run_id=run_id)
    return run_id


def _known(name: str) -> str:
    """The id of a run by its id or by the key of its entry."""
    if "-" not in name:
        return name
    if entry := outbox.entry_of(name):
        return opened(entry)
    if found := with_key(name):
        return str(found.info.run_id)
    raise TrackingError(f"{name}: its run is not in the store -> send that first")


def added_to(entry: Entry) -> str:
    """The id of the run that `entry` adds to. Raises TrackingError as `opened`."""
    return _known(entry.of)


def _run(entry: Entry, parent: str | None) -> str:
    tags = {**entry.tags, KEY_TAG: entry.key, dashboard.ORDER_TAG: _order(entry, parent)}
    if entry.run_id:
        _open_again(entry.run_id, entry.name, tags)
        return entry.run_id
    experiment = experiment_of(parent) if parent else open_store(entry.experiment)
    if found := with_key(entry.key, experiment):
        return str(found.info.run_id)
    if parent:
        tags["mlflow.parentRunId"] = parent
    made = client().create_run(experiment, start_time=entry.begun, run_name=entry.name, tags=tags)
    return str(made.info.run_id)


def _order(entry: Entry, parent: str | None) -> str:
    """What a run is sorted by: the newest comparison first, in it the engines in their order."""
    begun = client().get_run(parent).info.start_time if parent else entry.begun
    engine = entry.tags.get("engine", "")
    place = [*ENGINES].index(engine) if engine in ENGINES else 0
    return f"{10**13 - begun:013d}-{place}"


def put_in_place(run_id: str, place: int) -> None:
    """Sort a run as number `place` of its comparison, whose baseline is number 0."""
    before, _, _ = client().get_run(run_id).data.tags[dashboard.ORDER_TAG].rpartition("-")
    client().set_tag(run_id, dashboard.ORDER_TAG, f"{before}-{place}")


def _open_again(run_id: str, name: str, tags: Mapping[str, str]) -> None:
    from mlflow.entities import RunTag  # noqa: PLC0415 - slow

    store = client()
    store.update_run(run_id, status=RUNNING, name=name or None)
    for key in _FAILURE & store.get_run(run_id).data.tags.keys():
        store.delete_tag(run_id, key)
    store.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])


def provide_dashboard(run_id: str) -> str:
    """As the experiment of a run wants it by what it holds; a warning where that fails."""
    experiment = client().get_run(run_id).info.experiment_id
    standing = client().get_experiment(experiment).tags
    return dashboard.provide(experiment, standing, sizes=several_sizes(experiment))


def end(run_id: str, how: Ended) -> None:
    """End a run: first its status, then what has failed.

    One that has not finished, and that somebody else has ended by now, stays as it is.
    """
    store, status = client(), client().get_run(run_id).info.status
    if status == RUNNING or how.status == FINISHED:
        store.set_terminated(run_id, how.status, how.at)
    if status in {RUNNING, how.status}:
        for key, text in how.failure.items():
            store.set_tag(run_id, f"failure.{key}", text)


def log_batch(
    run_id: str, record: Record, at: int | None = None, model: Mapping[str, str] | None = None
) -> None:
    """Send params, metrics and tags in one call; params that stand already are left alone.

    `at`: when, in ms; None: now. `model`: whose page shows the metrics of the cross-validation,
    too, as `of_model` has it. `mlflow run` has logged each -P as a param before the program
    starts, and params never change.
    """
    from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415 - slow

    store = client()
    standing = store.get_run(run_id).data.params
    now = at or int(time.time() * 1000)
    store.log_batch(
        run_id,
        metrics=[
            Metric(key, value, now, step, **(model or {} if key.startswith("cv/") else {}))
            for key, value, step in record.metrics
        ],
        params=[
            Param(key, value[:_PARAM_LIMIT])
            for key, value in record.params.items()
            if key not in standing
        ],
        tags=[RunTag(key, _told(key, value)) for key, value in record.tags.items()],
    )


def _told(tag: str, value: str) -> str:
    """What a tag says; the id of a run that was known by its key when that was written."""
    return _known(value) if tag == BEST_TAG else value


def artifacts_of(run_id: str) -> str:
    """Where the store has the artifacts of a run."""
    return str(client().get_run(run_id).info.artifact_uri)


def log_progress(key: str, record: Record) -> None:
    """What is known so far of a run that goes on, where the store has heard of it."""
    if run_id := outbox.heard(key).get("run_id"):
        log_batch(run_id, Record(metrics=record.metrics))
