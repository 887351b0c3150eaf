"""The contract of an engine: load, clean, cross-validate, refit. It never sees a metric."""

from collections.abc import Callable
from typing import Protocol

from tandem.records import Advance, GridPoint, Ledger, Plan, Profile, Task
from tandem.results import ErrorSums, Facts, LinearModel

# How an engine tells of its work: called with a number of units and their name ("rows", "fits")
# when a piece of work begins in the stage that runs.
Progress = Callable[[int, str], Advance]


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
