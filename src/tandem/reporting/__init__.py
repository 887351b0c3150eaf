"""What people read of a run or a comparison: words, tables, pictures, pages."""

from tandem.reporting.charts import data_uri, draw, grid, heat, png, weightiest
from tandem.reporting.headlines import five_digits, headline
from tandem.reporting.inspection import inspection_html, inspection_table, inspection_title
from tandem.reporting.page import page_html, page_markdown, page_note
from tandem.reporting.run_texts import (
    checks_json,
    cleaning_html,
    cleaning_json,
    coefficients,
    correlations,
    encodings,
    fold_metrics,
    folds_table,
    model_card,
    run_note,
    spark_json,
    spark_log,
)
from tandem.reporting.tables import markdown, table
from tandem.reporting.verdicts import verdict

__all__ = [
    "checks_json",
    "cleaning_html",
    "cleaning_json",
    "coefficients",
    "correlations",
    "data_uri",
    "draw",
    "encodings",
    "five_digits",
    "fold_metrics",
    "folds_table",
    "grid",
    "headline",
    "heat",
    "inspection_html",
    "inspection_table",
    "inspection_title",
    "markdown",
    "model_card",
    "page_html",
    "page_markdown",
    "page_note",
    "png",
    "run_note",
    "spark_json",
    "spark_log",
    "table",
    "verdict",
    "weightiest",
]
