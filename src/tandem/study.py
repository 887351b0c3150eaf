"""A study: many runs under one parent, in turn, and what they took as a table.

Each is a process of its own, as in a comparison, and reads its rows. The answers to one task are
checked against each other: a timing without a checked answer is no result.
"""

import csv
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tandem import children, machine, tracking
from tandem.errors import IncompleteError
from tandem.progress import Display
from tandem.timing import STAGES

AGREE = 0.01  # RMSEs of one task, relative: solvers stop at tolerances


@dataclass(frozen=True, slots=True)
class Case:
    """One engine on one task; `labels` are its columns in the table, `task` what it shares."""

    engine: str
    task: tuple[str, ...]
    own: tuple[str, ...] = ()
    labels: Mapping[str, float | str] = field(default_factory=dict)


Row = dict[str, float | str]


@contextmanager
def study(name: str) -> Iterator[tuple[str, Callable[[Sequence[Case], int], list[Row]]]]:
    """The parent run of a study, and what measures its cases under it.

    `measure(cases, repeats)` gives a row per run. Raises IncompleteError where a run fails or two
    answers to one task differ.
    """
    store = tracking.Store(None, f"study-{name}")
    tags = {"kind": "study", "machine": machine.name()}
    with tracking.tracked(store, name, tags) as parent:
        yield parent, lambda cases, repeats: [*_measured(parent, cases, repeats)]


def _measured(parent: str, cases: Sequence[Case], repeats: int) -> Iterator[Row]:
    display, rmse = Display("study"), dict[tuple[str, ...], float]()
    for turn in range(1, repeats + 1):
        for number, case in enumerate(cases if turn % 2 else reversed(cases), 1):
            with tempfile.TemporaryDirectory() as folder:
                what = " ".join((case.engine, *case.task, *case.own))
                display.line(f"turn {turn}, {number} of {len(cases)}: {what}")
                values = _run(parent, case, Path(folder))
            known = rmse.setdefault(case.task, values["cv/rmse_mean"])
            if abs(values["cv/rmse_mean"] / known - 1) > AGREE:
                raise IncompleteError(
                    f"study: {what}: RMSE {values['cv/rmse_mean']:.8g}, {known:.8g} by another "
                    "engine: no result -> tandem compare with this task shows where"
                )
            yield _row(case, turn, values)


def _run(parent: str, case: Case, folder: Path) -> dict[str, float]:
    own = [f"engine={case.engine}", "cache.moments=false", f"tracking.record_dir='{folder}'"]
    under = children.under(parent, tracking.tracking_uri())
    if status := children.run([*case.task, *case.own, *own, *under]):
        raise IncompleteError(f"study: {case.engine} ended with status {status} -> see above")
    return tracking.read_record(folder).values()


def _row(case: Case, turn: int, values: Mapping[str, float]) -> Row:
    times = {f"{stage}_s": round(values[f"time/{stage}_s"], 3) for stage in (*STAGES, "total")}
    facts = {"memory_mb": round(values["memory/peak_mb"]), "rmse": values["cv/rmse_mean"]}
    size = {"rows": values["data/rows"], "features": values["data/features"]}
    return {"engine": case.engine, **case.labels, "turn": turn, **size, **times, **facts}


def write(rows: Sequence[Row], path: Path) -> None:
    """The table as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def conclude(parent: str, metrics: Mapping[str, float], note: str, folder: Path) -> None:
    """Figures, text and the files of `folder` on the study's parent."""
    logged = tuple((key, value, 0) for key, value in metrics.items())
    tags = {"mlflow.note.content": note}
    tracking.log_batch(parent, tracking.Record(metrics=logged, tags=tags))
    tracking.log_files(parent, folder)
