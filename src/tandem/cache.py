"""The folder of prepared data: where it is, what is complete in it, how it is written.

Whatever is published appears by one rename, so that a reader sees all of it or nothing.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tandem.errors import MachineError

MANIFEST = "_manifest.json"  # the underscore: no reader takes it for data


def cache_folder() -> Path:
    """TANDEM_CACHE, else the user's cache folder, else `.cache/tandem` in the working directory."""
    named = os.environ.get("TANDEM_CACHE")
    if named:
        folder = Path(named)
    elif base := os.environ.get("XDG_CACHE_HOME"):
        folder = Path(base) / "tandem"
    elif (home := os.environ.get("HOME")) and os.access(home, os.W_OK):
        folder = Path(home) / ".cache" / "tandem"
    else:
        folder = Path(".cache", "tandem")
    return folder.absolute()


def write_atomically(
    path: Path, content: str | memoryview, mode: int = 0o644, *, flush: bool = True
) -> None:
    """Write `content` beside `path`, flush it to disk, rename it into place.

    Without `flush` a crash of the machine can leave a torn file: for readers who would notice.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            if flush:
                file.flush()
                os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def published(key: str, needed: int, build: Callable[[Path], dict[str, Any]]) -> Path:
    """The folder `key` of the cache, built by `build` into an empty folder if it is not there.

    `build` returns the manifest, which is written last. `needed` is the expected size in bytes.
    Raises MachineError where the disk has less than that, or the folder cannot be written.
    """
    folder = cache_folder() / key
    if not (folder / MANIFEST).exists():
        with _workplace(folder, needed) as work:
            manifest = build(work)
            write_atomically(work / MANIFEST, json.dumps(manifest, indent=1))
            _put_in_place(work, folder)
    return folder


@contextmanager
def _workplace(folder: Path, needed: int) -> Iterator[Path]:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        check_disk(folder.parent, needed)
        work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
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
        # Another process was first, with the same content, or a folder without a manifest is there.
        if not (folder / MANIFEST).exists():
            shutil.rmtree(folder)
            work.rename(folder)


def check_disk(folder: Path, needed: int) -> None:
    """Raise MachineError where the disk of `folder` has fewer than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise MachineError(
            f"{folder}: about {needed / 1e6:,.0f} MB needed for the cache, {free / 1e6:,.0f} MB "
            "free -> free disk space, or set TANDEM_CACHE to a folder on a larger disk"
        )
