"""The scan engine on a task, its rows summed: what answers are judged by."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from tandem.cleaning import decide
from tandem.engines import create
from tandem.records import Ledger, Plan, Task


@contextmanager
def prepared(task: Task) -> Iterator[tuple[Any, Plan, Ledger]]:
    """The engine, ready to cross-validate, the plan and the ledger; closed after the block.

    Raises DataError where the rows cannot be read or used.
    """
    dataset, engine = task.dataset, create("scan", task)
    try:
        engine.start()
        engine.load()
        wanted = partial(decide, dataset.target, dataset.features, weight=dataset.weight)
        yield engine, *engine.prepare(partial(wanted, cleaning=task.cleaning))
    finally:
        engine.close()
