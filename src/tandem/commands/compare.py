"""The same task on several engines, each in a process of its own, under one parent run."""

import json
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from tandem.answers import Answer
from tandem.beside import ask
from tandem.checks import weights
from tandem.commands.advise import crossings
from tandem.commands.child import run_measured
from tandem.commands.console import tell
from tandem.comparison import (
    Certificate,
    Comparison,
    Fit,
    Referee,
    certify,
    differences,
    spot_check,
)
from tandem.config import Configuration, task
from tandem.dataset import as_pandas, floats, open_dataset, sample
from tandem.engines import not_installed
from tandem.errors import IncompleteError, MachineError, TrackingError
from tandem.machine import machine_facts, scratch_folder, write_atomically
from tandem.model import predict
from tandem.progress import Display
from tandem.records import Dataset
from tandem.redaction import shown_word
from tandem.registry import solved, without_spark
from tandem.reporting import draw, five_digits, page_html, page_markdown, page_note, table, verdict
from tandem.tracking import (
    KEY_TAG,
    WARM_UP_TAG,
    Record,
    Run,
    artifacts_in,
    keep_dataset,
    keep_record,
    listing_rejects,
    members,
    read_answer,
    read_record,
    read_remarks,
    tracked,
)

# Overrides of the parent that its children get in a value of their own, or not at all.
_OWN = ("command=", "compare", "tracking", "engine=", "cache", "debug=")


@dataclass(frozen=True, slots=True)
class Turn:
    """One run of one engine; turn 0 warms up and does not count."""

    engine: str
    number: int
    folder: Path


@dataclass(frozen=True)
class _Ended:
    """What the runs left: the turns that finished, and why others did not."""

    finished: list[Turn] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def done(self) -> list[Turn]:
        """Those that count."""
        return [turn for turn in self.finished if turn.number]


def compare(
    config: Configuration, *, say: bool = True, strict: bool = True
) -> tuple[str, Comparison]:
    """Run the engines of `compare.engines`, log the comparison; the parent's run id, and it.

    Every child gets those of `config.words` that make the task. `say`: print figures and verdict.
    Raises IncompleteError where an engine failed, or two do not agree; what there is, is logged.
    Raises TrackingError where the store does not take it, which stays in the outbox; where it is
    not `strict`, it warns of that.
    """
    config = _of_installed(config)
    settings = config.settings
    tags = {"kind": "comparison", "config.hash": config.hash}
    name = f"compare-{settings.dataset.title}"
    display = Display("tandem")
    with listing_rejects(settings.tracking, name, tags), display.stage("preparing the data"):
        # Once, before any engine is timed; and before there is a run, so that a typo leaves none.
        chosen = settings.dataset, settings.folds, settings.cleaning
        dataset = open_dataset(*chosen, begin=display.begin)
    with tracked(settings.tracking, name, tags, strict=strict) as opened:
        with tempfile.TemporaryDirectory(dir=scratch_folder()) as place:
            ended = _run_all(config, opened.key, Path(place), say=say)
            with Display("tandem").stage("comparing"):
                found = _compared(config, dataset, ended)
                found = replace(found, crossings=[*_crossings(opened.key)])
                _write(found, artifacts_in(opened.folder), _command(config.words))
                keep_record(opened.folder, _record(found, dataset))
                if ended.done:
                    keep_dataset(opened.folder, ended.done[0].folder)
                _mark_children(found, opened, ended)
        if say:
            _show(found)
        _judge(found)
    return opened.id, found


def _of_installed(config: Configuration) -> Configuration:
    """`config` without the engines whose libraries are missing, each with a line.

    Raises MachineError where one of them was asked for by name, or none is left.
    """
    settings = config.settings
    lacking = {name: lack for name in settings.compare.engines if (lack := not_installed(name))}
    left = tuple(name for name in settings.compare.engines if name not in lacking)
    if lacking and (not left or any(word.startswith("compare.engines=") for word in config.words)):
        name, lack = next(iter(lacking.items()))
        raise MachineError(f"compare.engines: {name}: {lack}, or leave it out")
    for name, lack in lacking.items():
        Display("compare").warn(f"{name} is left out: {lack}")
    keys = replace(settings.compare, engines=left)
    return replace(config, settings=replace(settings, compare=keys))


def schedule(engines: Sequence[str], warm_up: int, repeats: int, place: Path) -> Iterator[Turn]:
    """Every engine once a turn, in alternating order, so that none is always the first."""
    for number in (*[0] * warm_up, *range(1, repeats + 1)):
        for engine in engines if number % 2 or number == 0 else reversed(engines):
            yield Turn(engine, number, place / f"{engine}-{number}")


def _run_all(config: Configuration, run_id: str, place: Path, *, say: bool) -> _Ended:
    """Every turn in order; an engine that failed gets no further turn, the others go on."""
    keys, ended = config.settings.compare, _Ended()
    # The fast ones first: the first figure stands after seconds.
    engines = sorted(keys.engines, key=lambda name: (name in without_spark(), not solved(name)))
    turns = [*schedule(engines, keys.warm_up, keys.repeats, place)]
    for position, turn in enumerate(turns, 1):
        if turn.engine in ended.failed:
            continue
        if len(turns) > len(keys.engines):
            what = f"turn {turn.number}" if turn.number else "warm-up"
            Display("tandem").note(f"{position} of {len(turns)}: {turn.engine}, {what}")
        if status := _run_child(turn, run_id, config):
            ended.failed[turn.engine] = f"it ended with status {status}, see its message"
            continue
        ended.finished.append(turn)
        if turn.number and say:
            _tell(turn)
    return ended


def _tell(turn: Turn) -> None:
    """What a turn came to, as soon as it has ended."""
    values = read_record(turn.folder).values()
    rmse = five_digits(values["cv/rmse_mean"])
    sys.stdout.write(f"{turn.engine:16} {values['time/total_s']:9.2f} s   RMSE {rmse}\n")
    sys.stdout.flush()


def _run_child(turn: Turn, parent: str, config: Configuration) -> int:
    task = [word for word in config.words if not word.lstrip("+~").startswith(_OWN)]
    debug = f"debug={config.settings.debug}"
    return run_measured(turn.engine, [*task, debug], turn.folder, parent)


def _compared(config: Configuration, dataset: Dataset, ended: _Ended) -> Comparison:
    order = config.settings.compare.engines
    turns: dict[str, list[Mapping[str, float]]] = {}
    answers: list[Answer] = []
    remarks: dict[str, None] = {}
    for turn in sorted(ended.done, key=lambda turn: order.index(turn.engine)):
        if turn.engine in ended.failed:
            continue
        turns.setdefault(turn.engine, []).append(read_record(turn.folder).values())
        answers.append(read_answer(turn.engine, turn.number, turn.folder))
        remarks |= dict.fromkeys(read_remarks(turn.folder))
    certificate, fit = Certificate(()), None
    if answers:
        target, model = dataset.target.name, answers[0].model
        chosen = replace(task(config.settings, dataset), cache_moments=False)
        rows = sample(chosen.dataset, [target, *model.coefficients])
        frame = as_pandas(rows)
        certificate = certify(
            answers, frame, Referee(chosen, {a.best for a in answers}), spot_check(chosen)
        )
        true = np.exp(floats(rows[target])) if model.log_target else floats(rows[target])
        fit = Fit(true, predict(model, frame), weights(model, target, rows))
    asked = {k: v for k, v in config.flat.items() if not k.startswith("engine")}
    return Comparison(
        *(dataset.name, turns, answers, certificate, ended.failed, [*remarks]),
        *(machine_facts(), asked),
        fit=fit,
    )


def _crossings(key: str) -> Iterator[str]:
    """What the runs in the experiment say of other sizes of this task; nothing without a store."""
    with suppress(TrackingError):
        here, runs = ask(members, key)
        if here:
            yield from crossings(runs, here)


def _write(found: Comparison, folder: Path, command: str) -> None:
    """The report, the certificate and the pictures, as the parent's artifacts."""
    pictures = draw(found)
    for name, content in pictures.items():
        write_atomically(folder / "plots" / f"{name}.png", memoryview(content))
    write_atomically(folder / "report" / "report.md", page_markdown(found, command))
    write_atomically(folder / "report" / "report.html", page_html(found, command, pictures))
    certificate = json.dumps(found.certificate.as_dict(), indent=1)
    write_atomically(folder / "parity" / "parity.json", certificate)
    for left, right in combinations([found.answer(engine) for engine in found.engines], 2):
        if found.certificate.comparable(left.engine, right.engine):
            path = folder / "parity" / f"{left.engine}-{right.engine}.csv"
            differences(left, right).to_csv(path, index=False)


def _record(found: Comparison, dataset: Dataset) -> Record:
    tags = {
        "data.fingerprint": dataset.fingerprint,
        "mlflow.note.content": page_note(found),
    }
    if len(found.answers) > 1:
        tags["parity"] = found.certificate.parity
    return Record(found.task, tuple(found.metrics()), tags)


def _mark_children(found: Comparison, opened: Run, ended: _Ended) -> None:
    """What the dashboard shows of the children, too; the first are for warming up."""
    mark = Record(tags={WARM_UP_TAG: "true"})
    parity = {"parity": found.certificate.parity} if len(found.answers) > 1 else {}
    for place, engine in enumerate(found.engines):
        speedup = Record({}, (("comparison/speedup", found.speedup(engine), 0),), parity)
        for turn in (turn for turn in ended.finished if turn.engine == engine):
            key = read_record(turn.folder).tags[KEY_TAG]
            opened.add(key, speedup if turn.number else mark, place)


def _judge(found: Comparison) -> None:
    """Raise IncompleteError where something that was asked for is not so."""
    faults = [f"engine {engine}: {why}" for engine, why in found.failed.items()]
    faults += [f"parity: {line}" for line in found.certificate.faults[:1]]
    if faults:
        more = " -> parity/parity.json of the comparison's run has every difference"
        raise IncompleteError("; ".join(faults) + (more if found.certificate.faults else ""))


def _command(overrides: Sequence[str]) -> str:
    task = [shown_word(w) for w in overrides if not w.startswith(("command=", "tracking."))]
    return shlex.join(["tandem", "compare", *task])


def _show(found: Comparison) -> None:
    """The table, then the plain words, on standard output."""
    if found.engines:
        header, *body = table(found)
        shown = Table(*header, box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for column in shown.columns:  # four engines fit in 80 characters
            column.no_wrap = True
            column.justify = "right" if column.header else "left"
        for row in body:
            shown.add_row(*row)
        tell(shown)
    tell(*verdict(found), *(f"- {line}" for line in found.remarks))
