"""The only place where things start: `tandem [run|compare|advise|inspect|sweep] [key=value]`."""

import gc
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tandem import streams
from tandem.errors import MachineError, TandemError
from tandem.manual import manual, versions
from tandem.redaction import shown
from tandem.settings import Command


def main() -> None:
    """Answer the command line and exit with the status that the README lists."""
    output = streams.prepare()
    status = _answered()
    sys.stdout.flush()
    if lost := output.lost:
        error = MachineError(
            f"standard output: {lost.strerror} -> what was printed is lost, nothing else"
        )
        sys.stderr.write(f"tandem: {error}\n")
        status = status or error.status
    sys.exit(status)


def _answered() -> int:
    try:
        if not (text := _at_once(sys.argv[1:])):
            _check_folder()
    except TandemError as error:
        sys.stderr.write(f"tandem: {shown(str(error))}\n")
        return error.status
    if text:
        sys.stdout.write(text)
        return 0
    gc.disable()  # until all is imported: it would go through that again and again
    from tandem.beside import prepare  # noqa: PLC0415 - not for help

    if sys.argv[1:2] not in ([Command.INSPECT], [Command.SERVER]):  # which track nothing
        with suppress(TandemError):  # said where it is asked for
            prepare()  # first: MLflow takes longest
    from tandem.application import call  # noqa: PLC0415 - Hydra takes most of the time of help

    return call()


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
