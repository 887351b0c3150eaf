"""The record of a run, and MLflow. First the record is complete on disk, then it is sent."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path

import mlflow
from mlflow.entities import Metric, Param, RunTag

from tandem.errors import Terminated
from tandem.machine import JOB_KEY
from tandem.records import Dataset, Plan
from tandem.redaction import shown
from tandem.settings import Tracking
from tandem.tracking import dashboard
from tandem.tracking.folder import artifacts, model_file, read_record
from tandem.tracking.history import JOB_TAG
from tandem.tracking.logged_model import dataset_input, log_model
from tandem.tracking.record import Record
from tandem.tracking.store import answering, open_store

_FAILURE = {"failure.class", "failure.message"}
_PARAM_LIMIT = 6000  # MLflow refuses longer values


@contextmanager
def tracked(
    where: Tracking, name: str, tags: Mapping[str, str], reopen: str | None = None
) -> Iterator[str]:
    """An MLflow run around the block; yields its id. Its status says what happened.

    FINISHED; KILLED on SIGINT and SIGTERM; FAILED on any other exception, with its class and
    message as tags. Where `mlflow run` has created a run (MLFLOW_RUN_ID), that one is used, else
    `reopen`, a run that has ended. Raises TrackingError where the store does not answer.
    """
    run_id = _start(where, shown(name), tags, reopen)
    client = mlflow.MlflowClient()
    try:
        yield run_id
    except BaseException as error:
        killed = isinstance(error, (KeyboardInterrupt, Terminated))
        client.set_tag(run_id, "failure.class", type(error).__name__)
        client.set_tag(run_id, "failure.message", shown(str(error))[:1000])
        client.set_terminated(run_id, "KILLED" if killed else "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")


def _start(where: Tracking, name: str, tags: Mapping[str, str], reopen: str | None) -> str:
    """The id of a run that is RUNNING. No run is made active: parent and child share a process."""
    experiment = open_store(where)
    with answering():
        client = mlflow.MlflowClient()
        if not where.parent_run_id:
            dashboard.provide(experiment, client.get_experiment(experiment).tags)
        if run_id := os.environ.get("MLFLOW_RUN_ID") or reopen:
            client.update_run(run_id, status="RUNNING", name=name)
            for key in _FAILURE & client.get_run(run_id).data.tags.keys():
                client.delete_tag(run_id, key)
            client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
            return run_id
        own = {"mlflow.user": getuser(), "mlflow.source.name": "tandem", **tags}
        if where.parent_run_id:
            own["mlflow.parentRunId"] = where.parent_run_id
        if job := os.environ.get(JOB_KEY):
            own[JOB_TAG] = job
        return str(client.create_run(experiment, run_name=name, tags=own).info.run_id)


def send(run_id: str, folder: Path, dataset: Dataset, plan: Plan, begin: float) -> None:
    """Send the record and artifacts in `folder`; the metrics go last, in one batch.

    `time/log_s` counts from `begin` (a `time.perf_counter`) to that batch, which it is part of.
    """
    client = mlflow.MlflowClient()
    client.log_artifacts(run_id, str(artifacts(folder)))
    log_model(run_id, model_file(folder), dataset, plan)
    client.log_inputs(run_id, [dataset_input(dataset)])
    record = read_record(folder)
    log_s = ("time/log_s", time.perf_counter() - begin, 0)
    log_batch(run_id, Record(record.params, (*record.metrics, log_s), record.tags))


def log_batch(run_id: str, record: Record) -> None:
    """Send params, metrics and tags in one call; params that stand already are left alone.

    `mlflow run` has logged each -P as a param before the program starts, and params never change.
    """
    client = mlflow.MlflowClient()
    standing = client.get_run(run_id).data.params
    now = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[Metric(key, value, now, step) for key, value, step in record.metrics],
        params=[
            Param(key, value[:_PARAM_LIMIT])
            for key, value in record.params.items()
            if key not in standing
        ],
        tags=[RunTag(key, value) for key, value in record.tags.items()],
    )


def tracking_uri() -> str:
    """The address of the store in use."""
    return str(mlflow.get_tracking_uri())


def log_files(run_id: str, folder: Path) -> None:
    """Keep the files below `folder` as artifacts of a run, under their relative paths."""
    mlflow.MlflowClient().log_artifacts(run_id, str(folder))


def log_file(run_id: str, file: Path, folder: str) -> None:
    """Keep `file` as an artifact of a run, in `folder`."""
    mlflow.MlflowClient().log_artifact(run_id, str(file), folder)
