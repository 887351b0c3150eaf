"""Opening the tracking store: one process at a time where it is a SQLite file, never half made."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import ParamSpec, TypeVar
from urllib.parse import unquote

from tandem.errors import AwayError, TrackingError, causes
from tandem.machine import lock_name, locked
from tandem.redaction import shown
from tandem.tracking.client import client, tracking_uri

P = ParamSpec("P")
T = TypeVar("T")

_TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
_SECONDS = 5.0  # a run waits no longer for a store that fails, unless that variable says so
_PAUSE = 0.1  # seconds before a call is tried again; doubled each time, up to a second
# What no later call would change.
_REFUSALS = {
    "INVALID_PARAMETER_VALUE",
    "RESOURCE_DOES_NOT_EXIST",
    "RESOURCE_ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "ENDPOINT_NOT_FOUND",
    "INVALID_STATE",
}
_UNKNOWN = 401
_REFUSED = {400, _UNKNOWN, 403, 404}
_STRANGER = (
    "it does not know this name and password (MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD)"
)
_SQL = re.compile(r" *(\[SQL:|\(Background on this error).*")  # after what SQLAlchemy says of it
# The packages whose errors are the store's.
_STORES = {"mlflow", "requests", "sqlalchemy", "urllib3", "boto3", "botocore", "google", "azure"}


@contextmanager
def answering() -> Iterator[None]:
    """Raise TrackingError, which names the store, where that refuses what is asked in the block.

    AwayError where it does not answer, or fails.
    """
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:
        ours = not isinstance(error, (OSError, ModuleNotFoundError))  # a driver that is missing
        if ours and type(error).__module__.split(".")[0] not in _STORES:
            raise
        code, status = getattr(error, "error_code", ""), _status(error)
        unknown = code == "UNAUTHENTICATED" or status == _UNKNOWN
        text = _STRANGER if unknown else _SQL.sub("", " ".join(_said(error).split()))
        refused = code in _REFUSALS or status in _REFUSED
        kind = TrackingError if refused else AwayError
        raise kind(shown(f"tracking.uri: {tracking_uri()}: {text} -> check it")) from error


def _said(error: Exception) -> str:
    """What `error` says; where there was no connection, or no reply, what lies at its bottom."""
    chain = [*causes(error)]
    asked = [one for one in chain if type(one).__module__ == "requests.exceptions"]
    replied = any(getattr(one, "response", None) is not None for one in asked)
    kept = (one for one in chain[-1].args if isinstance(one, OSError))  # as urllib3 does
    last = next(kept, chain[-1])
    bottom = isinstance(last, OSError) or type(last).__module__ == "urllib3.exceptions"
    if not asked or replied or not bottom:
        return str(error)
    if isinstance(last, TimeoutError):
        return f"timed out ({_TIMEOUT}=60 waits for longer)"
    if untrusted := getattr(last, "verify_message", ""):  # of a certificate
        return f"{untrusted} (MLFLOW_TRACKING_SERVER_CERT_PATH names a file with one to trust)"
    return getattr(last, "strerror", None) or str(last)


def _status(error: Exception) -> int:
    """Of HTTP; 0 where it has none."""
    return int(getattr(getattr(error, "response", None), "status_code", None) or 0)


class Patience:
    """Calls the store again where it fails, until it has failed for `seconds` in a row.

    Without `again` every call has one attempt. MLflow's own retries are off: they would make a run
    twice where a reply is lost. So what is called must find what an earlier attempt has done.
    """

    def __init__(self, seconds: float | None = None, *, again: bool = True) -> None:
        self._seconds = seconds or float(os.environ.get(_TIMEOUT, _SECONDS))
        self._again = again

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function` returns. Raises TrackingError and AwayError as `answering` does."""
        end, pause = time.monotonic() + self._seconds, _PAUSE
        while True:
            os.environ[_TIMEOUT] = str(max(1, ceil(end - time.monotonic())))
            try:
                with answering():
                    return function(*args, **kwargs)
            except AwayError:
                if not self._again or time.monotonic() + pause >= end:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 1.0)


def open_store(experiment: str) -> str:
    """Open the store in use, make what is missing of it; the id of `experiment`.

    MLflow breaks a SQLite file for ever when several processes make it at once, or when one is
    killed while it does. Once open, SQLite waits up to 20 s for another writer: MLflow 3.17 says so
    in every session, whatever the address asks for. Raises TrackingError as `answering` does.
    """
    import mlflow  # noqa: PLC0415 - slow

    with answering(), _alone(_sqlite_file(tracking_uri())):
        return str(mlflow.set_experiment(experiment).experiment_id)


def experiment_of(run_id: str) -> str:
    """The id of a run's experiment. Raises TrackingError as `answering` does."""
    with answering(), _alone(_sqlite_file(tracking_uri())):
        return str(client().get_run(run_id).info.experiment_id)


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
