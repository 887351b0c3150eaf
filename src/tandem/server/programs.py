"""A program below this process: what it says goes to a file, and it ends with this process."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from pwd import struct_passwd
from typing import Any

from tandem.errors import MachineError
from tandem.machine import ended_with_us
from tandem.redaction import shown

_PAUSE = 0.1  # seconds between two looks
_LINES = 3  # of a log, in a message


@dataclass(frozen=True, slots=True)
class Program:
    """One that runs. `name`: in words; `log`: what it has said."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise MachineError if it has ended."""
        if (status := self.process.poll()) is not None:
            said = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
            last = shown(" / ".join(filter(None, said[-_LINES - 1 :])))
            raise MachineError(
                f"server: {self.name} has ended (status {status}): {last} -> see {self.log}"
            )

    def wait(self, ready: Callable[[], bool], seconds: float, not_yet: str) -> None:
        """Until it is `ready`. Raises MachineError where it ends, or is `not_yet` in `seconds`."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise MachineError(f"server: {self.name} {not_yet} -> see {self.log}")
            time.sleep(_PAUSE)


@contextmanager
def running(  # noqa: PLR0913 - what a program is made of
    name: str,
    words: Sequence[str],
    log: Path,
    ends: Sequence[tuple[signal.Signals, float]],
    *,
    user: struct_passwd | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Program]:
    """The program `words` around the block, as `user`; then it ends, and all that it has started.

    `ends`: the signals that end it, each with the seconds that it has for that; the first is sent
    by the system, too, where this process goes away without a word. A terminal's Ctrl-C does not
    reach it: what it serves ends first.
    """
    with log.open("wb") as written:
        log.chmod(0o600)
        process = subprocess.Popen(  # noqa: S603 - our own words
            [*ended_with_us(ends[0][0]), *words],
            cwd=log.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            process_group=0,
            **_as(user),
        )
    try:
        yield Program(name, process, log)
    finally:
        for signum, seconds in ends:
            process.send_signal(signum)
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
                break
        with suppress(ProcessLookupError):  # all have ended
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def done(words: Sequence[str], user: struct_passwd | None, given: str = "") -> None:
    """Run a program to its end, `given` on its standard input. Raises MachineError if it fails."""
    end = subprocess.run(  # noqa: S603 - our own words
        words,
        cwd="/",
        input=given.encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        **_as(user),
    )
    if end.returncode:
        said = " ".join(end.stderr.decode(errors="replace").split())
        raise MachineError(f"server: {Path(words[0]).name}: {shown(said)} -> see server.folder")


def _as(user: struct_passwd | None) -> dict[str, Any]:
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
