"""A comparison as a page that carries everything in itself, and as Markdown."""

from collections.abc import Mapping
from typing import Any

from tandem.comparison import Comparison
from tandem.reporting.charts import data_uri
from tandem.reporting.headlines import five_digits
from tandem.reporting.run_texts import ledger_line
from tandem.reporting.tables import coefficient_table, parity_table, table
from tandem.reporting.tables import markdown as as_markdown
from tandem.reporting.templates import template
from tandem.reporting.verdicts import verdict

_ANSWER = ("rmse_mean", "rmse_std", "r2_mean")
_PLOTS = {
    "stages": "Seconds by stage",
    "speedup": "Speed-up",
    "memory": "Memory",
    "folds": "The error by fold",
    "fit": "The model on the data",
}


def page_html(found: Comparison, command: str, pictures: Mapping[str, bytes]) -> str:
    """The report for a browser; `command` is what was typed, `pictures` are PNGs by name."""
    plots = {title: data_uri(pictures[name]) for name, title in _PLOTS.items() if name in pictures}
    page = template("report.html.j2")
    return page.render(**_content(found, command), plots=plots)


def page_markdown(found: Comparison, command: str) -> str:
    """The same as Markdown, without pictures."""
    content = _content(found, command)
    parts = [
        f"# {content['title']}",
        *content["verdict"],
        "\n".join(f"- {line}" for line in content["answer"]),
        as_markdown(content["table"]) if found.engines else "",
        "## The model" if found.fit else "",
        as_markdown(content["coefficients"]) if found.fit else "",
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
    # MLflow folds all but the first lines: whether the answers agree stands first.
    told = sorted(verdict(found), key=lambda line: "same answer" not in line)
    return "\n\n".join(("  \n".join(told), shown, *(f"- {line}" for line in found.remarks)))


def answer_lines(found: Comparison) -> list[str]:
    """The answer of the first engine: error, its spread, that of predicting the mean, penalty."""
    if not found.answers:
        return []
    first, best = found.engines[0], found.answers[0].best
    mean, deviation, r2 = (found.median(first, f"cv/{x}") or 0.0 for x in _ANSWER)
    return [
        (
            f"RMSE {five_digits(mean)}, in units of {found.target}; standard deviation over "
            f"{len(found.answers[0].test_rows)} folds {five_digits(deviation, mean)}"
        ),
        f"Predicting the mean: {five_digits(found.answers[0].baseline)}; R2 {r2:.4g}",
        (
            f"reg_param {best.reg_param:g}, elastic_net_param {best.elastic_net_param:g}: "
            f"chosen of {len(found.answers[0].grid)} grid points"
        ),
    ]


def _content(found: Comparison, command: str) -> dict[str, Any]:
    cleaning = found.answers[0].cleaning if found.answers else None
    return {
        "title": f"{found.target} of {found.dataset}: {', '.join(found.engines)}",
        "answer": answer_lines(found),
        "coefficients": coefficient_table(found),
        "sampled": len(found.fit.true) if found.fit else 0,
        "target": found.target,
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
