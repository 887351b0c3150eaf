"""What people read of a run or a comparison: words, tables, pictures, pages."""

from tandem.reporting.charts import draw, grid, png
from tandem.reporting.page import page_html, page_markdown, page_note
from tandem.reporting.run_texts import run_note, texts
from tandem.reporting.tables import markdown, table
from tandem.reporting.verdicts import verdict

__all__ = [
    "draw",
    "grid",
    "markdown",
    "page_html",
    "page_markdown",
    "page_note",
    "png",
    "run_note",
    "table",
    "texts",
    "verdict",
]
