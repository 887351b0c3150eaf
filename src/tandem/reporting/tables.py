"""What a comparison found, in tables."""

from collections.abc import Sequence

from tandem.answers import Answer
from tandem.categories import spans
from tandem.comparison import Certificate, Comparison
from tandem.records import STAGES, Action
from tandem.results import OTHERS


def coefficient_table(found: Comparison) -> list[list[str]]:
    """Header, then a row per feature of the first answer, the weightiest first."""
    if not found.fit:
        return []
    answer, fit = found.answers[0], found.fit
    header = ["feature", "coefficient", "standardised"]
    spread = dict.fromkeys(fit.weights, "")
    slopes = answer.best_slopes
    if slopes is not None:
        header.append("over folds")
        places = spans(answer.features)
        spread = {
            name: "" if _one_hot(answer, name) else f"+- {slopes[:, span.start].std():.2g}"
            for name, span in zip(answer.model.coefficients, places, strict=True)
        }
    rows = [[*header, "how it enters"]]
    for name in sorted(fit.weights, key=lambda name: -abs(fit.weights[name])):
        slope = "by level" if _one_hot(answer, name) else f"{answer.model.coefficients[name]:.6g}"
        values = [slope, f"{fit.weights[name]:+.3f}"]
        values += [spread[name]] if slopes is not None else []
        rows.append([name, *values, _entering(answer, name)])
    blank = [""] * (len(header) - 2)
    return [*rows, ["intercept", f"{answer.model.intercept:.6g}", *blank, ""]]


def _one_hot(answer: Answer, name: str) -> bool:
    """Whether the levels of a column are features."""
    decisions = answer.cleaning["decisions"]
    action = next(d["action"] for d in decisions if d["column"] == name)
    return str(action).startswith(Action.ONE_HOT)


def _entering(answer: Answer, name: str) -> str:
    levels = answer.model.levels.get(name)
    if levels is not None and _one_hot(answer, name):
        values = dict(zip(answer.model.encodings[name], levels, strict=False))
        least, most = (f"{of(values):+.4g} ({values[of(values)]})" for of in (min, max))
        return f"a 0/1 feature for each of {len(levels):,} levels, from {least} to {most}"
    if name in answer.model.encodings:
        return f"mean target of its category, of {len(levels or ()):,}"
    if levels is not None:
        return f"rank by frequency of {len(levels):,} distinct values"
    return f"as it is; a missing one as {answer.model.means[name]:.6g}"


def table(found: Comparison) -> list[list[str]]:
    """Header, then a row per figure and a column per engine; medians over the runs."""
    figures = [(f"{stage} s", f"time/{stage}_s", "{:.2f}") for stage in (*STAGES, "total")]
    figures += [
        ("peak memory MB", "memory/peak_mb", "{:.0f}"),
        ("RMSE", "cv/rmse_mean", "{:.8g}"),
        ("  +- over folds", "cv/rmse_std", "{:.4g}"),
        ("R2", "cv/r2_mean", "{:.6g}"),
        *((name, f"cv/{key}_mean", "{:.8g}") for key, name in OTHERS.items()),
        ("scans of the rows", "data/scans", "{:.0f}"),
        ("Spark tasks", "spark/tasks", "{:.0f}"),
        ("unconverged fits", "cv/unconverged_fits", "{:.0f}"),
    ]
    rows = [["", *found.engines]]
    for label, key, form in figures:
        values = [found.median(engine, key) for engine in found.engines]
        if any(values) or key.startswith("time/"):
            rows.append([label, *("-" if v is None else form.format(v) for v in values)])
    if found.repeats > 1:
        ranges = [f"{found.range_s(engine):.2f}" for engine in found.engines]
        rows.insert(2 + len(STAGES), ["largest - smallest total s", *ranges])
    if found.answers:
        chosen = [found.answer(engine).best for engine in found.engines]
        rows.append(["reg_param", *(f"{point.reg_param:g}" for point in chosen)])
        rows.append(["elastic_net_param", *(f"{point.elastic_net_param:g}" for point in chosen)])
    rows.append(["speed-up", *(f"{found.speedup(engine):.3g}x" for engine in found.engines)])
    return rows


def parity_table(certificate: Certificate) -> list[list[str]]:
    """Header, then a row per pair: the largest differences and the share of what is allowed."""
    header = ["engines", "same?", "RMSE differs by", "a coefficient by"]
    header += ["at most, of what is allowed", "allowed"]
    rows = [header]
    for pair in certificate.pairs:
        by = {difference.what: difference for difference in pair.largest}
        rmse, slope = (by.get(name) for name in ("rmse", "coefficient"))
        rows.append(
            [
                f"{pair.left} - {pair.right}",
                "FAIL" if pair.parity == "fail" else pair.parity,
                f"{rmse.relative:.1e}" if rmse else "-",
                f"{slope.relative:.1e}" if slope else "-",
                f"{pair.worst.share:.1%}" if pair.largest else "-",
                pair.tolerance,
            ]
        )
    return rows


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """`rows` (the first is the header) as a Markdown table."""
    header, *body = ("| " + " | ".join(row) + " |" for row in rows)
    rule = "|---" + "|---:" * (len(rows[0]) - 1) + "|"
    return "\n".join((header, rule, *body)) + "\n"
