"""MLflow's client. Where it is first asked for, the seconds of MLflow's import pass."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient


def client() -> "MlflowClient":
    """A client of the store in use."""
    import mlflow  # noqa: PLC0415 - slow

    _ask_once(str(mlflow.get_tracking_uri()))
    return mlflow.MlflowClient()


def tracking_uri() -> str:
    """The address of the store in use."""
    import mlflow  # noqa: PLC0415 - slow

    found = str(mlflow.get_tracking_uri())
    _ask_once(found)
    return found


def _ask_once(uri: str) -> None:
    """MLflow would ask a database that it cannot open for 100 s, each time."""
    if not uri.startswith(("http:", "https:", "file:", "databricks", "uc:", "/")):
        from mlflow.store.db import utils  # noqa: PLC0415 - slow

        utils.MAX_RETRY_COUNT = 0
