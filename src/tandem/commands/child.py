"""One measured run of an engine, in a process of its own, under a parent."""

from collections.abc import Iterable
from pathlib import Path

from tandem.beside import ask, helper_socket
from tandem.config import quoted
from tandem.machine import Place, run_child
from tandem.tracking import tracking_uri


def run_measured(engine: str, words: Iterable[str], folder: Path, parent: str) -> int:
    """Run `engine` on the task of `words`; its exit status. The record is left in `folder`.

    It reads the rows, whatever is kept of them.
    """
    own = [f"engine={engine}", "cache.moments=false", f"tracking.record_dir={quoted(str(folder))}"]
    return run_child([*words, *own], Place(parent, ask(tracking_uri), helper_socket()))
