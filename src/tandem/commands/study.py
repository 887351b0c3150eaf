"""A study: many runs under one parent, in turn, and what they took as a table.

Each is a process of its own, as in a comparison, and reads its rows. The answers to one task are
checked against each other: a timing without a checked answer is no result.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copytree

from tandem.commands.child import run_measured
from tandem.errors import IncompleteError, TandemError
from tandem.machine import machine_name
from tandem.progress import Display
from tandem.records import STAGES
from tandem.redaction import shown
from tandem.settings import Tracking
from tandem.tracking import Record, artifacts_in, keep_record, read_record, tracked

AGREE = 0.01  # RMSEs of one task, relative: solvers stop at tolerances


@dataclass(frozen=True, slots=True)
class Case:
    """One engine on one task; `labels` are its columns in the table, `task` what it shares.

    `repeats`: measured runs of it; None: as many as the study says.
    """

    engine: str
    task: tuple[str, ...]
    own: tuple[str, ...] = ()
    labels: Mapping[str, float | str] = field(default_factory=dict)
    repeats: int | None = None


Row = dict[str, str]  # of the table: column to cell
Report = Callable[[list[Row], Path], tuple[str, dict[str, float]]]  # the verdict, and metrics


def command(
    here: Path, cases: Callable[[bool], Sequence[Case]], report: Report, repeats: int = 1
) -> None:
    """The command of the study in folder `here`: measure `cases(small)`, judge, write, log.

    `report(rows, folder)` draws into `folder` and gives the verdict and the metrics of the parent.
    """
    parser = argparse.ArgumentParser(description=f"Study '{here.name}'; README.md has its question")
    parser.add_argument("--repeats", type=int, default=repeats, help="measured runs of each case")
    parser.add_argument("--again", action="store_true", help="measure what is there already, too")
    parser.add_argument("--small", action="store_true", help="small tables, to see it work")
    parser.add_argument("--fit", action="store_true", help="judge results.csv, measure nothing")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp()) if options.small else here
    table = folder / "results.csv"
    if options.again:
        table.unlink(missing_ok=True)
    try:
        if options.fit:
            _judge(report, read(table), folder)
        else:
            _run_study(here.name, cases(options.small), options.repeats, table, report)
    except TandemError as error:
        sys.stderr.write(f"error: {shown(str(error))}\n")
        sys.exit(error.status)


def _run_study(name: str, cases: Sequence[Case], repeats: int, table: Path, report: Report) -> None:
    tags = {"kind": "study", "machine": machine_name()}
    with tracked(Tracking(None, f"study-{name}"), name, tags) as opened:
        measure(opened.key, cases, repeats, table)
        text, metrics = _judge(report, read(table), table.parent)
        logged = tuple((key, value, 0) for key, value in metrics.items())
        told = {"mlflow.note.content": text}
        keep_record(opened.folder, Record(metrics=logged, tags=told))
        copytree(table.parent, artifacts_in(opened.folder))


def _judge(report: Report, rows: list[Row], folder: Path) -> tuple[str, dict[str, float]]:
    text, metrics = report(rows, folder)
    verdict, readme = folder / "verdict.md", folder / "README.md"
    if verdict.exists() and readme.exists():  # which quotes it
        quoting = readme.read_text(encoding="utf-8")
        quoted = verdict.read_text(encoding="utf-8")
        readme.write_text(quoting.replace(quoted, text), encoding="utf-8")
    verdict.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return text, metrics


def measure(parent: str, cases: Sequence[Case], repeats: int, table: Path) -> None:
    """Run every case `repeats` times, forth and back; a row each in `table`.

    `parent` is the key of the run that they are under.
    What this machine has measured before stays and is not run again; rows of other machines go.
    Raises IncompleteError where a run fails or two answers to one task differ by more than AGREE.
    """
    rows = [row for row in read(table) if row["machine"] == machine_name()]
    known = {(row["engine"], row["task"], row["own"], row["turn"]) for row in rows}
    rmse = {row["task"]: float(row["rmse"]) for row in reversed(rows)}  # of the first of each
    display = Display("study")
    for turn in range(1, max((c.repeats or repeats for c in cases), default=0) + 1):
        for number, case in enumerate(cases if turn % 2 else reversed(cases), 1):
            task, own = " ".join(case.task), " ".join(case.own)
            asked = turn <= (case.repeats or repeats)
            if not asked or (case.engine, task, own, str(turn)) in known:
                continue
            display.line(f"turn {turn}, {number} of {len(cases)}: {case.engine} {task} {own}")
            row = _row(case, turn, _run(parent, case))
            answer, other = float(row["rmse"]), rmse.setdefault(task, float(row["rmse"]))
            if abs(answer / other - 1) > AGREE:
                raise IncompleteError(
                    f"study: {case.engine} {task} {own}: RMSE {answer:.8g}, {other:.8g} by "
                    "another run: no result -> tandem compare with this task shows where"
                )
            rows.append(row)
            _write(rows, table)


def _run(parent: str, case: Case) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        words = [*case.task, *case.own]
        if status := run_measured(case.engine, words, Path(folder), parent):
            raise IncompleteError(f"study: {case.engine} ended with status {status} -> see above")
        return read_record(Path(folder)).values()


def _row(case: Case, turn: int, values: Mapping[str, float]) -> Row:
    stages = {stage: values[f"time/{stage}_s"] for stage in (*STAGES, "total")}
    # A table is made once, by whichever run is the first to want it.
    stages["total"] -= stages.pop("convert")
    times = {f"{stage}_s": f"{taken:.3f}" for stage, taken in stages.items()}
    return {
        "engine": case.engine,
        **{name: str(label) for name, label in case.labels.items()},
        "turn": str(turn),
        "rows": f"{values['data/rows']:.0f}",
        "features": f"{values['data/features']:.0f}",
        **times,
        "memory_mb": f"{values['memory/peak_mb']:.0f}",
        "rmse": repr(values["cv/rmse_mean"]),
        "task": " ".join(case.task),
        "own": " ".join(case.own),
        "machine": machine_name(),
    }


def output(command: Sequence[str], folder: Path | None = None, **environment: str) -> str:
    """What a program of a study writes, run in a process of its own, in `folder`."""
    mine = {k: v for k, v in os.environ.items() if k != "MLFLOW_RUN_ID"} | environment
    done = subprocess.run(  # noqa: S603 - a study's own programs
        command, cwd=folder, env=mine, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def recorded(words: Sequence[str]) -> Record:
    """The record of `tandem` with `words`, tracked in a store that is thrown away."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = [f"tracking.uri='sqlite:///{folder}/mlflow.db'", f"tracking.record_dir='{folder}/r'"]
        output([sys.executable, "-m", "tandem", *words, *own], folder)
        return read_record(folder / "r")


def read(table: Path) -> list[Row]:
    """The rows of an earlier measurement; none where there is none."""
    if not table.exists():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


def seconds(rows: Sequence[Row], /, **labels: str) -> list[float]:
    """Whole times of the runs that carry all of `labels`."""
    mine = (row for row in rows if all(row[name] == label for name, label in labels.items()))
    return [float(row["total_s"]) for row in mine]


def size(row: Row) -> str:
    """How large the table of a run was, in words."""
    return f"{int(row['rows']):,} rows"


def series(
    rows: Sequence[Row], column: str, what: Callable[[Row], str] = size
) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """(value of `column`, seconds in all) of every run, by engine and `what` it ran on."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        found.setdefault((row["engine"], what(row)), []).append(
            (float(row[column]), float(row["total_s"]))
        )
    return found


def where(rows: Sequence[Row]) -> str:
    """The machine that measured `rows`."""
    return rows[0]["machine"]


def cores(rows: Sequence[Row]) -> int:
    """The cores of the machine that measured `rows`."""
    return int(where(rows).split(" x ")[0])


def _write(rows: Sequence[Row], table: Path) -> None:
    part = table.with_suffix(".part")  # a study that is ended leaves a whole table
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    part.replace(table)
