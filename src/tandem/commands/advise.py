"""Which engine for a dataset, in how many seconds and how much memory: from runs in the store."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from tandem.beside import ask
from tandem.commands.console import tell
from tandem.config import task
from tandem.dataset import open_dataset
from tandem.errors import DataError
from tandem.machine import free_bytes, machine_name
from tandem.progress import Display
from tandem.records import Kind, Task
from tandem.registry import ENGINES, without_spark
from tandem.scaling import Crossover, Growth, Interval, crossover, fit
from tandem.scan import Reader
from tandem.scan import cardinalities as levels_of_columns
from tandem.settings import Settings
from tandem.tracking import Measured, measured, opened_store

_ENOUGH = 4  # runs, of at least as many sizes as there are terms
_FAR = 10.0  # times as many cells as any run had
_ROOM = 0.8  # of the memory at hand


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run of `engine` would take.

    `far`: times the cells of the largest run that it is judged by; `levels_far`: times the most
    levels of all categories that such a run had.
    """

    engine: str
    seconds: Interval
    memory_mb: Interval
    runs: int
    far: float
    levels_far: float = 0.0


def advise(settings: Settings) -> None:
    """Print what the dataset is, what each engine would take, and which one to choose.

    Raises DataError where the experiment holds too few runs of this machine to judge by.
    """
    experiment = opened_store(replace(settings.tracking, parent_run_id=None))
    here = [run for run in ask(measured, experiment) if run.machine == machine_name()]
    if not any(known(here, engine) for engine in ENGINES):  # before any data are prepared
        raise DataError(
            f"tracking.experiment: {settings.tracking.experiment}: {len(here)} runs of this "
            f"machine, of no engine {_ENOUGH} of different sizes: nothing to judge by -> tandem "
            "sweep engine=scan,sequential cache.moments=false dataset.rows=1e4,3e4,1e5,3e5"
        )
    dataset = open_dataset(settings.dataset, settings.folds, settings.cleaning)
    Display("advise").warn_each(dataset.notes)
    asked = task(settings, dataset)
    levels = cardinalities(asked)
    forecasts = [*forecast(asked, here, sum(levels.values()))]
    free = free_bytes() / 1e6
    _show(asked, forecasts, free, levels)


def cardinalities(asked: Task) -> dict[str, int]:
    """Levels of every categorical feature by its name, to judge by the first rows."""
    dataset = asked.dataset
    columns = [column for column in dataset.features if column.kind is Kind.CATEGORICAL]
    if not columns:
        return {}
    reader = Reader(dataset)
    found = levels_of_columns(reader, reader.footers().stretches[0], columns, dataset.rows)
    return {column.name: levels for column, levels in zip(columns, found, strict=True)}


def known(runs: Sequence[Measured], engine: str) -> list[Measured]:
    """The runs of `engine`; none where they are of too few sizes to judge by."""
    found = [run for run in runs if run.engine == engine]
    return found if len({run.cells for run in found}) >= _ENOUGH else []


def forecast(asked: Task, runs: Sequence[Measured], levels: int = 0) -> Iterator[Forecast]:
    """What every engine that there are enough `runs` of would take for `asked`."""
    cells = asked.dataset.rows * len(asked.dataset.features)
    wanted = terms(cells, asked.folds.count * len(asked.grid))
    for engine in ENGINES:
        by = known(runs, engine)
        if not by:
            continue
        seconds, memory = growths(by)
        yield Forecast(
            engine,
            seconds.at(wanted),
            memory.at(wanted),
            len(by),
            cells / max(run.cells for run in by),
            levels / max(1.0, *(run.levels for run in by)),
        )


def growths(runs: Sequence[Measured]) -> tuple[Growth, Growth]:
    """Of seconds and of megabytes."""
    sizes = [terms(run.cells, run.fits) for run in runs]
    return fit(sizes, [run.seconds for run in runs]), fit(sizes, [run.memory_mb for run in runs])


def crossings(runs: Sequence[Measured], like: Measured) -> Iterator[str]:
    """From how many rows of the dataset of `like` on Spark pays, with its features and fits."""
    same = [run for run in runs if _same_work(run, like)]
    for engine, alone in without_spark().items():
        lines = [line for name in (alone, engine) if (line := _line(same, name))]
        if len(lines) == 2:
            where = f"by the runs of {like.dataset} known of this machine"
            yield _told(engine, alone, crossover(*lines), where)


def _line(runs: Sequence[Measured], engine: str) -> Growth | None:
    """Seconds = a + b rows; None where too few sizes are known."""
    known = [run for run in runs if run.engine == engine]
    if len({run.rows for run in known}) < _ENOUGH:
        return None
    return fit([(1.0, run.rows) for run in known], [run.seconds for run in known])


def _told(engine: str, alone: str, found: Crossover, where: str) -> str:
    if found.rows is None:
        return f"Spark pays at no size, {where}: {engine} never beats {alone}."
    if found.rows == 0:
        return f"Spark pays at any size, {where}: {engine} always beats {alone}."
    high = f"{found.high:,.0f}" if isfinite(found.high) else "never"
    return (
        f"Spark does not pay below {found.rows:,.0f} rows ({found.low:,.0f} to {high}), {where}: "
        f"from there on {engine} beats {alone}."
    )


def _same_work(run: Measured, like: Measured) -> bool:
    features = round(run.cells / run.rows), round(like.cells / like.rows)
    known = (run.dataset, run.machine, run.fits) == (like.dataset, like.machine, like.fits)
    return known and features[0] == features[1]


def terms(cells: float, fits: int) -> tuple[float, float, float]:
    """What a cost is made of: starting, every cell once, every cell for every fit."""
    return 1.0, float(cells), float(cells * fits)


def choose(forecasts: Sequence[Forecast], free_mb: float) -> Forecast | None:
    """The fastest that fits into memory; None where none does."""
    fitting = [one for one in forecasts if one.memory_mb.high <= _ROOM * free_mb]
    return min(fitting, key=lambda one: one.seconds.value, default=None)


def advice(forecasts: Sequence[Forecast], free_mb: float) -> Iterator[str]:
    """The choice and its reason, a line each."""
    best = choose(forecasts, free_mb)
    if best is None:
        yield f"No engine fits into {free_mb:,.0f} MB -> a machine with more memory"
        return
    seconds, memory = best.seconds, best.memory_mb
    alone = f"Only {best.engine} can be judged by the runs so far"
    use = f"Use engine={best.engine}" if len(forecasts) > 1 else alone
    yield (
        f"{use}: about {seconds.value:.3g} s ({seconds.low:.3g} to {seconds.high:.3g}) "
        f"and {memory.value:,.0f} MB ({memory.low:,.0f} to {memory.high:,.0f})."
    )
    by = {one.engine: one for one in forecasts}
    for engine, alone in without_spark().items():
        if engine in by and alone in by:
            ratio = by[engine].seconds.value / by[alone].seconds.value
            verb = "does not pay" if ratio > 1 else "pays"
            yield f"Spark {verb} for this: {engine} would take {ratio:.2g}x the time of {alone}."
    if best.far > _FAR:
        yield (
            f"This dataset has {best.far:.0f} times the cells of the largest run known: so far the "
            "figures are drawn out; measure once before you rely on them."
        )
    if best.levels_far > _FAR:
        yield (
            f"Its categories have {best.levels_far:.0f} times as many levels as those of any run "
            "known, and sums by level take time and memory: measure once before you rely on them."
        )
    for engine in ENGINES:
        if engine not in by:
            yield (
                f"Of {engine} there are too few runs to say -> tandem sweep engine={engine} "
                "cache.moments=false dataset.rows=1e4,3e4,1e5,3e5"
            )


def _show(
    asked: Task, forecasts: Sequence[Forecast], free_mb: float, levels: Mapping[str, int]
) -> None:
    dataset = asked.dataset
    numbers = len(dataset.features) - len(levels)
    categories = f"{len(levels)} categories"
    if levels:
        most = max(levels, key=levels.__getitem__)
        categories += f" (about {sum(levels.values()):,} levels, {levels[most]:,} of them {most})"
    size = sum(Path(file.path).stat().st_size for file in dataset.files)
    asked_for = (
        f"{dataset.name}: {dataset.rows:,} rows, {numbers} numbers and {categories}, "
        f"{size / 1e6:,.1f} MB in {len(dataset.files)} file(s); "
        f"{asked.folds.count} folds x {len(asked.grid)} grid points; "
        f"{free_mb:,.0f} MB of memory free"
    )
    table = Table("engine", "seconds", "from - to", "MB", "runs known", box=SIMPLE_HEAD)
    for one in sorted(forecasts, key=lambda one: one.seconds.value):
        between = f"{one.seconds.low:.3g} - {one.seconds.high:.3g}"
        figures = (f"{one.seconds.value:.3g}", between, f"{one.memory_mb.value:,.0f}")
        table.add_row(one.engine, *figures, str(one.runs))
    tell(asked_for, table, *advice(forecasts, free_mb))
