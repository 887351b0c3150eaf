"""tandem from Python: the commands as functions, with the same keys, checks and messages.

`data` is a path (Parquet or CSV, a folder, a pattern) or a pandas, polars or Arrow frame; without
it, the flights that come with tandem. Any key of the configuration is a keyword: a group as a
mapping, `folds={"k": 5}`, or a choice by name, `engine="scan"`. Errors are those of
`tandem.errors`: one line that names key, value, rule and next step.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

import pandas as pd

from tandem.beside import ask
from tandem.commands.advise import advise as _advise
from tandem.commands.compare import compare as _compare
from tandem.commands.inspect import look
from tandem.commands.run import Answered, measure
from tandem.commands.run import run as _run
from tandem.comparison import Comparison
from tandem.config import Configuration, compose, spelled, words
from tandem.errors import IncompleteError
from tandem.frames import typed
from tandem.inspection import Inspection
from tandem.model import predict
from tandem.records import Array
from tandem.reporting import (
    coefficients,
    correlations,
    data_uri,
    draw,
    fold_metrics,
    grid,
    inspection_html,
    inspection_table,
    markdown,
    png,
    table,
    verdict,
)
from tandem.scores import of_hold_out
from tandem.settings import Tracking
from tandem.tracking import load_model, opened_store, runs_frame


@dataclass(frozen=True, repr=False)
class RunResult:
    """What one engine found. Errors are of held-out rows, in units of the target."""

    answered: Answered

    @property
    def rmse(self) -> float:
        """Mean over folds of the RMSE at the best grid point."""
        scores = self.answered.result.scores
        return float(scores.rmse_mean[scores.best])

    @property
    def r2(self) -> float:
        """Mean over folds of R2 at the best grid point."""
        scores = self.answered.result.scores
        return float(scores.r2[:, scores.best].mean())

    @property
    def holdout(self) -> dict[str, float]:
        """Of the final model on the hold-out: `rmse`, `r2`, `rows`; empty where there is none."""
        return of_hold_out(self.answered.result.held_out)

    @property
    def best(self) -> dict[str, float]:
        """The chosen penalty: `reg_param` and `elastic_net_param`."""
        return asdict(self.answered.result.best)

    @property
    def folds(self) -> pd.DataFrame:
        """A row per fold and grid point: rmse, r2 and, where asked for, mae, mape, median_ae."""
        return fold_metrics(self.answered.result).drop(columns=["n_train", "n_test"])

    @property
    def coefficients(self) -> pd.Series:
        """Slopes in raw units by feature, `city=Bern` of a level; the intercept is `intercept`."""
        return coefficients(self.answered.result).set_index("feature")["coefficient"]

    @property
    def statistics(self) -> pd.DataFrame:
        """By feature: its coefficient, and those of the training sets, `fold_0` and so on.

        By `scan` and `distributed_scan` also standardised, standard_error, low_95, high_95 (without
        a penalty) and partial_r2; robust_error with scores.robust_errors=true.
        """
        return coefficients(self.answered.result).set_index("feature")

    @property
    def correlations(self) -> pd.DataFrame:
        """Of the cleaned features and the target, by `scan` and `distributed_scan`; else empty."""
        return correlations(self.answered.result).set_index("feature")

    @property
    def intercept(self) -> float:
        """Of the model on all rows, in units of the target."""
        return self.answered.result.model.intercept

    @property
    def findings(self) -> tuple[str, ...]:
        """What a careful reader would ask, a line each."""
        return self.answered.result.remarks

    @property
    def seconds(self) -> dict[str, float]:
        """By stage, and in all (`total`)."""
        times = self.answered.result.times
        return {key.removeprefix("time/").removesuffix("_s"): t for key, t in times.items()}

    @property
    def run_id(self) -> str | None:
        """Of the MLflow run; None where it was not tracked."""
        return self.answered.run_id

    def predict(self, frame: pd.DataFrame) -> Array:
        """The target of raw rows by the final model, shape (rows,), in its unit.

        Gaps and new categories are taken as the cleaning takes them. Raises ValueError where a
        column is absent, or holds text in place of numbers.
        """
        return predict(self.answered.result.model, frame)

    def __repr__(self) -> str:
        return self.answered.text()

    def _repr_html_(self) -> str:
        told = "".join(f"<li>{escape(line)}" for line in self.findings)
        folds = self.folds.to_html(index=False, max_rows=12)
        picture = _shown(png(grid(self.answered.result)))
        return f"<pre>{escape(self.answered.text())}</pre><ul>{told}</ul>{folds}{picture}"


@dataclass(frozen=True, repr=False)
class ComparisonResult:
    """What several engines found on one task."""

    run_id: str
    found: Comparison

    @property
    def table(self) -> pd.DataFrame:
        """A row per figure, a column per engine; medians over the measured runs."""
        header, *rows = table(self.found)
        return pd.DataFrame(rows, columns=["figure", *header[1:]]).set_index("figure")

    @property
    def parity(self) -> bool:
        """Whether all engines gave the same answer, within what their solvers leave."""
        return self.found.certificate.passed

    @property
    def report(self) -> str:
        """Verdict and table in Markdown."""
        return "\n\n".join((*verdict(self.found), markdown(table(self.found))))

    def __repr__(self) -> str:
        return "\n".join((self.table.to_string(), *verdict(self.found)))

    def _repr_html_(self) -> str:
        lines = "".join(f"<p>{escape(line)}" for line in verdict(self.found))
        return f"{lines}{self.table.to_html()}{''.join(map(_shown, draw(self.found).values()))}"


@dataclass(frozen=True, repr=False)
class InspectionResult:
    """What a table holds, before anything is trained."""

    found: Inspection

    @property
    def columns(self) -> pd.DataFrame:
        """A row per column, by name: figures, correlation with the target, plan, remarks."""
        return pd.DataFrame(map(asdict, self.found.columns)).set_index("name")

    def __repr__(self) -> str:
        header, *rows = inspection_table(self.found)
        remarks = [line for one in self.found.columns for line in one.remarks]
        return "\n".join((pd.DataFrame(rows, columns=header).to_string(index=False), *remarks))

    def _repr_html_(self) -> str:
        page = escape(inspection_html(self.found))
        return f'<iframe srcdoc="{page}" width="100%" height="600"></iframe>'


def _shown(picture: bytes) -> str:
    """A PNG within a page."""
    return f'<img src="{data_uri(picture)}">'


def run(
    data: Any = None,
    target: str | None = None,
    *,
    engine: str = "scan",
    track: bool = True,
    **keys: Any,
) -> RunResult:
    """The cross-validated regression of `target` by one engine.

    `track`: as one MLflow run; where the store does not take it, a warning says where its record
    waits. Raises ConfigurationError, DataError, MachineError, TrackingError.
    """
    config = _configuration(data, target, {"engine": engine, **keys})
    return RunResult(
        _run(config, say=False, strict=False) if track else measure(config.settings, say=False)
    )


def compare(
    data: Any = None, target: str | None = None, *, engines: Sequence[str] = (), **keys: Any
) -> ComparisonResult:
    """The same task by several engines (by default all), each in a process of its own.

    Raises IncompleteError where one fails or two do not agree, and the errors of `run`.
    """
    named = [engines] if isinstance(engines, str) else [*engines]
    chosen = {"compare": {"engines": named}} if named else {}
    config = _configuration(data, target, {"command": "compare", **chosen, **keys})
    return ComparisonResult(*_compare(config, say=False, strict=False))


def advise(data: Any = None, target: str | None = None, **keys: Any) -> None:
    """Print which engine to take, in how many seconds and how much memory.

    Raises DataError where the experiment holds too few runs to judge by.
    """
    _advise(_configuration(data, target, {"command": "advise", **keys}).settings)


def inspect(data: Any = None, target: str | None = None, **keys: Any) -> InspectionResult:
    """What every column holds and what the plan makes of it; nothing is trained or tracked.

    Without `target` (and with `data`) there are no correlations. Raises as `run`.
    """
    config = _configuration(data, target, {"command": "inspect", **keys})
    return InspectionResult(look(config.settings, say=False))


def sweep(
    data: Any = None, target: str | None = None, *, over: Mapping[str, Sequence[Any]], **keys: Any
) -> pd.DataFrame:
    """Every combination of `over`, key -> values, each job a process; its runs, best first.

    Raises IncompleteError where a job failed.
    """
    swept = [f"{key}={','.join(map(spelled, values))}" for key, values in over.items()]
    given = [*words([*typed(data, target, keys)]), *swept]
    command = [sys.executable, "-m", "tandem", "sweep", *given]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603
    if done.returncode:
        raise IncompleteError(f"sweep: ended with status {done.returncode} -> see its messages")
    where = _configuration(data, target, keys).settings.tracking
    found = ask(runs_frame, opened_store(where), None)
    parent = found[found["kind"] == "sweep"].iloc[0]["run_id"]
    jobs: pd.DataFrame = found[found["parent"] == parent].sort_values("rmse", ignore_index=True)
    return jobs


def runs(experiment: str = "tandem", kind: str | None = "run") -> pd.DataFrame:
    """The runs of an experiment, the newest first: engine, dataset, rows, seconds, rmse, r2, ...

    Raises TrackingError where the store does not answer.
    """
    return ask(runs_frame, opened_store(Tracking(None, experiment)), kind)


def load(run_id: str) -> Any:
    """The model of a run: `load(run_id).predict(frame)` takes raw rows."""
    return load_model(run_id)


def _configuration(data: Any, target: str | None, keys: Mapping[str, Any]) -> Configuration:
    return compose(*words([*typed(data, target, keys)]))
