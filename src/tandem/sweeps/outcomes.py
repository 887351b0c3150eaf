"""How the jobs of a sweep ended: as a table for people, as a file for programs."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from operator import attrgetter
from signal import Signals

from tandem.redaction import shown_word
from tandem.reporting import five_digits, markdown
from tandem.sweeps.jobs import Job

_NOTE = 7000  # characters; MLflow takes 8000 in a tag
_COLUMNS = ("job", "status", "exit", "seconds", "rmse_mean", "run_id", "overrides", "message")


class Status(StrEnum):
    """Of a job: it finished now, it did not, it had finished before."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended. `code` is the exit status of its process, -n after signal n."""

    job: Job
    status: Status
    seconds: float = 0.0
    code: int = 0
    run_id: str = ""
    rmse: float | None = None
    message: str = ""

    @property
    def exit(self) -> str:
        """The exit status or signal in words; empty where no process ran."""
        if self.status is Status.SKIPPED:
            return ""
        return f"status {self.code}" if self.code >= 0 else f"signal {_signal(-self.code)}"

    def sentence(self) -> str:
        """One line on a failure."""
        label = f" ({self.job.label})" if self.job.label else ""
        return f"job {self.job.number}{label}: {self.exit}: {self.message}"


def _signal(number: int) -> str:
    try:
        return f"{number} ({Signals(number).name})"
    except ValueError:
        return str(number)


def by_number(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """In the order of the jobs."""
    return sorted(outcomes, key=attrgetter("job.number"))


def counts(outcomes: Sequence[Outcome]) -> dict[Status, int]:
    """How many jobs ended how."""
    return {status: sum(o.status is status for o in outcomes) for status in Status}


def best(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The job with the smallest mean RMSE; the first of equals."""
    return min((one for one in outcomes if one.rmse is not None), key=_rank, default=None)


def for_terminal(outcomes: Sequence[Outcome]) -> str:
    """A line per job, the smallest RMSE first, with the swept keys as columns."""
    swept = [dict(word.partition("=")[::2] for word in one.job.swept) for one in outcomes]
    keys = [*dict.fromkeys(key for words in swept for key in words)]
    rows = [["RMSE", "seconds", "status", *keys]]
    ranked = sorted(zip(outcomes, swept, strict=True), key=lambda pair: _rank(pair[0]))
    for one, words in ranked:
        rmse = "-" if one.rmse is None else five_digits(one.rmse)
        told = [rmse, f"{one.seconds:.1f}", one.status, *(words.get(key, "") for key in keys)]
        rows.append(told)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.rjust, row, widths)) for row in rows)
    return "\n".join(lines) + "\n"


def _rank(one: Outcome) -> tuple[float, int]:
    return (inf if one.rmse is None else one.rmse, one.job.number)


def to_csv(outcomes: Sequence[Outcome]) -> str:
    """A line per job that has ended."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in by_number(outcomes):
        rmse = "" if one.rmse is None else repr(one.rmse)
        seconds, words = f"{one.seconds:.2f}", " ".join(map(shown_word, one.job.overrides))
        writer.writerow(
            (one.job.number, one.status, one.exit, seconds, rmse, one.run_id, words, one.message)
        )
    return text.getvalue()


def table(outcomes: Sequence[Outcome]) -> str:
    """A Markdown table of the jobs, cut where MLflow would refuse it."""
    rows = [("job", "what", "status", "seconds", "RMSE", "run")]
    for one in by_number(outcomes):
        rmse = "" if one.rmse is None else f"{one.rmse:.6f}"
        status = f"{one.status}, {one.exit}" if one.status is Status.FAILED else one.status
        label = one.job.label.replace("|", "\\|")
        run = f"`{one.run_id[:8]}`" if one.run_id else ""
        rows.append((str(one.job.number), label, status, f"{one.seconds:.1f}", rmse, run))
    text = markdown(rows)
    if len(text) <= _NOTE:
        return text
    whole, _, _ = text[:_NOTE].rpartition("\n")
    return f"{whole}\n\nThe rest is in sweep/results.csv.\n"
