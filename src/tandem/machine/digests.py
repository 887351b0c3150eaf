"""The digest of a file's content, computed once for as long as the file system sees no change."""

import hashlib
import json
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tandem.errors import DataError
from tandem.machine.cache import cache_folder, write_atomically

# The coarsest clock of a file system in use, 2 s. A file that is younger when it is read may
# change once more within the tick of its time stamps: its digest is not remembered.
_TICK_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Mark:
    """SHA-256 of a file's content (hexadecimal), and the state of the file it was read in."""

    digest: str
    state: tuple[int, ...]


def marks(files: Iterable[Path]) -> list[Mark]:
    """The mark of every file, in their order. Raises DataError where one cannot be read."""
    with ThreadPoolExecutor(os.cpu_count(), "digest") as pool:
        return [*pool.map(_mark, files)]


def digest_of(file: Path) -> str:
    """SHA-256 of what the file holds now, as 64 hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def state(file: Path) -> tuple[int, ...]:
    """Size in bytes, times of change and modification in ns, inode and device of a file.

    What changes with the content: no program can set the time of change. Raises OSError where
    there is no such file.
    """
    found = file.stat()
    return (found.st_size, found.st_ctime_ns, found.st_mtime_ns, found.st_ino, found.st_dev)


def _mark(file: Path) -> Mark:
    try:
        before = state(file)
        memo = _memo(file)
        if digest := _remembered(memo, before):
            return Mark(digest, before)
        begin = time.time_ns()
        digest = digest_of(file)
        changed_ns = before[1]
        unchanging = state(file) == before and changed_ns + _TICK_NS < begin
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}) -> check it") from error
    if unchanging:
        with suppress(OSError):  # a convenience: the next run reads the file again
            write_atomically(memo, json.dumps({"state": before, "digest": digest}))
    return Mark(digest, before)


def _memo(file: Path) -> Path:
    name = hashlib.sha256(os.fsencode(file.absolute())).hexdigest()
    return cache_folder() / "digests" / f"{name}.json"


def _remembered(memo: Path, now: tuple[int, ...]) -> str | None:
    try:
        known = json.loads(memo.read_text(encoding="utf-8"))
        return str(known["digest"]) if tuple(known["state"]) == now else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
