"""What the machine lacks: memory that is free, and errors that say that something has run out."""

import errno
import resource
from contextlib import suppress
from pathlib import Path

from tandem.errors import MachineError, causes

_CGROUP = Path("/sys/fs/cgroup")
_DISK = {errno.ENOSPC, errno.EDQUOT}
_CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}
_FILES = {errno.EMFILE, errno.ENFILE}


def free_bytes() -> int:
    """Memory that this process can still get: of the machine, its container, and its own limit."""
    import psutil  # noqa: PLC0415 - a Spark worker never asks

    found = [psutil.virtual_memory().available]
    with suppress(OSError, ValueError):  # "max": there is no limit
        limit = int((_CGROUP / "memory.max").read_text())
        found.append(limit - int((_CGROUP / "memory.current").read_text()))
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        found.append(limit - psutil.Process().memory_info().vms)
    return max(min(found), 0)


def lacking(error: BaseException) -> MachineError | None:
    """What `error`, or what it came of, says that the machine lacks; None: something else."""
    for here in causes(error):
        if isinstance(here, MemoryError) or "java.lang.OutOfMemoryError" in str(here):
            said = " ".join(str(here).split())[:200] or "no more is free"
            spark = "spark.driver_memory=8g, or " * ("java" in said)
            return MachineError(f"memory: {said} -> {spark}engine=scan, which takes the least")
        if isinstance(here, OSError) and (step := _step(here)):
            return MachineError(f"{here.filename or 'a file'}: {here.strerror} -> {step}")
    return None


def _step(error: OSError) -> str | None:
    """What to do about it, where it is the machine's."""
    if error.errno in _DISK:
        return "free disk space; TANDEM_CACHE and TMPDIR name the folders for large files"
    if error.errno in _CLOSED:
        return "let this user write there, or work in another folder"
    return "raise the limit of open files: ulimit -n 4096" if error.errno in _FILES else None
