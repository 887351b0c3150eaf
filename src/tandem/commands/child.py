"""One measured run of an engine, in a process of its own, under a parent."""

from collections.abc import Iterable
from pathlib import Path

from tandem.beside import helper_socket, store_uri
from tandem.config import quoted
from tandem.errors import TrackingError
from tandem.machine import Place, run_child
from tandem.tracking import has_record


def run_measured(engine: str, words: Iterable[str], folder: Path, parent: str) -> int:
    """Run `engine` on the task of `words` under the run with the key `parent`; its exit status.

    The record is left in `folder`. It reads the rows, whatever is kept of them.
    """
    own = [f"engine={engine}", "cache.moments=false", f"tracking.record_dir={quoted(str(folder))}"]
    status = run_child([*words, *own], Place(parent, store_uri(), helper_socket()))
    # What is in the outbox is done: the run above it sends it, or says that it cannot.
    return 0 if status == TrackingError.status and has_record(folder) else status
