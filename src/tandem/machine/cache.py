"""The folder of prepared data: where it is, how a file is written to it."""

import os
import shutil
import tempfile
from pathlib import Path

from tandem.errors import MachineError


def cache_folder() -> Path:
    """TANDEM_CACHE, else the user's cache folder, else `.cache/tandem` in the working directory.

    An absolute path; the folder need not be there yet.
    """
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
    """Write `content` (text as UTF-8) beside `path`, flush it to disk, rename it into place.

    `mode`: the permissions of the file. Without `flush` a crash of the machine can leave a torn
    file: for readers who would notice. Raises OSError where it cannot be written.
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


def check_disk(folder: Path, needed: int) -> None:
    """Raise MachineError where the disk of `folder` has fewer than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise MachineError(
            f"{folder}: about {needed / 1e6:,.0f} MB needed for the cache, {free / 1e6:,.0f} MB "
            "free -> free disk space, or set TANDEM_CACHE to a folder on a larger disk"
        )
