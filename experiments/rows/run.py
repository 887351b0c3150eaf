"""From how many rows on does Spark pay?"""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.figure import Figure

from tandem.commands.study import Case, Row, command, cores, seconds, where
from tandem.registry import color
from tandem.scaling import Crossover, Growth, cost, crossover, fit

HERE = Path(__file__).parent
SIZES = (1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7)
ENGINES = ("sequential", "scan", "distributed_scan", "distributed")
ONE = "scan, one thread"
PAIRS = (
    ("sequential", "distributed"),
    ("scan", "distributed"),
    ("sequential", "distributed_scan"),
    ("scan", "distributed_scan"),
    ("sequential", "scan"),
)


def cases(small: bool) -> Sequence[Case]:
    """Every engine on every size, and one thread of the best, which COST is measured against."""
    found = []
    for rows in (500, 1000, 2000) if small else SIZES:
        task = (f"dataset.rows={rows:.0f}",)
        found.append(Case("scan", task, ("engine.threads=1",), {"threads": "1"}))
        found += [Case(engine, task, labels={"threads": "all"}) for engine in ENGINES]
    return found


def growths(rows: Sequence[Row]) -> dict[str, Growth]:
    """t = a + b rows of every engine at its defaults, and of `scan` on one thread."""
    return {
        **{engine: _growth(rows, engine, "all") for engine in ENGINES},
        ONE: _growth(rows, "scan", "1"),
    }


def _growth(rows: Sequence[Row], engine: str, threads: str) -> Growth:
    runs = [row for row in rows if (row["engine"], row["threads"]) == (engine, threads)]
    sizes = [(1.0, float(row["rows"])) for row in runs]
    return fit(sizes, [float(row["total_s"]) for row in runs])


def told(slow: str, fast: str, found: Crossover) -> str:
    """One crossover in words."""
    if found.rows is None:
        return f"{fast} never beats {slow} here ({found.share:.0%} of the draws)"
    if found.rows == 0:
        return f"{fast} beats {slow} at any size here ({found.share:.0%} of the draws)"
    high = f"{found.high:,.0f}" if np.isfinite(found.high) else "never"
    return f"{fast} beats {slow} above {found.rows:,.0f} rows ({found.low:,.0f} to {high})"


def measured(rows: Sequence[Row], slow: str, fast: str) -> str:
    """From which of the measured sizes on one engine was the faster, whatever the lines say."""

    def taken(engine: str, size: int) -> float:
        return median(seconds(rows, engine=engine, threads="all", rows=str(size)))

    sizes = sorted({int(row["rows"]) for row in rows})
    lost = [size for size in sizes if taken(fast, size) >= taken(slow, size)]
    won = [size for size in sizes if size > max(lost, default=0)]
    return f"measured: faster from {won[0]:,} rows on" if won else "measured: at no size"


def verdict(rows: Sequence[Row], lines: dict[str, Growth]) -> tuple[str, dict[str, float]]:
    """The text, and the metrics of the study's parent."""
    text = ["| engine | start, s | per million rows, s |", "|---|---:|---:|"]
    metrics: dict[str, float] = {}
    for engine, line in lines.items():
        start, slope = line.interval(0), line.interval(1)
        if engine != ONE:
            metrics |= {f"fit/{engine}_start_s": start.value}
            metrics |= {f"fit/{engine}_per_million_s": slope.value * 1e6}
        text.append(
            f"| {engine} | {start.value:.2f} ({start.low:.2f} to {start.high:.2f}) "
            f"| {slope.value * 1e6:.3g} ({slope.low * 1e6:.3g} to {slope.high * 1e6:.3g}) |"
        )
    text.append("")
    for slow, fast in PAIRS:
        found = crossover(lines[slow], lines[fast])
        text.append(f"- {told(slow, fast, found)}; {measured(rows, slow, fast)}")
        if found.rows is not None:
            metrics[f"crossover/{fast}_over_{slow}"] = found.rows
    for size in (1e6, 1e7, 1e8):
        best = lines[ONE].at((1.0, size)).value
        for engine in ("distributed", "distributed_scan"):
            needed = cost(lines[engine], best, size, cores(rows))
            shown = f"{needed} cores" if needed else "unbounded: no number of cores is enough"
            text.append(f"- COST of {engine} at {size:,.0f} rows: {shown}")
            if needed:
                metrics[f"cost/{engine}_{size:.0f}_rows"] = needed
    text += ["", f"{where(rows)}; medians and 90 % intervals of a residual bootstrap."]
    return "\n".join(text) + "\n", metrics


def plot(rows: Sequence[Row], lines: dict[str, Growth], path: Path) -> None:
    """Seconds over rows, both logarithmic: runs as dots, fits as lines with their bands."""
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    grid = np.geomspace(1e4, 1e8, 60)
    for engine in ENGINES:
        line = lines[engine]
        mine = [row for row in rows if (row["engine"], row["threads"]) == (engine, "all")]
        axes.plot(
            [float(row["rows"]) for row in mine],
            [float(row["total_s"]) for row in mine],
            "o",
            color=color(engine),
        )
        drawn = [line.at((1.0, size)) for size in grid]
        axes.plot(grid, [one.value for one in drawn], color=color(engine), label=engine)
        axes.fill_between(
            grid,
            [one.low for one in drawn],
            [one.high for one in drawn],
            color=color(engine),
            alpha=0.15,
            linewidth=0,
        )
    axes.set(xscale="log", yscale="log", xlabel="rows of flights", ylabel="seconds in all")
    axes.axvline(max(float(row["rows"]) for row in rows), color="#999999", linewidth=0.8)
    axes.legend(title="dots measured, lines fitted")
    figure.savefig(path, dpi=110)


def report(rows: list[Row], folder: Path) -> tuple[str, dict[str, float]]:
    """Fit, plot and judge what was measured; the text and the metrics."""
    lines = growths(rows)
    plot(rows, lines, folder / "times.png")
    return verdict(rows, lines)


if __name__ == "__main__":
    command(HERE, cases, report)
