"""What a command shows of its result."""

import sys

from rich.console import Console
from rich.table import Table

from tandem.redaction import shown


def tell(*parts: str | Table, width: int = 100) -> None:
    """Print tables and lines on standard output, `width` characters where that is no terminal.

    A line is never broken, and is shown without secrets and without what a terminal would act on.
    """
    console = Console() if sys.stdout.isatty() else Console(width=width, force_terminal=False)
    for part in parts:
        if isinstance(part, str):
            console.print(shown(part), markup=False, highlight=False, soft_wrap=True)
        else:
            console.print(part)
