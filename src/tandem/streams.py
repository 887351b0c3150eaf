"""The streams of a command: nothing that happens to what it prints happens to what it does."""

import io
import os
import sys
from typing import Any, TextIO

_LAST = 2  # number of the standard streams: input, output, errors
_ERRORS = "replace"  # a letter that an encoding lacks is no reason to end


class _Output(io.FileIO):
    """A file that goes on where nothing can be written: its reader has left, or a disk is full."""

    lost: OSError | None = None

    def write(self, data: Any, /) -> int:
        """All of `data`, whether or not it can be written."""
        try:
            return super().write(data)
        except BrokenPipeError:  # as `head` leaves
            pass
        except OSError as error:
            self.lost = self.lost or error
        return memoryview(data).nbytes


def prepare() -> None:
    """Have the standard streams take all that is written to them, from now on.

    One that is closed becomes one that nobody reads: else the next file that is opened would take
    its place.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= _LAST:
        pass
    os.close(number)
    sys.stdout, sys.stderr = _writing(sys.stdout, 1), _writing(sys.stderr, 2)


def flushed() -> str:
    """Write what is left of standard output; what went wrong with it, nothing where nothing did."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return str(raw.lost.strerror) if isinstance(raw, _Output) and raw.lost else ""


def _writing(stream: TextIO | None, number: int) -> TextIO:
    if stream is not None and stream.isatty():
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)
        return stream
    raw = io.BufferedWriter(_Output(number, "w", closefd=False))
    encoding = stream.encoding if stream else "utf-8"
    lines = bool(stream and stream.line_buffering)
    return io.TextIOWrapper(raw, encoding, _ERRORS, line_buffering=lines)
