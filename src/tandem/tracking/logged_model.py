"""The trained model and the dataset as MLflow keeps them."""

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tandem.errors import TrackingError
from tandem.machine import scratch_folder
from tandem.tracking.client import client
from tandem.tracking.folder import Logged, model_name
from tandem.tracking.model_files import check_files, sources, tags

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, LoggedModel
    from mlflow.models import ModelSignature
    from mlflow.pyfunc import PyFuncModel

_REQUIRED = ("mlflow", "numpy", "pandas")
_ENVIRONMENT = "python: {}\nbuild_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n"


def log_dataset(run_id: str, logged: Logged) -> None:
    """The dataset as the input of a run: name, digest, where the user has it, rows, columns."""
    client().log_inputs(run_id, [_input(logged)])


def add_model(run_id: str, logged: Logged) -> "LoggedModel":
    """The model of a run as MLflow has it, without files: made, unless it is there."""
    store = client()
    experiment = store.get_run(run_id).info.experiment_id
    if found := store.search_logged_models([experiment], f"source_run_id = '{run_id}'"):
        return found[0]
    return store.create_logged_model(
        experiment,
        model_name(logged.engine, logged.name),
        source_run_id=run_id,
        params={**logged.params},
        tags={"mlflow.note.content": logged.card, **tags(logged.model)},
    )


@contextmanager
def describe_model(run_id: str, model: "LoggedModel", logged: Logged) -> Iterator[Path]:
    """A folder with the files of a model: its sources, its signature and the first raw rows.

    Written by us in MLflow's format: `mlflow.pyfunc.log_model` loads the model again and looks
    through all installed packages, which takes longer than many a run.
    """
    with TemporaryDirectory(dir=scratch_folder()) as name:
        _write(Path(name), run_id, model.model_id, model.artifact_location, logged)
        yield Path(name)


def finish_model(run_id: str, model_id: str) -> None:
    """Make a model, whose files are there, ready and the output of its run."""
    from mlflow.entities import LoggedModelOutput  # noqa: PLC0415 - slow

    store = client()
    store.finalize_logged_model(model_id, "READY")
    outputs = store.get_run(run_id).outputs
    if not (outputs and outputs.model_outputs):
        store.log_outputs(run_id, [LoggedModelOutput(model_id, 0)])


def of_model(model_id: str, logged: Logged) -> dict[str, str]:
    """What a metric says of the model and the dataset that it is of."""
    return {"model_id": model_id, "dataset_name": logged.name, "dataset_digest": logged.digest}


def load_model(run_id: str) -> "PyFuncModel":
    """The model of a run, as MLflow loads it: `predict(frame)` takes raw rows.

    Raises TrackingError where the run has none, or its files are not those that were trained.
    """
    import mlflow  # noqa: PLC0415 - slow

    outputs = mlflow.MlflowClient().get_run(run_id).outputs
    if not (outputs and outputs.model_outputs):
        raise TrackingError(f"run {run_id}: it has no model -> a run that is FINISHED")
    model_id = outputs.model_outputs[0].model_id
    with TemporaryDirectory(dir=scratch_folder()) as name:
        folder = mlflow.artifacts.download_artifacts(f"models:/{model_id}", dst_path=name)
        check_files(Path(folder), mlflow.MlflowClient().get_logged_model(model_id))
        found: PyFuncModel = mlflow.pyfunc.load_model(folder)
    return found


def _write(folder: Path, run_id: str, model_id: str, location: str, logged: Logged) -> None:
    """A model as MLflow's format has it: MLmodel, data, code, requirements, an example."""
    from mlflow.models import Model  # noqa: PLC0415 - slow
    from mlflow.pyfunc import add_to_model  # noqa: PLC0415

    kinds = {"conda_env": None, "python_env": "python_env.yaml"}
    described = Model(artifact_path=location, run_id=run_id, model_uuid=model_id, model_id=model_id)
    add_to_model(  # type: ignore[no-untyped-call]  # MLflow's
        described, "tandem.model", data=f"data/{logged.model.name}", code="code", **kinds
    )
    described.signature = _signature(logged)
    described.saved_input_example_info = {
        "artifact_path": "input_example.json",
        "type": "dataframe",
        "pandas_orient": "split",
    }
    described.save(str(folder / "MLmodel"))
    (folder / "data").mkdir()
    copy(logged.model, folder / "data")
    (folder / "code" / "tandem").mkdir(parents=True)
    for place, source in sources().items():
        copy(source, folder / "code" / "tandem" / place)
    example = {"columns": [*logged.example], "data": [*zip(*logged.example.values(), strict=True)]}
    (folder / "input_example.json").write_text(json.dumps(example), encoding="utf-8")
    required = "\n".join(f"{name}=={version(name)}" for name in _REQUIRED)
    (folder / "requirements.txt").write_text(required, encoding="utf-8")
    environment = _ENVIRONMENT.format(platform.python_version())
    (folder / "python_env.yaml").write_text(environment, encoding="utf-8")


def _signature(logged: Logged) -> "ModelSignature":
    # Raw cells come as files hold them. MLflow refuses int64 where a double is declared, float64
    # (integers with gaps) where a long is, booleans and pandas categories where a string is.
    from mlflow.models import ModelSignature  # noqa: PLC0415 - slow
    from mlflow.types.schema import AnyType, ColSpec, DataType, Schema  # noqa: PLC0415

    cell: Any = AnyType()  # type: ignore[no-untyped-call]  # MLflow's
    inputs: list[Any] = [ColSpec(cell, name, required=False) for name in logged.example]
    return ModelSignature(Schema(inputs), Schema([ColSpec(DataType.double, logged.target)]))


def _input(logged: Logged) -> "DatasetInput":
    from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415 - slow

    columns = [
        {"name": name, "type": kind, "required": False} for name, kind in logged.columns.items()
    ]
    entity = Dataset(
        logged.name,
        logged.digest,
        "local",
        json.dumps({"uri": logged.source}),
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps({"num_rows": logged.rows, "num_files": logged.files}),
    )
    return DatasetInput(entity, [InputTag("mlflow.data.context", "training")])
