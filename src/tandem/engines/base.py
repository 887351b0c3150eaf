"""The contract of an engine: load, clean, cross-validate, refit. It never sees a metric."""

from collections.abc import Callable
from typing import Protocol

from tandem.model_keys import GridPoint
from tandem.records import Advance, Array, Ledger, Plan, Profile, Task
from tandem.results import ErrorSums, Facts, LinearModel, Scores
from tandem.scores import judge, with_medians

# From what was counted to what is done with every column.
Decide = Callable[[Profile], Plan]
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

    def prepare(self, decide: Decide) -> tuple[Plan, Ledger]:
        """Count rows and missing cells, `decide`, drop what that drops, and assign folds.

        The cleaning is fitted here where it is fitted on all rows. An engine may ask `decide`, a
        pure function, more than once; the plan that it returns is of the final counts.
        """

    def cross_validate(self) -> ErrorSums:
        """Held-out error sums of every fold and grid point."""

    def median_errors(self, point: GridPoint) -> Array:
        """Median of |e| on held-out rows of every fold at one grid point, shape (folds,).

        Called where it is asked for; in units of the target.
        """

    def refit(self, point: GridPoint) -> LinearModel:
        """The model of one grid point, fitted on all used rows but the hold-out."""

    def hold_out(self) -> ErrorSums | None:
        """Error sums of that model on the hold-out, as of one fold; None: there is none."""

    def facts(self) -> Facts:
        """What was used and done so far."""

    def close(self) -> None:
        """Give back what `start` and `load` took; safe to call at any point, more than once."""


def judged(engine: Engine, task: Task) -> tuple[ErrorSums, Scores]:
    """What `engine` measures, and its metrics; medians, where asked for, of the chosen point."""
    sums = engine.cross_validate()
    scores = judge(sums, task.grid, task.choose, task.folds.repeats)
    if task.scores.median_ae:
        scores = with_medians(scores, engine.median_errors(task.grid[scores.best]))
    return sums, scores
