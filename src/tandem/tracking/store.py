"""Opening the tracking store: one process at a time where it is a SQLite file, never half made."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from tandem.errors import TrackingError
from tandem.machine import lock_name, locked
from tandem.redaction import shown
from tandem.settings import Tracking
from tandem.tracking.client import client, tracking_uri


@contextmanager
def answering() -> Iterator[None]:
    """Raise TrackingError, which names the store, where MLflow raises in the block."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow

    try:
        yield
    except MlflowException as error:
        text = " ".join(str(error).split())
        raise TrackingError(shown(f"tracking.uri: {tracking_uri()}: {text} -> check it")) from error


def open_store(where: Tracking) -> str:
    """Open the store in use, make what is missing of it; the experiment's id for the next run.

    It is that of the run which `mlflow run` made (MLFLOW_RUN_ID), of the parent, else of `where`.
    MLflow breaks a SQLite file for ever when several processes make it at once, or when one is
    killed while it does. Once open, SQLite waits up to 20 s for another writer: MLflow 3.17 says so
    in every session, whatever the address asks for.
    """
    import mlflow  # noqa: PLC0415 - slow

    with answering(), _alone(_sqlite_file(tracking_uri())):
        if run_id := os.environ.get("MLFLOW_RUN_ID") or where.parent_run_id:
            return str(client().get_run(run_id).info.experiment_id)
        return str(mlflow.set_experiment(where.experiment).experiment_id)


def _sqlite_file(uri: str) -> Path | None:
    scheme, _, name = uri.partition(":///")
    name = unquote(name.partition("?")[0])
    if scheme.partition("+")[0] != "sqlite" or name in {"", ":memory:"}:
        return None
    return Path(name).absolute()


@contextmanager
def _alone(file: Path | None) -> Iterator[None]:
    if file is None:
        yield
        return
    with locked(f"store-{lock_name(str(file.resolve()))}"):
        if not file.exists():
            _create(file)
        yield


def _create(file: Path) -> None:
    """Make the database beside `file` and rename it: a killed process leaves none, not half."""
    import mlflow  # noqa: PLC0415 - slow

    work = file.with_name(f".{file.name}.new")
    file.parent.mkdir(parents=True, exist_ok=True)
    for left in (work, work.with_name(f"{work.name}-journal")):
        left.unlink(missing_ok=True)
    mlflow.MlflowClient(f"sqlite:///{work}").search_experiments(max_results=1)
    work.rename(file)
