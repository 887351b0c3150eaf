"""MLflow is in a process beside this one: its import takes longer than many a run."""

import atexit
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

from tandem.errors import MachineError, TrackingError
from tandem.machine import Helper

P = ParamSpec("P")
T = TypeVar("T")

_DEFAULTS = {
    "MLFLOW_LOGGING_LEVEL": "WARNING",  # its notes are not about the user's run
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nothing is sent unasked
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",  # seconds; MLflow's own 120 are those of a hung command
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # we print our own
}
_made: list[Helper] = []  # the last one answers, if it is alive
_store: dict[str, str] = {}  # the variable that names the store, where one was chosen


def prepare() -> None:
    """Start the process beside this one, so that it imports MLflow while this one works."""
    _helper()


def later(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
    """Have `function` called there, and go on."""
    return _helper().later(function, *args, **kwargs)


def ask(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `function`, called there, returns or raises. Raises TrackingError if it is gone."""
    return wait(later(function, *args, **kwargs))


def wait(future: "Future[T]", seconds: float | None = None) -> T:
    """What `future`, of `later`, holds. Raises TrackingError as `ask`, TimeoutError in the end."""
    try:
        return _helper().wait(future, seconds)
    except MachineError as error:
        raise TrackingError(str(error)) from error


def use_store(uri: str | None) -> None:
    """The address of the store for all later calls; None: the environment's, else MLflow's own."""
    _store.clear()
    if uri:
        _store["MLFLOW_TRACKING_URI"] = uri


def store_uri() -> str:
    """The address of the store in use; empty for MLflow's own in the working directory."""
    return _environment().get("MLFLOW_TRACKING_URI", "")


def renew() -> None:
    """Have later calls answered by a new process."""
    if _made:
        _made.pop().close()


def helper_socket() -> str:
    """Where children find the process that this one asks."""
    return _helper().path


def helper_pid() -> int | None:
    """Of the process beside this one, where there is one and it is this one's."""
    return _made[-1].pid if _made else None


def _helper() -> Helper:
    if not _made or not _made[-1].alive:
        helper = Helper(_environment)
        atexit.register(helper.close)
        helper.warm_up(_import_mlflow)
        _made.append(helper)
    return _made[-1]


def _environment() -> Mapping[str, str]:
    own = {**_DEFAULTS, **os.environ}
    if mlflow := sys.modules.get("mlflow"):  # somebody here has chosen a store by it
        own["MLFLOW_TRACKING_URI"] = mlflow.get_tracking_uri()
    # A call that is made again over HTTP may be done twice: tracking makes it again by itself.
    return own | _store | {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}


def _import_mlflow() -> None:
    import mlflow  # noqa: PLC0415 - slow, the reason for all this

    if mlflow.get_tracking_uri().startswith("sqlite"):
        import mlflow.store.tracking.sqlalchemy_store  # noqa: PLC0415
