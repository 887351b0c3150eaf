"""Where a process keeps what nobody needs after it; the next process removes it if it could not."""

import atexit
import os
from contextlib import ExitStack, suppress
from pathlib import Path
from secrets import token_hex
from shutil import rmtree
from threading import Lock

from tandem.machine.cache import cache_folder
from tandem.machine.locks import forget_locks, held

_made: dict[tuple[int, str], Path] = {}  # by process and cache
_claims = ExitStack()
_making = Lock()  # files are fetched by several threads


def scratch_folder() -> Path:
    """A folder in the cache that is this process's own until it ends.

    Those that killed processes have left are removed. Raises MachineError where the cache folder
    cannot be written.
    """
    mine = os.getpid(), str(cache_folder())
    with _making:
        if mine not in _made:
            _remove_orphans()
            name = token_hex(8)
            _claims.enter_context(held("scratch", name, "life"))
            _made[mine] = _all() / name
            atexit.register(clear_scratch)
    _made[mine].mkdir(parents=True, exist_ok=True)
    return _made[mine]


def clear_scratch() -> None:
    """Remove what this process keeps there."""
    for (process, _), folder in _made.items():
        if process == os.getpid():
            rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                forget_locks(f"scratch/{folder.name}")


def _all() -> Path:
    return cache_folder() / "scratch"


def _remove_orphans() -> None:
    for folder in _all().iterdir() if _all().is_dir() else ():
        with held("scratch", folder.name, "life") as free:
            if free:
                rmtree(folder, ignore_errors=True)
                forget_locks(f"scratch/{folder.name}")
