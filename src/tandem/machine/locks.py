"""Locks between processes of one machine, as files in the cache folder.

A lock belongs to the open file, so that it also lives in a child that inherits it, and ends with
the last process that holds it, however that ends.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from time import sleep

from tandem.errors import MachineError
from tandem.machine.cache import cache_folder

_PAUSE = 0.05  # seconds between two looks at a lock that somebody holds


def lock_name(*parts: str) -> str:
    """24 hexadecimal digits of the SHA-256 of `parts`: the name of a lock."""
    return sha256("\0".join(parts).encode()).hexdigest()[:24]


@contextmanager
def locked(*names: str, wait: Callable[[], None] = lambda: None) -> Iterator[int]:
    """Wait for the lock called `names` (folders and a name); yields its file descriptor.

    `wait` is called at every look at a lock that is held; what it raises ends the waiting.
    Raises MachineError where the cache folder cannot be written.
    """
    handle = _open(names)
    try:
        while not taken(handle):
            wait()
            sleep(_PAUSE)
        yield handle
    finally:
        os.close(handle)


@contextmanager
def held(*names: str) -> Iterator[bool]:
    """Take the lock called `names` if it is free; yields whether it was.

    Raises MachineError where the cache folder cannot be written.
    """
    handle = _open(names)
    try:
        yield taken(handle)
    finally:
        os.close(handle)


def forget_locks(name: str) -> None:
    """Remove the locks in the folder `name`, of which none may be in use."""
    rmtree(_place(name), ignore_errors=True)


def _place(*names: str) -> Path:
    return cache_folder().joinpath("locks", *names)


def _open(names: tuple[str, ...]) -> int:
    path = _place(*names)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise MachineError(
            f"{path}: cannot be locked ({error.strerror}) -> "
            "set TANDEM_CACHE to a folder that can be written"
        ) from error


def taken(handle: int) -> bool:
    """Take the lock that belongs to an open file; whether it was free."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
