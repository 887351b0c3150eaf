"""What a table holds and what the plan makes of it, before anything is trained or tracked."""

import re
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from tandem.commands.console import tell
from tandem.dataset import open_dataset
from tandem.errors import MachineError
from tandem.inspection import Inspection
from tandem.inspection import inspect as inspected
from tandem.machine import write_atomically
from tandem.progress import Display
from tandem.redaction import shown
from tandem.reporting import inspection_html, inspection_table, inspection_title
from tandem.settings import Settings

_WIDTH = 140
_RIGHT = ("missing", "distinct", "corr")


def inspect(settings: Settings) -> None:
    """Print a row per column, doubts and the plan, and write them as a page beside.

    Raises as `look`, and MachineError where the page cannot be written.
    """
    found = look(settings)
    page = Path(re.sub(r"[^\w.-]+", "-", f"inspect-{found.name}") + ".html")
    try:
        write_atomically(page, inspection_html(found))
    except OSError as error:
        raise MachineError(
            f"{page.absolute()}: cannot be written ({error.strerror}) -> call it in your own folder"
        ) from error
    remarks = [shown(line) for one in found.columns for line in one.remarks]
    lines = (*remarks, f"page       {page.absolute()}")
    tell(shown(inspection_title(found)), _table(found), *lines, width=_WIDTH)


def look(settings: Settings, *, say: bool = True) -> Inspection:
    """What the table holds; how its files are read is told where `say`.

    Raises ConfigurationError, DataError and MachineError as a run does.
    """
    display = Display("inspect")
    with display.stage("preparing the data"):
        chosen, cleaning = settings.dataset, settings.cleaning
        dataset = open_dataset(chosen, cleaning=cleaning, to_look=True, begin=display.begin)
    display.warn_each(dataset.notes if say else ())
    with display.stage("reading"):
        return inspected(
            dataset,
            settings.cleaning,
            target=settings.dataset.target is not None,
            threads=settings.engine.threads,
            advance=display.begin(dataset.rows, "rows"),
        )


def _table(found: Inspection) -> Table:
    header, *rows = inspection_table(found)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in header:
        right = name in _RIGHT
        whole = name in (*_RIGHT, "type", "shape")
        table.add_column(name, justify="right" if right else "left", no_wrap=whole, overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    return table
