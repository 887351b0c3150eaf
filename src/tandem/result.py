"""What one run found, as one frozen value: judged, timed, ready to be tracked and compared."""

from collections.abc import Mapping
from dataclasses import dataclass

from tandem.findings import ErrorSums, Facts, LinearModel
from tandem.records import GridPoint, Ledger, Plan, Task
from tandem.scores import Scores


@dataclass(frozen=True, slots=True)
class Result:
    """One engine on one dataset with one configuration. `times` holds the `time/*_s` metrics,
    `findings` what a careful reader would ask, a line each.
    """

    engine: str
    task: Task
    plan: Plan
    ledger: Ledger
    sums: ErrorSums
    scores: Scores
    model: LinearModel
    facts: Facts
    times: Mapping[str, float]
    peak_mb: float
    findings: tuple[str, ...] = ()

    @property
    def best(self) -> GridPoint:
        """The grid point with the smallest mean held-out RMSE."""
        return self.task.grid[self.scores.best]
