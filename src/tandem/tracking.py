"""The record of a run, and MLflow. First the record is complete on disk, then it is sent."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from getpass import getuser
from importlib.metadata import version
from math import isfinite
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.entities import Dataset as DatasetEntity
from mlflow.entities import DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import AnyType, ColSpec, DataType, Schema, TensorSpec

import tandem
from tandem import dashboard, machine, parquet
from tandem.charts import grid, png
from tandem.children import JOB_KEY
from tandem.errors import Terminated
from tandem.history import JOB_TAG
from tandem.model import to_json
from tandem.records import Action, Dataset, Plan
from tandem.redaction import shown
from tandem.report import COLORS, note, texts
from tandem.result import Result
from tandem.store import answering, open_store

_FAILURE = {"failure.class", "failure.message"}
_PARAM_LIMIT = 6000  # MLflow refuses longer values


@dataclass(frozen=True, slots=True)
class Store:
    """Where runs are recorded. `uri` None: MLflow's own default."""

    uri: str | None
    experiment: str
    parent_run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that is logged of a run but its files: metrics are (key, value, step)."""

    params: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[tuple[str, float, int], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    def values(self) -> dict[str, float]:
        """The last value of every metric by its key."""
        return {key: value for key, value, _ in self.metrics}


def describe(result: Result, params: Mapping[str, str], config_hash: str) -> Record:
    """The record of a finished run. Pure: what it holds is what is logged."""
    best = {
        "best.reg_param": repr(result.best.reg_param),
        "best.elastic_net_param": repr(result.best.elastic_net_param),
    }
    spark = result.facts.spark.settings if result.facts.spark else {}
    tags = {
        "engine": result.engine,
        "kind": "run",
        "data.fingerprint": result.task.dataset.fingerprint,
        "config.hash": config_hash,
        "machine": machine.name(),
        "mlflow.runName": _run_name(result),
        "mlflow.note.content": shown(note(result)),
        "mlflow.runColor": COLORS.get(result.engine, "#555555"),
    }
    if result.facts.counted:
        tags["data.counted_categories"] = ", ".join(result.facts.counted)
    metrics = tuple(
        (key, float(value), step) for key, value, step in _metrics(result) if isfinite(value)
    )
    return Record({**params, **spark, **best}, metrics, tags)


def _run_name(result: Result) -> str:
    dataset = result.task.dataset
    return f"{result.engine}-{dataset.name}-{dataset.rows}r-{result.task.folds.k}f"


def _metrics(result: Result) -> Iterator[tuple[str, float, int]]:
    scores, ledger, best = result.scores, result.ledger, result.scores.best
    yield "cv/rmse_mean", scores.rmse_mean[best], 0
    yield "cv/rmse_std", scores.rmse_std[best], 0
    yield "cv/r2_mean", scores.r2[:, best].mean(), 0
    for fold in range(result.task.folds.k):
        yield "fold/rmse", scores.rmse[fold, best], fold
        yield "fold/r2", scores.r2[fold, best], fold
    if scores.mae is not None:
        yield "cv/mae_mean", scores.mae[:, best].mean(), 0
        for fold, mae in enumerate(scores.mae[:, best]):
            yield "fold/mae", mae, fold
    for index in range(len(result.task.grid)):
        yield "grid/rmse_mean", scores.rmse_mean[index], index
        yield "grid/rmse_std", scores.rmse_std[index], index
    yield from ((key, value, 0) for key, value in result.times.items())
    yield "data/rows", ledger.rows_in, 0
    yield "data/rows_used", ledger.rows_used, 0
    yield "data/rows_dropped_target", ledger.rows_dropped_target, 0
    yield "data/rows_dropped_missing", ledger.rows_dropped_missing, 0
    yield "data/rows_rejected", ledger.rows_rejected, 0
    yield "data/rows_from_cache", ledger.rows_from_cache, 0
    yield "data/cells_imputed", ledger.cells_imputed, 0
    yield "data/scans", result.facts.scans, 0
    yield "data/features", len(result.plan.used), 0
    yield "data/levels", sum(map(len, result.model.levels.values())), 0
    yield "cv/fits", result.task.folds.k * len(result.task.grid), 0
    yield "data/columns_dropped", len(result.plan.columns(Action.DROP_COLUMN)), 0
    yield "cv/unconverged_fits", result.sums.unconverged, 0
    if designs := result.sums.designs:
        for fold, design in enumerate(designs):
            yield "fold/rank", design.rank, fold
            yield "fold/condition", design.condition, fold
        yield "cv/rank_min", min(design.rank for design in designs), 0
        yield "cv/condition_max", max(design.condition for design in designs), 0
    yield "memory/peak_mb", result.peak_mb, 0
    if result.facts.moments_mb is not None:
        yield "memory/moments_mb", result.facts.moments_mb, 0
    if spark := result.facts.spark:
        yield "spark/jobs", spark.jobs, 0
        yield "spark/tasks", spark.tasks, 0


def write_record(folder: Path, result: Result, record: Record, config_yaml: str) -> None:
    """Write the record and every artifact of the run below `folder`."""
    for name, text in (*texts(result), ("config/resolved.yaml", config_yaml)):
        path = folder / "artifacts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(shown(text), encoding="utf-8")
    plots = folder / "artifacts" / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    (plots / "grid_rmse.png").write_bytes(png(grid(result)))
    (folder / "model.json").write_text(to_json(result.model), encoding="utf-8")
    (folder / "record.json").write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")


def read_record(folder: Path) -> Record:
    """The record that `write_record` wrote."""
    fields = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    metrics = tuple((key, value, step) for key, value, step in fields["metrics"])
    return Record(fields["params"], metrics, fields["tags"])


@contextmanager
def tracked(
    store: Store, name: str, tags: Mapping[str, str], reopen: str | None = None
) -> Iterator[str]:
    """An MLflow run around the block; yields its id. Its status says what happened.

    FINISHED; KILLED on SIGINT and SIGTERM; FAILED on any other exception, with its class and
    message as tags. Where `mlflow run` has created a run (MLFLOW_RUN_ID), that one is used, else
    `reopen`, a run that has ended. Raises TrackingError where the store does not answer.
    """
    run_id = _start(store, shown(name), tags, reopen)
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


def _start(store: Store, name: str, tags: Mapping[str, str], reopen: str | None) -> str:
    """The id of a run that is RUNNING. No run is made active: parent and child share a process."""
    experiment = open_store(store.uri, store.experiment, store.parent_run_id)
    with answering():
        client = mlflow.MlflowClient()
        if not store.parent_run_id:
            dashboard.provide(experiment, client.get_experiment(experiment).tags)
        if run_id := os.environ.get("MLFLOW_RUN_ID") or reopen:
            client.update_run(run_id, status="RUNNING", name=name)
            for key in _FAILURE & client.get_run(run_id).data.tags.keys():
                client.delete_tag(run_id, key)
            client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
            return run_id
        own = {"mlflow.user": getuser(), "mlflow.source.name": "tandem", **tags}
        if store.parent_run_id:
            own["mlflow.parentRunId"] = store.parent_run_id
        if job := os.environ.get(JOB_KEY):
            own[JOB_TAG] = job
        return str(client.create_run(experiment, run_name=name, tags=own).info.run_id)


def send(run_id: str, folder: Path, dataset: Dataset, plan: Plan, begin: float) -> None:
    """Send the record and artifacts in `folder`; the metrics go last, in one batch.

    `time/log_s` counts from `begin` (a `time.perf_counter`) to that batch, which it is part of.
    """
    client = mlflow.MlflowClient()
    client.log_artifacts(run_id, str(folder / "artifacts"))
    _log_model(run_id, folder / "model.json", dataset, plan)
    client.log_inputs(run_id, [_dataset_input(dataset)])
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


def _dataset_input(dataset: Dataset) -> DatasetInput:
    source = json.dumps({"uri": shown(dataset.files[0].path)})
    profile = json.dumps({"num_rows": dataset.rows, "num_files": len(dataset.files)})
    entity = DatasetEntity(dataset.name, dataset.fingerprint[:32], "local", source, profile=profile)
    return DatasetInput(entity, [InputTag("mlflow.data.context", "training")])


def _log_model(run_id: str, model_json: Path, dataset: Dataset, plan: Plan) -> None:
    Model.log(
        artifact_path=None,
        name="model",
        flavor=mlflow.pyfunc,
        run_id=run_id,
        loader_module="tandem.model",
        data_path=str(model_json),
        code_paths=[str(Path(tandem.__file__).parent)],
        signature=_signature(dataset, plan),
        input_example=first_rows(dataset, plan),
        pip_requirements=[f"{name}=={version(name)}" for name in ("numpy", "pandas")],
    )


def first_rows(dataset: Dataset, plan: Plan, rows: int = 5) -> pd.DataFrame:
    """The first rows as they stand in the file, features of the model only."""
    names = [column.name for column in plan.used]
    path, group = next(parquet.groups_with_rows(file.path for file in dataset.files))
    return parquet.as_pandas(parquet.first_rows(path, group, names, rows))


def _signature(dataset: Dataset, plan: Plan) -> ModelSignature:
    # Raw cells come as files hold them. MLflow refuses int64 where a double is declared, float64
    # (integers with gaps) where a long is, booleans and pandas categories where a string is.
    cell = AnyType()  # type: ignore[no-untyped-call]  # MLflow's
    inputs: list[ColSpec | TensorSpec] = [ColSpec(cell, c.name, required=False) for c in plan.used]
    return ModelSignature(Schema(inputs), Schema([ColSpec(DataType.double, dataset.target.name)]))


def tracking_uri() -> str:
    """The address of the store in use."""
    return str(mlflow.get_tracking_uri())


def log_files(run_id: str, folder: Path) -> None:
    """Keep the files below `folder` as artifacts of a run, under their relative paths."""
    mlflow.MlflowClient().log_artifacts(run_id, str(folder))


def log_file(run_id: str, file: Path, folder: str) -> None:
    """Keep `file` as an artifact of a run, in `folder`."""
    mlflow.MlflowClient().log_artifact(run_id, str(file), folder)
