"""Folders of prepared data that are built once, and built again where they are damaged.

Whatever is published appears by one rename, so that a reader sees all of it or nothing.
"""

import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tandem.errors import DataError, MachineError
from tandem.machine.cache import cache_folder, check_disk, write_atomically
from tandem.machine.digests import digest_of, marks
from tandem.machine.scratch import scratch_folder

MANIFEST = "_manifest.json"  # the underscore: no reader takes it for data

_log = logging.getLogger("tandem")


def published(key: str, needed: int, build: Callable[[Path], dict[str, Any]]) -> Path:
    """The folder `key` of the cache, built by `build` into an empty folder if it is not there.

    `build` returns the manifest, which is written last, with the SHA-256 of every file; where a
    file is no longer what was written, all is built again, with a warning. `needed` is the
    expected size in bytes. Raises MachineError where the disk has less than that, or the folder
    cannot be written.
    """
    folder = cache_folder() / key
    whole = _is_whole(folder)
    if whole is False:
        _log.warning("tandem: %s: damaged -> it is built again", folder)
    if not whole:
        with _workplace(folder, needed) as work:
            entry = build(work)
            digests = {file.name: digest_of(file) for file in sorted(work.iterdir())}
            write_atomically(work / MANIFEST, json.dumps({**entry, "sha256": digests}, indent=1))
            _put_in_place(work, folder)
    return folder


def _is_whole(folder: Path) -> bool | None:
    """Whether every file in it is what was written; None where there is nothing to tell by."""
    try:
        digests = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["sha256"]
        found = [mark.digest for mark in marks(folder / name for name in digests)]
    except (FileNotFoundError, KeyError):
        return None  # not built yet, or before digests were kept
    except (OSError, ValueError, DataError):
        return False
    return found == [*digests.values()]


@contextmanager
def _workplace(folder: Path, needed: int) -> Iterator[Path]:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        check_disk(folder.parent, needed)
        work = Path(tempfile.mkdtemp(dir=scratch_folder()))
    except OSError as error:
        raise MachineError(
            f"{folder.parent}: cannot write the cache ({error.strerror}) -> "
            "set TANDEM_CACHE to a folder that can be written"
        ) from error
    try:
        yield work
    except OSError as error:
        raise MachineError(
            f"{work}: {error.strerror or error}: the cache could not be written -> "
            "free disk space, or set TANDEM_CACHE to a folder on a larger disk"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _put_in_place(work: Path, folder: Path) -> None:
    work.chmod(0o755)
    try:
        work.rename(folder)
    except OSError:
        # Another process was first, with the same content, or what is there is not whole.
        if not _is_whole(folder):
            _replace(work, folder)


def _replace(work: Path, folder: Path) -> None:
    """File by file, so that another process that reads the folder finds each of them."""
    files = [*work.iterdir()]
    for stranger in {file.name for file in folder.iterdir()} - {file.name for file in files}:
        (folder / stranger).unlink(missing_ok=True)
    for file in files:
        file.replace(folder / file.name)
