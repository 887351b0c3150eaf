"""From the name of an engine to one that is ready to start, or to why it cannot."""

from importlib import import_module
from importlib.util import find_spec

from tandem.engines.base import Engine, Progress
from tandem.errors import MachineError
from tandem.machine import free_bytes
from tandem.records import Dataset, Kind, Task, unseen
from tandem.registry import ENGINES, without_spark


def not_installed(name: str) -> str:
    """What the engine called `name` lacks, and how to get it; nothing where it lacks nothing."""
    if name not in without_spark() or find_spec("pyspark"):
        return ""
    return "Spark is not installed -> pip install 'tandem[spark]'"


def create(name: str, task: Task, progress: Progress = unseen) -> Engine:
    """The engine called `name`, ready to start. Its module is imported now: it may be heavy.

    Raises MachineError where a library is missing that it is made of, or memory.
    """
    if lack := not_installed(name):
        raise MachineError(f"engine={name}: {lack}, or choose another engine")
    if ENGINES[name].copies:
        _check_memory(name, task.dataset)
    engine: type[Engine] = import_module(ENGINES[name].module).Engine
    return engine(task, progress)


def explained(name: str, error: Exception, task: Task) -> MachineError | None:
    """What an error of a library of engine `name` says of where it runs, where that can be told."""
    if name not in without_spark():
        return None
    from tandem.spark import explained as by_spark  # noqa: PLC0415 - where it is in use

    return by_spark(error, task.spark.master)


def _check_memory(name: str, dataset: Dataset) -> None:
    """Raise MachineError where the table alone is more than what is free."""
    numbers = sum(column.kind is Kind.NUMERIC for column in dataset.columns)
    needed = 8 * ENGINES[name].copies * dataset.rows * numbers
    if needed > (free := free_bytes()):
        table = f"{dataset.rows:,} rows of {numbers} numbers take {needed / 1e9:,.1f} GB of memory"
        raise MachineError(
            f"engine={name}: {table} at least, {free / 1e9:,.1f} GB are free -> engine=scan, which "
            "takes no more for more rows"
        )
