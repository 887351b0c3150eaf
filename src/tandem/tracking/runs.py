"""Runs in MLflow. Called by the process that has MLflow, for the one that has the run."""

import os
import time
from collections.abc import Mapping
from getpass import getuser
from pathlib import Path
from typing import NamedTuple

from tandem.engines import ENGINES
from tandem.machine import JOB_KEY, leave, revoke
from tandem.settings import Tracking
from tandem.tracking import dashboard
from tandem.tracking.client import client
from tandem.tracking.folder import artifacts, read_logged, read_record
from tandem.tracking.history import FINISHED, JOB_TAG, RUNNING, end_unfinished, several_sizes
from tandem.tracking.logged_model import log_dataset, log_model, of_model
from tandem.tracking.record import Record
from tandem.tracking.store import answering, open_store

_FAILURE = {"failure.class", "failure.message"}
_PARAM_LIMIT = 6000  # MLflow refuses longer values


class Opened(NamedTuple):
    """A run that is RUNNING, and a warning for its user, if there is one."""

    run_id: str
    warning: str


def start(where: Tracking, name: str, tags: Mapping[str, str], reopen: str | None) -> Opened:
    """Open a run, whose starter ends it; if that goes away, it ends as lost.

    Where `mlflow run` has created a run (MLFLOW_RUN_ID), that one is used, else `reopen`, a run
    that has ended. No run is made active. Raises TrackingError where the store does not answer.
    """
    experiment = open_store(where)
    warning = ""
    with answering():
        store = client()
        if not where.parent_run_id:
            warning = _dashboard(experiment)
        tags = {**tags, dashboard.ORDER_TAG: _order(where.parent_run_id, tags.get("engine", ""))}
        run_id = os.environ.get("MLFLOW_RUN_ID") or reopen
        if run_id:
            _open_again(run_id, name, tags)
        else:
            own = {"mlflow.user": getuser(), "mlflow.source.name": "tandem", **tags}
            if where.parent_run_id:
                own["mlflow.parentRunId"] = where.parent_run_id
            if job := os.environ.get(JOB_KEY):
                own[JOB_TAG] = job
            run_id = str(store.create_run(experiment, run_name=name, tags=own).info.run_id)
    leave(run_id, end_unfinished, run_id)
    return Opened(run_id, warning)


def _dashboard(experiment: str) -> str:
    """Provide it, as it is wanted by what the experiment holds; a warning where that fails."""
    standing = client().get_experiment(experiment).tags
    return dashboard.provide(experiment, standing, sizes=several_sizes(experiment))


def _order(parent: str | None, engine: str) -> str:
    """What a run is sorted by: the newest comparison first, in it the engines in their order."""
    begun = client().get_run(parent).info.start_time if parent else int(time.time() * 1000)
    place = [*ENGINES].index(engine) if engine in ENGINES else 0
    return f"{10**13 - begun:013d}-{place}"


def put_in_place(run_id: str, place: int) -> None:
    """Sort a run as number `place` of its comparison, whose baseline is number 0."""
    before, _, _ = client().get_run(run_id).data.tags[dashboard.ORDER_TAG].rpartition("-")
    client().set_tag(run_id, dashboard.ORDER_TAG, f"{before}-{place}")


def _open_again(run_id: str, name: str, tags: Mapping[str, str]) -> None:
    from mlflow.entities import RunTag  # noqa: PLC0415 - slow

    store = client()
    store.update_run(run_id, status="RUNNING", name=name)
    for key in _FAILURE & store.get_run(run_id).data.tags.keys():
        store.delete_tag(run_id, key)
    store.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])


def end(run_id: str, status: str, failure: Mapping[str, str] | None = None) -> None:
    """End a run; `failure`: its class and message. Raises TrackingError as `start` does.

    One that somebody else has given up as lost stays as it is: its work is being done again.
    """
    with answering():
        store = client()
        run = store.get_run(run_id)
        if run.info.status == RUNNING:
            store.set_terminated(run_id, status)
            for key, text in (failure or {}).items():
                store.set_tag(run_id, f"failure.{key}", text)
        if status == FINISHED and "mlflow.parentRunId" not in run.data.tags:
            _dashboard(run.info.experiment_id)  # there may be several sizes now
    revoke(run_id)


def send(run_id: str, folder: Path, begin: float) -> None:
    """Send the record and artifacts in `folder`; the metrics go last, in one batch.

    `time/log_s` counts from `begin` (a `time.perf_counter`, which is of the machine) to that
    batch, which it is part of. Raises TrackingError as `start` does.
    """
    with answering():
        client().log_artifacts(run_id, str(artifacts(folder)))
        record, logged = read_record(folder), read_logged(folder)
        model_id = log_model(run_id, logged)
        log_dataset(run_id, logged)
        log_s = ("time/log_s", time.perf_counter() - begin, 0)
        sent = Record(record.params, (*record.metrics, log_s), record.tags)
        log_batch(run_id, sent, of_model(model_id, logged))


def log_batch(run_id: str, record: Record, model: Mapping[str, str] | None = None) -> None:
    """Send params, metrics and tags in one call; params that stand already are left alone.

    `model`: whose page shows the metrics of the cross-validation, too, as `of_model` has it.
    `mlflow run` has logged each -P as a param before the program starts, and params never change.
    """
    from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415 - slow

    store = client()
    standing = store.get_run(run_id).data.params
    now = int(time.time() * 1000)
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
        tags=[RunTag(key, value) for key, value in record.tags.items()],
    )


def log_files(run_id: str, folder: Path) -> None:
    """Keep the files below `folder` as artifacts of a run, under their relative paths."""
    client().log_artifacts(run_id, str(folder))


def log_file(run_id: str, file: Path, folder: str) -> None:
    """Keep `file` as an artifact of a run, in `folder`."""
    client().log_artifact(run_id, str(file), folder)
