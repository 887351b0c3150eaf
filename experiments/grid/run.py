"""What does one more fold cost, and what one more grid point?"""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np

from tandem.commands.study import Case, Row, command, seconds, series, size, where
from tandem.reporting import charts
from tandem.scaling import Growth, fit

HERE = Path(__file__).parent
FOLDS = (3, 5, 10)
POINTS = {1: (1, 1), 6: (2, 3), 24: (8, 3), 100: (20, 5)}  # reg_params x elastic_net_params
# Engines that fit one grid point after another are drawn on from what ends in minutes.
FITS = {"sequential": 240, "distributed": 60, "scan": 1000, "distributed_scan": 1000}


def cases(small: bool) -> Sequence[Case]:
    """Every engine with every number of folds and grid points that it is asked for."""
    task = ("+experiments=grid/study", *(["dataset.rows=1000"] if small else []))
    return [
        Case(
            engine,
            (*task, f"folds.k={k}", *_grid(*POINTS[points])),
            labels={"k": k, "points": points},
        )
        for k in FOLDS
        for points in POINTS
        for engine, most in FITS.items()
        if k * points <= (most if not small else 18)
    ]


def _grid(reg_params: int, elastic_net_params: int) -> tuple[str, str]:
    penalties = np.geomspace(0.1, 0.01, reg_params)
    mixes = np.linspace(0, 1, elastic_net_params) if elastic_net_params > 1 else [0.5]
    listed = [",".join(f"{value:.4g}" for value in values) for values in (penalties, mixes)]
    return f"model.reg_param=[{listed[0]}]", f"model.elastic_net_param=[{listed[1]}]"


def growth(rows: Sequence[Row], engine: str) -> Growth:
    """t = a + b k + c k points of one engine."""
    mine = [row for row in rows if row["engine"] == engine]
    terms = [(1.0, float(row["k"]), float(row["k"]) * float(row["points"])) for row in mine]
    return fit(terms, [float(row["total_s"]) for row in mine])


def report(rows: list[Row], folder: Path) -> tuple[str, dict[str, float]]:
    """Seconds by folds and grid points, and what a fold and a fit add."""
    engines = [*dict.fromkeys(row["engine"] for row in rows)]
    lines = {engine: growth(rows, engine) for engine in engines}
    shapes = [(k, points) for k in FOLDS for points in POINTS]
    text = [f"| k x grid points | {', s | '.join(engines)}, s |", "|---|" + "---:|" * len(engines)]
    for k, points in shapes:
        cells = []
        for engine in engines:
            taken = seconds(rows, engine=engine, k=str(k), points=str(points))
            drawn = lines[engine].at((1, k, k * points)).value
            cells.append(f"{median(taken):.2f}" if taken else f"({drawn:,.0f})")
        text.append(f"| {k} x {points} | {' | '.join(cells)} |")
    text += ["", "In brackets: drawn on.", "", "| engine | start, s | a fold, s | a fit, s |"]
    text.append("|---|---:|---:|---:|")
    metrics = {}
    for engine, line in lines.items():
        found = [line.interval(term) for term in range(3)]
        text.append(
            f"| {engine} | "
            + " | ".join(f"{one.value:.3g} ({one.low:.3g} to {one.high:.3g})" for one in found)
            + " |"
        )
        metrics |= {f"fit/{engine}_fold_s": found[1].value, f"fit/{engine}_fit_s": found[2].value}
    runs = series(rows, "points", lambda row: f"k={row['k']}")
    figure = charts.curves(runs, "grid points", f"seconds in all, {size(rows[0])}")
    (folder / "times.png").write_bytes(charts.png(figure))
    note = f"{where(rows)}; medians and 90 % intervals of a residual bootstrap."
    return "\n".join(text) + f"\n\n{note}\n", metrics


if __name__ == "__main__":
    command(HERE, cases, report)
