"""One run: prepare the dataset, drive the engine through its stages, judge, record."""

import sys
from dataclasses import dataclass, replace
from functools import partial
from shutil import copytree

import pyarrow as pa

from tandem.beside import helper_pid
from tandem.checks import remarks, weights
from tandem.cleaning import decide
from tandem.config import Configuration, task
from tandem.dataset import open_dataset, sample
from tandem.engines import create, explained, judged
from tandem.errors import ConfigurationError, as_interrupted
from tandem.machine import MemorySampler, Stopwatch
from tandem.progress import Display
from tandem.records import Task
from tandem.redaction import shown
from tandem.reporting import headline
from tandem.results import Result
from tandem.settings import Settings
from tandem.tracking import describe, listing_rejects, model_name, tracked, write_record


@dataclass(frozen=True)
class Answered:
    """What a run found; `rows`: raw ones, a sample; `run_id`: None if not tracked."""

    result: Result
    rows: pa.Table
    run_id: str | None = None

    def text(self) -> str:
        """The answer for a terminal."""
        target = self.result.task.dataset.target.name
        return shown(headline(self.result, weights(self.result.model, target, self.rows)))


def run(config: Configuration, *, say: bool = True, strict: bool = True) -> Answered:
    """Run the configured engine as one MLflow run and send its record.

    The total time is the pipeline's; opening the run before and sending after are outside it.
    `say`: print the answer as soon as it is there, unless the run is part of another.
    Raises TrackingError where the store does not take the record, which stays in the outbox; where
    it is not `strict`, it warns of that.
    """
    settings = config.settings
    engine, say = settings.engine.name, say and settings.tracking.parent_run_id is None
    tags = {"engine": engine, "kind": "run", "config.hash": config.hash}
    watch = Stopwatch()
    name = f"{engine}-{settings.dataset.title}"
    with listing_rejects(settings.tracking, name, tags):
        asked = _prepared(settings, watch, say=say)  # a typo leaves no run behind
    with tracked(settings.tracking, name, tags, strict=strict) as opened:
        watch.look = opened.check
        found = _measured(settings, asked, watch, say=say)
        if say:
            sys.stdout.write(found.text())
            sys.stdout.flush()
        record = describe(found.result, config.flat, config.hash, opened.key)
        write_record(opened.folder, found.result, record, config.yaml)
        if kept := settings.tracking.record_dir:
            copytree(opened.folder, kept, dirs_exist_ok=True)
    if say:
        name = model_name(engine, found.result.task.dataset.name)
        line = f"model      mlflow.pyfunc.load_model('runs:/{opened.id}/{name}')"
        sys.stdout.write(f"{shown(line)}\n")
    return replace(found, run_id=opened.id or None)


def measure(settings: Settings, *, say: bool) -> Answered:
    """What the configured engine finds, untracked; remarks are told where `say`."""
    watch = Stopwatch()
    return _measured(settings, _prepared(settings, watch, say=say), watch, say=say)


def _prepared(settings: Settings, watch: Stopwatch, *, say: bool) -> Task:
    display = Display(settings.engine.name)
    with display.stage("preparing the data"), watch.stage("convert"):
        chosen = settings.dataset, settings.folds, settings.cleaning
        asked = task(settings, open_dataset(*chosen, begin=display.begin))
    display.warn_each(asked.dataset.notes if say else ())
    return asked


def _measured(settings: Settings, asked: Task, watch: Stopwatch, *, say: bool) -> Answered:
    engine, dataset = settings.engine.name, asked.dataset
    display = Display(engine)
    result = execute(asked, engine, watch, display)
    with display.stage("checking"):
        rows = sample(dataset, [dataset.target.name, *result.model.coefficients])
        found = remarks(result, rows)
    display.warn_each(found if say else ())
    return Answered(replace(result, remarks=(*dataset.notes, *found)), rows)


def answer(settings: Settings, engine: str) -> Result:
    """The result of `engine` on the task of `settings`, without a record. Raises as `execute`."""
    chosen = task(settings, open_dataset(settings.dataset, settings.folds, settings.cleaning))
    return execute(chosen, engine, Stopwatch(), Display(engine))


def execute(task: Task, name: str, watch: Stopwatch, display: Display) -> Result:
    """Drive the engine called `name` through its stages, each timed, and judge what it measured.

    Raises ConfigurationError where the engine cannot do the task.
    """
    dataset, fits = task.dataset, task.folds.count * len(task.grid)
    with as_interrupted(), MemorySampler(without=helper_pid()) as memory:
        with display.stage("starting"), watch.stage("session"):
            engine = create(name, task, display.begin)
        if reason := engine.unsupported():
            raise ConfigurationError(f"engine: {name}: {reason} -> choose another engine")
        try:
            with display.stage("starting"), watch.stage("session"):
                engine.start()
            with display.stage("loading"), watch.stage("load"):
                engine.load()
            with display.stage("cleaning"), watch.stage("clean"):
                asked = partial(decide, dataset.target, dataset.features, weight=dataset.weight)
                plan, ledger = engine.prepare(partial(asked, cleaning=task.cleaning))
            ledger = replace(
                ledger, rows_in=ledger.rows_in + dataset.rejected, rows_rejected=dataset.rejected
            )
            if kept := ledger.rows_from_cache:
                display.note(
                    f"{kept:,} of {ledger.rows_in:,} rows are not read: the cache holds their sums "
                    "(cache.moments=false reads them)"
                )
            with display.stage("cross-validating"), watch.stage("train"):
                sums, scores = judged(engine, task)
            with display.stage("refitting the winner"), watch.stage("refit"):
                model = engine.refit(task.grid[scores.best])
                model = replace(model, log_target=dataset.in_logs)
                held_out = engine.hold_out()
            watch.stop()
            facts = engine.facts()
        except Exception as error:
            if told := explained(name, error, task):
                raise told from error
            raise
        finally:
            engine.close()
    if sums.unconverged:
        display.warn(
            f"{sums.unconverged} of {fits} fits stopped at the iteration cap before the tolerance "
            "-> raise model.max_iter, or set model.precompute=true; the metrics are of these fits"
        )
    times = watch.metrics()
    found = sums, scores, model, facts, times, memory.peak_mb
    return Result(name, task, plan, ledger, *found, held_out=held_out)
