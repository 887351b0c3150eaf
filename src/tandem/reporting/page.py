"""A comparison as a page that carries everything in itself, and as Markdown."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from tandem.comparison import Comparison
from tandem.reporting.run_texts import ledger_line
from tandem.reporting.tables import markdown as as_markdown
from tandem.reporting.tables import parity_table, table
from tandem.reporting.templates import template
from tandem.reporting.verdicts import verdict

_PLOTS = {
    "stages": "Seconds by stage",
    "speedup": "Speed-up",
    "memory": "Memory",
    "folds": "The answer by fold",
}


def page_html(found: Comparison, command: str, pictures: Mapping[str, bytes]) -> str:
    """The report for a browser; `command` is what was typed, `pictures` are PNGs by name."""
    plots = {
        title: f"data:image/png;base64,{b64encode(pictures[name]).decode()}"
        for name, title in _PLOTS.items()
        if name in pictures
    }
    page = template("report.html.j2")
    return page.render(**_content(found, command), plots=plots)


def page_markdown(found: Comparison, command: str) -> str:
    """The same as Markdown, without pictures."""
    content = _content(found, command)
    parts = [
        f"# {content['title']}",
        *content["verdict"],
        as_markdown(content["table"]) if found.engines else "",
        "## Do the answers agree?",
        as_markdown(content["parity"]),
        "\n".join(f"- {line}" for line in content["faults"]),
        "## Checks",
        "\n".join(f"- {line}" for line in content["remarks"]) or "Nothing to report.",
        "## Cleaning",
        content["ledger"],
        "## Where and with what",
        "\n".join(f"- {key}: {value}" for key, value in found.machine.items()),
        f"```\n{command}\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def page_note(found: Comparison) -> str:
    """The description of the parent run in the MLflow UI."""
    shown = as_markdown(table(found)) if found.engines else ""
    return "\n\n".join((*verdict(found), shown, *(f"- {line}" for line in found.remarks)))


def _content(found: Comparison, command: str) -> dict[str, Any]:
    cleaning = found.answers[0].cleaning if found.answers else None
    return {
        "title": f"{found.dataset}: {', '.join(found.engines)}",
        "verdict": verdict(found),
        "table": table(found) if found.engines else [],
        "repeats": found.repeats,
        "parity": parity_table(found.certificate),
        "passed": found.certificate.passed,
        "faults": found.certificate.faults,
        "remarks": found.remarks,
        "ledger": ledger_line(cleaning["ledger"]) if cleaning else "",
        "decisions": cleaning["decisions"] if cleaning else [],
        "machine": found.machine,
        "task": found.task,
        "command": command,
    }
