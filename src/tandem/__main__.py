"""The only place where things start: `tandem [run|compare|advise|inspect|sweep] [key=value]`."""

import gc
import io
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from tandem.errors import MachineError, TandemError
from tandem.manual import manual, versions
from tandem.redaction import shown
from tandem.settings import Command


def main() -> None:
    """Answer the command line and exit with the status that the README lists."""
    sys.stdout, sys.stderr = _to_the_end(sys.stdout), _to_the_end(sys.stderr)
    try:
        if not (text := _at_once(sys.argv[1:])):
            _check_folder()
    except TandemError as error:
        sys.stderr.write(f"tandem: {shown(str(error))}\n")
        sys.exit(error.status)
    if text:
        sys.stdout.write(text)
        return
    gc.disable()  # until all is imported: it would go through that again and again
    from tandem.beside import prepare  # noqa: PLC0415 - not for help

    if sys.argv[1:2] not in ([Command.INSPECT], [Command.SERVER]):  # which track nothing
        with suppress(TandemError):  # said where it is asked for
            prepare()  # first: MLflow takes longest
    from tandem.application import call  # noqa: PLC0415 - Hydra takes most of the time of help

    sys.exit(call())


class _Pipe(io.FileIO):
    """A file whose reader may leave, as `head` does: what nobody reads is dropped."""

    def write(self, data: Any, /) -> int:
        """All of `data`, whether or not somebody reads it."""
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


def _to_the_end(stream: TextIO) -> TextIO:
    """`stream`, or what writes to the same file and goes on where its reader has left.

    A run whose output goes through `head` is recorded as any other.
    """
    if not isinstance(stream, io.TextIOWrapper) or stream.isatty():
        return stream
    raw = io.BufferedWriter(_Pipe(stream.fileno(), "w", closefd=False))
    through = stream.write_through
    return io.TextIOWrapper(
        raw, stream.encoding, stream.errors, None, stream.line_buffering, through
    )


def _check_folder() -> None:
    """Raise MachineError where the working folder is gone."""
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise MachineError(
            "the working folder is not there any more -> cd into another one"
        ) from error


def _at_once(arguments: Sequence[str]) -> str:
    """What can be said without reading a configuration; nothing where one is asked for."""
    match arguments:
        case []:
            from tandem.machine import is_child  # noqa: PLC0415 - only where it matters

            return "" if is_child() else manual()
        case ["--help" | "-h" | "help", group]:
            return manual(group)
        case ["help"]:
            return manual()
        case ["--version"]:
            return versions()
    return manual() if {"--help", "-h"} & {*arguments} else ""


if __name__ == "__main__":
    main()
