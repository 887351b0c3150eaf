"""The contract of an engine: load, clean, cross-validate, refit. It never sees a metric."""

from collections.abc import Callable
from importlib import import_module
from typing import Protocol

from tandem.findings import ErrorSums, Facts, LinearModel
from tandem.records import GridPoint, Ledger, Plan, Profile, Task

# Called with the number of units that are newly done.
Advance = Callable[[int], None]
# How an engine tells of its work: called with a number of units and their name ("rows", "fits")
# when a piece of work begins in the stage that runs.
Progress = Callable[[int, str], Advance]

# Engine name -> module that defines `Engine`. Imported on use: each brings its own heavy library.
ENGINES = {
    "sequential": "tandem.engines.sequential",
    "distributed": "tandem.engines.distributed",
    "scan": "tandem.engines.scan",
    "distributed_scan": "tandem.engines.distributed_scan",
}


class Engine(Protocol):
    """One way to run the pipeline. The calls come once each, in this order, timed as stages."""

    def __init__(self, task: Task, progress: Progress) -> None: ...

    def unsupported(self) -> str | None:
        """Why this engine cannot do the task, or None."""

    def start(self) -> None:
        """Start what must run before the first row is read (a JVM, a session)."""

    def load(self) -> None:
        """Bring the rows, with their row ids, to where the engine works on them."""

    def profile(self) -> Profile:
        """Count rows and missing cells."""

    def clean(self, plan: Plan) -> Ledger:
        """Drop what the plan drops, assign folds; fit the cleaning if it is fitted on all rows."""

    def cross_validate(self) -> ErrorSums:
        """Held-out error sums of every fold and grid point."""

    def refit(self, point: GridPoint) -> LinearModel:
        """The model of one grid point, fitted on all used rows."""

    def facts(self) -> Facts:
        """What was used and done so far."""

    def close(self) -> None:
        """Give back what `start` and `load` took; safe to call at any point, more than once."""


def unseen(_total: int, _unit: str) -> Advance:
    """Progress that nobody looks at."""
    return lambda _done: None


def create(name: str, task: Task, progress: Progress = unseen) -> Engine:
    """The engine called `name`, ready to start."""
    engine: type[Engine] = import_module(ENGINES[name]).Engine
    return engine(task, progress)
