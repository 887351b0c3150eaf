"""What a comparison found, in tables."""

from collections.abc import Sequence

from tandem.comparison import Certificate, Comparison
from tandem.records import STAGES


def table(found: Comparison) -> list[list[str]]:
    """Header, then a row per figure and a column per engine; medians over the runs."""
    figures = [(f"{stage} s", f"time/{stage}_s", "{:.2f}") for stage in (*STAGES, "total")]
    figures += [
        ("peak memory MB", "memory/peak_mb", "{:.0f}"),
        ("RMSE", "cv/rmse_mean", "{:.8g}"),
        ("R2", "cv/r2_mean", "{:.6g}"),
        ("MAE", "cv/mae_mean", "{:.8g}"),
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
    rows.append(["speed-up", *(f"{found.speedup(engine):.3g}x" for engine in found.engines)])
    return rows


def parity_table(certificate: Certificate) -> list[list[str]]:
    """Header, then a row per pair: the largest differences and the share of what is allowed."""
    header = ["engines", "parity", "RMSE, relative", "coefficient", "of what is allowed", "allowed"]
    rows = [header]
    for pair in certificate.pairs:
        by = {difference.what: difference for difference in pair.largest}
        rmse, slope = (by.get(name) for name in ("rmse", "coefficient"))
        rows.append(
            [
                f"{pair.left} - {pair.right}",
                "pass" if pair.passed else "FAIL",
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
