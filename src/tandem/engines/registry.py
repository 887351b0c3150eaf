"""The engines by name. Each brings its own heavy library, so that it is imported on use."""

from importlib import import_module

from tandem.engines.base import Engine, Progress
from tandem.records import Advance, Task

# Engine name -> module that defines `Engine`. Imported on use: each brings its own heavy library.
ENGINES = {
    "sequential": "tandem.engines.sequential",
    "distributed": "tandem.engines.distributed",
    "scan": "tandem.engines.scan",
    "distributed_scan": "tandem.engines.distributed_scan",
}


def unseen(_total: int, _unit: str) -> Advance:
    """Progress that nobody looks at."""
    return lambda _done: None


def create(name: str, task: Task, progress: Progress = unseen) -> Engine:
    """The engine called `name`, ready to start."""
    engine: type[Engine] = import_module(ENGINES[name]).Engine
    return engine(task, progress)
