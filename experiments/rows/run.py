"""From how many rows on does Spark pay? Measures, fits lines, writes results.csv and plots.

python experiments/rows/run.py [--repeats N] [--small] [--fit]

--fit: only fit and plot what results.csv holds.
"""

import argparse
import csv
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from tandem import machine
from tandem.report import COLORS
from tandem.scaling import Crossover, Growth, cost, crossover, fit
from tandem.study import Case, Row, conclude, study, write

HERE = Path(__file__).parent
SIZES = (1e4, 3e4, 1e5, 3e5)
LARGE = (1e6, 3e6, 1e7)  # of the engines whose runs end in minutes there
ENGINES = ("sequential", "scan", "distributed", "distributed_scan")
ONE = "scan, one thread"
PAIRS = (
    ("sequential", "distributed"),
    ("scan", "distributed"),
    ("sequential", "distributed_scan"),
    ("scan", "distributed_scan"),
    ("sequential", "scan"),
)


def cases(sizes: Sequence[float], large: Sequence[float]) -> Iterator[Case]:
    """Every engine on every size, then the scans on the large ones."""
    for rows in (*sizes, *large):
        task = (f"dataset.rows={rows:.0f}",)
        for engine in ENGINES if rows in sizes else ("scan", "distributed_scan"):
            yield Case(engine, task, labels={"threads": "all"})
        # One thread of the best engine on one machine: what COST is measured against.
        yield Case("scan", task, ("engine.threads=1",), {"threads": "1"})


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


def verdict(lines: dict[str, Growth]) -> tuple[str, dict[str, float]]:
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
        text.append(f"- {told(slow, fast, found)}")
        if found.rows is not None:
            metrics[f"crossover/{fast}_over_{slow}"] = found.rows
    cores = os.cpu_count() or 1
    for rows in (1e6, 1e7, 1e8):
        best = lines[ONE].at((1.0, rows)).value
        for engine in ("distributed", "distributed_scan"):
            needed = cost(lines[engine], best, rows, cores)
            shown = f"{needed} cores" if needed else "unbounded: no number of cores is enough"
            text.append(f"- COST of {engine} at {rows:,.0f} rows: {shown}")
            if needed:
                metrics[f"cost/{engine}_{rows:.0f}_rows"] = needed
    text += ["", f"{machine.name()}; medians and 90 % intervals of a residual bootstrap."]
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
            color=COLORS[engine],
        )
        drawn = [line.at((1.0, size)) for size in grid]
        axes.plot(grid, [one.value for one in drawn], color=COLORS[engine], label=engine)
        axes.fill_between(
            grid,
            [one.low for one in drawn],
            [one.high for one in drawn],
            color=COLORS[engine],
            alpha=0.15,
            linewidth=0,
        )
    axes.set(xscale="log", yscale="log", xlabel="rows of flights", ylabel="seconds in all")
    axes.axvline(max(float(row["rows"]) for row in rows), color="#999999", linewidth=0.8)
    axes.legend(title="dots measured, lines fitted")
    figure.savefig(path, dpi=110)


def read(path: Path) -> list[Row]:
    """The rows of an earlier measurement."""
    with path.open(encoding="utf-8") as file:
        return [dict(row) for row in csv.DictReader(file)]


def report(rows: Sequence[Row], folder: Path) -> tuple[str, dict[str, float]]:
    """Fit, plot and judge what was measured; the text and the metrics."""
    lines = growths(rows)
    text, metrics = verdict(lines)
    (folder / "verdict.md").write_text(text, encoding="utf-8")
    plot(rows, lines, folder / "times.png")
    print(text)
    return text, metrics


def main() -> None:
    """Measure, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="small tables, to see it work")
    parser.add_argument("--fit", action="store_true", help="use the results that are there")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp()) if options.small else HERE
    if options.fit:
        report(read(HERE / "results.csv"), HERE)
        return
    sizes, large = ((500, 1000, 2000), (4000,)) if options.small else (SIZES, LARGE)
    with study("rows") as (parent, measure):
        rows = measure([*cases(sizes, large)], options.repeats)
        write(rows, folder / "results.csv")
        text, metrics = report(rows, folder)
        conclude(parent, metrics, text, folder)


if __name__ == "__main__":
    main()
