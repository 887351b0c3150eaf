"""What does a cluster cost and give on the cores of one machine?"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from tandem.commands.study import Case, Row, command, seconds, series, where
from tandem.reporting import charts
from tandem.spark import local_cluster

HERE = Path(__file__).parent
FEW, MANY = ("1e4", "1e5"), ("1e4", "1e5", "1e6", "1e7")
MEMORY = ("spark.executor_memory=1g",)
# Where an engine runs, and the keys that say so.
PLACES = {
    "no Spark": ("engine.threads=2",),
    "local": ("spark.master='local[2]'", *MEMORY),
    "cluster": ("spark=standalone", *MEMORY),
}
ENGINES = {
    "sequential": (FEW, ("no Spark",)),
    "scan": (MANY, ("no Spark",)),
    "distributed": (FEW, ("local", "cluster")),
    "distributed_scan": (MANY, ("local", "cluster")),
}


def cases(small: bool) -> Sequence[Case]:
    """Every engine, those of Spark on threads of one JVM and on two executors of one core each."""
    return [
        Case(
            engine,
            (f"dataset.rows={'1000' if small else rows}",),
            () if engine == "sequential" else PLACES[place],
            {"place": place, "thousands": 1 if small else float(rows) / 1000},
        )
        for engine, (sizes, places) in ENGINES.items()
        for rows in (sizes[:1] if small else sizes)
        for place in places
    ]


def report(rows: list[Row], folder: Path) -> tuple[str, dict[str, float]]:
    """Seconds by rows, of every engine and place."""
    runs = series(rows, "thousands", lambda row: row["place"])
    figure = charts.curves(runs, "thousands of rows", "seconds in all")
    (folder / "times.png").write_bytes(charts.png(figure))
    sizes = sorted({row["thousands"] for row in rows}, key=float)
    heads = " | ".join(f"{float(size) * 1000:,.0f} rows, s" for size in sizes)
    text, metrics = [f"| engine | on | {heads} |", "|---|---|" + "---:|" * len(sizes)], {}
    for engine, place in runs:
        cells = []
        for size in sizes:
            found = seconds(rows, engine=engine, place=place, thousands=size)
            cells.append(f"{median(found):.2f}" if found else "")
            if found:
                name = f"{engine}_{place}_{float(size) * 1000:.0f}".replace(" ", "_")
                metrics[f"cluster/{name}_s"] = median(found)
        text.append(f"| {engine} | {place} | {' | '.join(cells)} |")
    turns = max(int(row["turn"]) for row in rows)
    of = "one run of each" if turns == 1 else f"medians of up to {turns} runs"
    return "\n".join(text) + f"\n\n{where(rows)}; {of}.\n", metrics


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as logs, local_cluster(Path(logs)):
        command(HERE, cases, report)
