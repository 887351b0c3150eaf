"""MLflow's client. Where it is first asked for, the seconds of MLflow's import pass."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient


def client() -> "MlflowClient":
    """A client of the store in use."""
    import mlflow  # noqa: PLC0415 - slow

    return mlflow.MlflowClient()


def tracking_uri() -> str:
    """The address of the store in use."""
    import mlflow  # noqa: PLC0415 - slow

    return str(mlflow.get_tracking_uri())
