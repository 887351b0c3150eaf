"""What is running, on a terminal's standard error; silent anywhere else."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tandem.engines.base import Advance


class Display:
    """Stage names, and a bar for the fits of the cross-validation."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._console = Console(stderr=True)

    def warn(self, text: str) -> None:
        """One line of warning, on any standard error."""
        self._console.print(
            f"tandem: {self._engine}: {text}", markup=False, highlight=False, soft_wrap=True
        )

    def note(self, text: str) -> None:
        """One line of news, on a terminal only."""
        if self._console.is_terminal:
            self.warn(text)

    @contextmanager
    def stage(self, what: str, fits: int = 0) -> Iterator[Advance]:
        """Show `what` while the block runs, with a bar over `fits` if there are any."""
        columns = [TextColumn("{task.description}"), TimeElapsedColumn()]
        if fits:
            columns[1:1] = [BarColumn(), MofNCompleteColumn()]
        quiet = not self._console.is_terminal
        with Progress(*columns, console=self._console, disable=quiet, transient=not fits) as bar:
            task = bar.add_task(f"{self._engine}: {what}", total=fits or None)
            yield lambda done: bar.advance(task, done)
