"""The trained model and the dataset as MLflow keeps them."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
from mlflow.entities import Dataset as DatasetEntity
from mlflow.entities import DatasetInput, InputTag
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import AnyType, ColSpec, DataType, Schema, TensorSpec

import tandem
from tandem.dataset import example
from tandem.records import Dataset, Plan
from tandem.redaction import shown

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel


def dataset_input(dataset: Dataset) -> DatasetInput:
    """The dataset as the input of a run: name, digest, first file, rows."""
    source = json.dumps({"uri": shown(dataset.files[0].path)})
    profile = json.dumps({"num_rows": dataset.rows, "num_files": len(dataset.files)})
    entity = DatasetEntity(dataset.name, dataset.fingerprint[:32], "local", source, profile=profile)
    return DatasetInput(entity, [InputTag("mlflow.data.context", "training")])


def log_model(run_id: str, model_json: Path, dataset: Dataset, plan: Plan) -> None:
    """Keep the model, with these sources, signature and the first raw rows as its example."""
    Model.log(
        artifact_path=None,
        name="model",
        flavor=mlflow.pyfunc,
        run_id=run_id,
        loader_module="tandem.model",
        data_path=str(model_json),
        code_paths=[str(Path(tandem.__file__).parent)],
        signature=_signature(dataset, plan),
        input_example=example(dataset, plan),
        pip_requirements=[f"{name}=={version(name)}" for name in ("numpy", "pandas")],
    )


def load_model(run_id: str) -> "PyFuncModel":
    """The model of a run, as MLflow loads it: `predict(frame)` takes raw rows."""
    found: PyFuncModel = mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
    return found


def _signature(dataset: Dataset, plan: Plan) -> ModelSignature:
    # Raw cells come as files hold them. MLflow refuses int64 where a double is declared, float64
    # (integers with gaps) where a long is, booleans and pandas categories where a string is.
    cell = AnyType()  # type: ignore[no-untyped-call]  # MLflow's
    inputs: list[ColSpec | TensorSpec] = [ColSpec(cell, c.name, required=False) for c in plan.used]
    return ModelSignature(Schema(inputs), Schema([ColSpec(DataType.double, dataset.target.name)]))
