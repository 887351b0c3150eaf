"""How does the cost of scan grow with each size of the work?

python experiments/growth/run.py [--small] [--only AXIS ...]
"""

import argparse
import csv
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib.figure import Figure

from tandem.commands.run import answer, execute
from tandem.config import compose, task
from tandem.dataset import open_dataset
from tandem.machine import Stopwatch, machine_name
from tandem.progress import Display
from tandem.records import Task

HERE = Path(__file__).parent
AGREE = 1e-8  # relative: scikit-learn stops at its tolerance
EXACT = ("model.tol=1e-12", "model.max_iter=100000", "model.precompute=true")
RIDGES = ("model.elastic_net_param=[0]",)
ROOM = 0.15  # of an exponent, for noise
TURNS = 3

Make = Callable[[int, Path], Sequence[str]]  # writes a table of a size; what else is typed


@dataclass(frozen=True)
class Axis:
    """One size of the work: how it is made, at which sizes, and the exponent that it may have."""

    make: Make
    sizes: tuple[int, ...]
    asked: float
    why: str


def write(folder: Path, columns: dict[str, object], group: int = 2**17, files: int = 1) -> None:
    """A table with a target, the sum of some of its columns and noise."""
    table = pa.table(columns)
    rows = math.ceil(table.num_rows / files)
    for file in range(files):
        part = table.slice(file * rows, rows)
        pq.write_table(part, folder / f"{file:06}.parquet", row_group_size=group)


def numbers(rows: int, features: int, gaps: float = 0.0) -> dict[str, object]:
    """Random numbers with two decimals, as people have them, some of them missing."""
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=(features, rows)), 2)
    y = x[: min(features, 5)].sum(axis=0) + rng.normal(size=rows)
    mask = rng.random(rows) < gaps if gaps else None
    return {f"x{j}": pa.array(values, mask=mask) for j, values in enumerate(x)} | {"y": y}


def texts(rows: int, categories: int, levels: int) -> dict[str, object]:
    """Categories, each drawn from as many levels, beside three numbers."""
    rng = np.random.default_rng(1)
    names = pa.array([f"level {i}" for i in range(levels)])
    drawn = {
        f"c{j}": names.take(pa.array(rng.integers(levels, size=rows))) for j in range(categories)
    }
    return numbers(rows, 3) | drawn


def of_rows(size: int, folder: Path) -> Sequence[str]:
    write(folder, numbers(size, 20))
    return ()


def of_columns(size: int, folder: Path) -> Sequence[str]:
    write(folder, numbers(20_000, size))
    return RIDGES


def of_few_rows(size: int, folder: Path) -> Sequence[str]:
    write(folder, numbers(60, size))
    return RIDGES


def of_gaps(size: int, folder: Path) -> Sequence[str]:
    write(folder, numbers(20_000, size, gaps=0.1))
    return RIDGES


def of_files(size: int, folder: Path) -> Sequence[str]:
    write(folder, numbers(40 * size, 10), files=size)
    return ()


def of_row_groups(size: int, folder: Path) -> Sequence[str]:
    write(folder, numbers(500_000, 10), group=500_000 // size)
    return ()


def of_categories(size: int, folder: Path) -> Sequence[str]:
    write(folder, texts(50_000, size, 10))
    return RIDGES


def of_levels(size: int, folder: Path) -> Sequence[str]:
    write(folder, texts(1_000_000, 1, size))
    return ()


def of_folds(size: int, folder: Path) -> Sequence[str]:
    write(folder, numbers(100_000, 50))
    return (*RIDGES, f"folds.k={size}")


def of_grid(size: int, folder: Path) -> Sequence[str]:
    write(folder, numbers(20_000, 50))
    return (f"model.path={size}", "model.elastic_net_param=[0.5]")


AXES = {
    "rows": Axis(of_rows, (250_000, 500_000, 1_000_000, 2_000_000), 1, "each is read once"),
    "columns": Axis(of_columns, (200, 400, 800, 1600), 3, "one decomposition a fold"),
    "columns of 60 rows": Axis(of_few_rows, (250, 500, 1000, 2000), 3, "the same"),
    "columns with gaps": Axis(of_gaps, (25, 50, 100, 200), 3, "the same, of twice the features"),
    "files": Axis(of_files, (250, 500, 1000, 2000), 1, "each is opened once"),
    "row groups": Axis(of_row_groups, (625, 1250, 2500, 5000), 1, "each is decoded once"),
    "categories": Axis(of_categories, (8, 16, 32, 64), 2, "every pair is counted"),
    "levels": Axis(of_levels, (62_500, 125_000, 250_000, 500_000), 1.1, "they are sorted"),
    "folds": Axis(of_folds, (10, 20, 40, 80), 1, "one decomposition each"),
    "grid points": Axis(of_grid, (50, 100, 200, 400), 1, "each is solved"),
}


def measured(axis: Axis, size: int, *, check: bool) -> float:
    """CPU seconds of the whole cross-validation on one thread, the median of some turns."""
    with tempfile.TemporaryDirectory() as folder:
        words = axis.make(size, Path(folder))
        data = ("dataset=files", f"dataset.path={folder}", "dataset.target=y")
        chosen = compose(*data, "cache.moments=false", "engine.threads=1", *words).settings
        if check:
            exact = compose(*data, "cache.moments=false", *words, *EXACT).settings
            one, other = (answer(exact, engine).sums.sse for engine in ("scan", "sequential"))
            if not (apart := float(np.abs(one / other - 1).max())) <= AGREE:
                sys.exit(
                    f"{axis.make.__name__}: scan and scikit-learn differ by {apart}: no result"
                )
        asked = task(chosen, open_dataset(chosen.dataset, chosen.folds, chosen.cleaning))
        return median(turn(asked) for _ in range(TURNS))


def turn(asked: Task) -> float:
    """CPU seconds of one turn."""
    before = time.process_time()
    execute(asked, "scan", Stopwatch(), Display("scan"))
    return time.process_time() - before


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """log(t / t') / log(s / s') of the largest size s and the third largest s'."""
    return math.log(seconds[-1] / seconds[-3]) / math.log(sizes[-1] / sizes[-3])


def verdict(found: dict[str, dict[int, float]]) -> str:
    """A Markdown table: sizes, seconds, the exponent measured and the one that is asked for."""
    head = ("with", "sizes", "CPU seconds", "exponent", "asked", "because", "")
    lines = [f"| {' | '.join(head)} |", "|---|---|---|---:|---:|---|---|"]
    for name, times in found.items():
        axis, sizes, seconds = AXES[name], [*times], [*times.values()]
        power = exponent(sizes, seconds)
        met = "met" if power <= axis.asked + ROOM else "**missed**"
        shown = ", ".join(f"{size:,}" for size in sizes)
        taken = ", ".join(f"{one:.3g}" for one in seconds)
        cells = (name, shown, taken, f"{power:.2f}", str(axis.asked), axis.why, met)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + f"\n\n{machine_name()}\n"


def draw(found: dict[str, dict[int, float]], path: Path) -> None:
    """Every axis: seconds over size, both as multiples of the first."""
    figure = Figure((7, 5), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log")
    for name, times in found.items():
        sizes, seconds = np.array([*times]), np.array([*times.values()])
        axes.plot(sizes / sizes[0], seconds / seconds[0], marker="o", label=name)
    axes.set(xlabel="size, in multiples of the smallest", ylabel="CPU time of scan, the same")
    multiples = [2**i for i in range(len(max(found.values(), key=len)))]
    axes.set_xticks(multiples, [str(one) for one in multiples])
    axes.minorticks_off()
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure, write, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="tiny sizes, to see it work")
    parser.add_argument("--only", nargs="+", choices=AXES, default=[*AXES])
    options = parser.parse_args()
    out = Path(tempfile.mkdtemp()) if options.small else HERE
    found: dict[str, dict[int, float]] = {}
    with (out / "results.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["axis", "size", "cpu_s"])
        for name in options.only:
            axis = AXES[name]
            shrunk = [max(size // 50, 4 * (i + 1)) for i, size in enumerate(axis.sizes)]
            for place, size in enumerate(shrunk if options.small else axis.sizes):
                taken = measured(axis, size, check=place == 0)
                found.setdefault(name, {})[size] = taken
                writer.writerow([name, size, round(taken, 4)])
                file.flush()
                sys.stderr.write(f"{name} {size:,}: {taken:.3f} s\n")
    text = verdict(found)
    (out / "verdict.md").write_text(text, encoding="utf-8")
    draw(found, out / "growth.png")
    sys.stdout.write(text)
    sys.stderr.write(f"load average {os.getloadavg()[0]:.1f}\n")


if __name__ == "__main__":
    main()
