"""The streams of a command: nothing that happens to what it prints happens to what it does."""

import io
import os
import sys
from typing import Any, TextIO

_LAST = 2  # number of the standard streams: input, output, errors


class Output(io.FileIO):
    """A file that goes on where nothing can be written: its reader has left, or a disk is full.

    `lost`: why something was not written, but for readers that leave, as `head` does.
    """

    lost: OSError | None = None

    def write(self, data: Any, /) -> int:
        """All of `data`, whether or not it can be written."""
        try:
            return super().write(data)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.lost = self.lost or error
            return memoryview(data).nbytes


def prepare() -> Output:
    """Have the standard streams take all that is written to them, from now on; standard output.

    One that is closed becomes one that nobody reads: else the next file that is opened would take
    its place.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= _LAST:
        pass
    os.close(number)
    output = Output(1, "w", closefd=False)
    sys.stdout = _text(output, sys.stdout)
    sys.stderr = _text(Output(2, "w", closefd=False), sys.stderr)
    return output


def _text(raw: Output, stream: TextIO | None) -> TextIO:
    """As `stream` was; a letter that its encoding lacks is no reason to end."""
    encoding, lines = (stream.encoding, stream.line_buffering) if stream else ("utf-8", False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, errors="replace", line_buffering=bool(lines)
    )
