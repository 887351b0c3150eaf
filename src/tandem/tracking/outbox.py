"""Runs on their way to the store: a folder each, from before a run begins until the store has it.

`<cache>/outbox/<key>/` holds what the run is, its record, how it ended, and what the store has
heard. No password is in it: the address of the store is kept as it may be shown.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from getpass import getuser
from pathlib import Path
from secrets import token_hex
from shutil import rmtree
from typing import Any

from tandem.machine import JOB_KEY, cache_folder, forget_locks, held, locked, write_atomically
from tandem.redaction import shown
from tandem.settings import Tracking

JOB_TAG = "job.key"
PLACE = "place"  # in what is added to a run: its number within its comparison
_BEGUN, _ENDED, _SENT, _STOPPED = "begun.json", "ended.json", "sent.json", "stopped"


@dataclass(frozen=True, slots=True)
class Entry:
    """A run on its way to the store; keys sort by the time that their runs began.

    `uri`: as `address` has it; `folder`: the working directory; `parent`: the key or id of the run
    above it; `run_id`: of one that the store has already; `begun`: ms; `of`: the key of the run
    that this adds a record to, where it is none itself.
    """

    key: str
    uri: str
    folder: str
    experiment: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    begun: int = 0
    parent: str | None = None
    run_id: str | None = None
    of: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: MLflow's status, when (ms), and the class and message of a failure."""

    status: str
    at: int
    failure: Mapping[str, str] = field(default_factory=dict)


LOST = {"class": "lost", "message": "its process ended without a word"}
STOPPED = {**LOST, "class": "Terminated"}


def address(uri: str) -> str:
    """The address of a store, without its login; that of a SQLite file from the root."""
    scheme, mark, name = uri.partition(":///")
    if scheme.partition("+")[0] == "sqlite" and name and not name.startswith(("/", ":")):
        name = str(Path(name).absolute())
    return shown(f"{scheme}{mark}{name}")


def new_key() -> str:
    """A key for a run that begins now; unlike MLflow's ids it holds a dash."""
    return f"{_now():013d}-{token_hex(8)}"


def new_entry(where: Tracking, uri: str, name: str, tags: Mapping[str, str], key: str) -> Entry:
    """What a run is that this process begins now."""
    own = {"mlflow.user": getuser(), "mlflow.source.name": "tandem", **tags}
    if job := os.environ.get(JOB_KEY):
        own[JOB_TAG] = job
    asked = where.experiment, shown(name), own, _now(), where.parent_run_id
    return Entry(key, address(uri), str(Path.cwd()), *asked, os.environ.get("MLFLOW_RUN_ID"))


def place(key: str) -> Path:
    """The folder of an entry."""
    return cache_folder() / "outbox" / key


def record_of(key: str) -> Path:
    """Where the record folder of an entry stands."""
    return place(key) / "record"


def begin(entry: Entry) -> None:
    """Keep `entry`, from before its run begins."""
    _write(entry.key, _BEGUN, asdict(entry))


def entry_of(key: str) -> Entry | None:
    """What `begin` kept; None where there is nothing."""
    found = _read(key, _BEGUN)
    return Entry(**found) if found else None


def finish(key: str, status: str, failure: Mapping[str, str] | None = None) -> None:
    """Say how a run ended, after its record is complete."""
    _write(key, _ENDED, asdict(Ended(status, _now(), failure or {})))


def ended(key: str) -> Ended | None:
    """What `finish` said; None before."""
    found = _read(key, _ENDED)
    return Ended(**found) if found else None


def lose(key: str) -> None:
    """End a run whose process is gone without a word: nothing half written is kept of it."""
    rmtree(record_of(key), ignore_errors=True)
    if (place(key) / _STOPPED).exists():
        finish(key, "KILLED", STOPPED)
    else:
        finish(key, "FAILED", LOST)


def stop_under(parent: str) -> None:
    """From now on, what ends without a word under the run with the key `parent` was told to."""
    for key in keys():
        if (entry := entry_of(key)) and entry.parent == parent:
            (place(key) / _STOPPED).touch()


def heard(key: str) -> dict[str, Any]:
    """What the store has heard, by what `note` called it."""
    return _read(key, _SENT) or {}


def note(key: str, **facts: Any) -> None:
    """Keep `facts` of what the store has heard."""
    _write(key, _SENT, {**heard(key), **facts})


def keys() -> list[str]:
    """Of all entries, by the time that their runs began."""
    folder = place("")
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def waiting(uri: str, folder: str) -> Iterator[str]:
    """The keys of all entries for the store `uri` of commands in `folder`."""
    for key in keys():
        if (entry := entry_of(key)) and store_of(entry) == (uri, "" if _is_far(uri) else folder):
            yield key


def all_waiting() -> list[tuple[str, str]]:
    """Every store that something waits for: `store_of` of all entries, each once."""
    found = (entry_of(key) for key in keys())
    return [*dict.fromkeys(store_of(entry) for entry in found if entry)]


def store_of(entry: Entry) -> tuple[str, str]:
    """The address of its store, and the folder that it is made in, where that matters."""
    return entry.uri, "" if _is_far(entry.uri) else entry.folder


def remove(key: str) -> None:
    """The store has it."""
    (place(key) / _BEGUN).unlink(missing_ok=True)  # first: without it there is no entry
    rmtree(place(key), ignore_errors=True)
    forget_locks(f"runs/{key}")


def claimed(key: str, busy: Callable[[], None]) -> AbstractContextManager[int]:
    """The lock of a run for as long as its process lives; `busy`: called while another has it."""
    return locked("runs", key, "life", wait=busy)


def is_over(key: str) -> bool:
    """Whether no process of this machine is at the run."""
    with held("runs", key, "life") as free:
        return free


def opening(key: str) -> AbstractContextManager[int]:
    """The lock of who opens a run in the store, waited for."""
    return locked("runs", key, "opening")


def sending(key: str) -> AbstractContextManager[int]:
    """The lock of who sends an entry, waited for; within it the run may be opened."""
    return locked("runs", key, "sending")


def _is_far(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))


def _now() -> int:
    return int(time.time() * 1000)


def _write(key: str, name: str, content: Mapping[str, Any]) -> None:
    write_atomically(place(key) / name, json.dumps(content), 0o600)


def _read(key: str, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((place(key) / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found
