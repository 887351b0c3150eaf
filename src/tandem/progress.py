"""What is running, on a terminal's standard error; silent anywhere else."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from rich.console import Console
from rich.filesize import pick_unit_and_suffix
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from tandem.records import Advance, unseen
from tandem.redaction import shown


class Display:
    """The stage that runs, on one line, with a bar over the work of which the engine tells."""

    def __init__(self, engine: str, console: Console | None = None) -> None:
        self._engine = engine
        # A notebook asks its processes for colours; rich would take that for a terminal.
        self._console = console or Console(stderr=True, force_terminal=sys.stderr.isatty())
        self._line: Progress | None = None

    def warn(self, text: str) -> None:
        """One line of warning, on any standard error."""
        self.line(f"tandem: {self._engine}: {text}")

    def warn_each(self, texts: Iterable[str]) -> None:
        """A line of warning for every text."""
        for text in texts:
            self.warn(text)

    def line(self, text: str) -> None:
        """One line, on any standard error, above what is shown of the stage."""
        self._console.print(shown(text), markup=False, highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """One line of news, on a terminal only."""
        if self._console.is_terminal:
            self.warn(text)

    @contextmanager
    def stage(self, what: str) -> Iterator[None]:
        """Show `what`, and the time it takes, while the block runs."""
        columns = (TextColumn("{task.description}"), TimeElapsedColumn())
        quiet = not self._console.is_terminal
        with Progress(*columns, console=self._console, disable=quiet, transient=True) as line:
            line.add_task(f"{self._engine}: {what}", total=None)
            self._line = line
            try:
                yield
            finally:
                self._line = None

    def begin(self, total: int, unit: str) -> Advance:
        """A bar over `total` units of the stage that runs, instead of the one before it.

        The last of a stage stays on the screen.
        """
        if self._line is None:
            return unseen(total, unit)
        (task,) = self._line.task_ids
        self._line.reset(task, total=total, unit=unit)
        text, elapsed = self._line.columns[0], self._line.columns[-1]
        self._line.columns = (text, BarColumn(None), _Done(), _Rate(), elapsed)
        self._line.live.transient = False
        return partial(self._line.advance, task)


class _Done(ProgressColumn):
    """Units done, of all."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        return Text(f"{task.completed:,.0f}/{task.total:,.0f} {task.fields['unit']}")


class _Rate(ProgressColumn):
    """Rows per second since the bar began."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        seconds = task.finished_time or task.elapsed
        if task.fields["unit"] != "rows" or not seconds:
            return Text("")
        rate = task.completed / seconds
        unit, letter = pick_unit_and_suffix(int(rate), ["", "k", "M", "G"], 1000)
        return Text(f"{rate / unit:.1f}{letter} rows/s")
