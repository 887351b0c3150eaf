"""How much does a second core give each engine?"""

import os
from collections.abc import Sequence
from pathlib import Path

from tandem.commands.study import Case, Row, command, series, where
from tandem.reporting import charts
from tandem.scaling import amdahl_table

HERE = Path(__file__).parent
LARGE = "1e7"  # rows on which the scan engines take seconds too
SCANS = ("scan", "distributed_scan")
COUNTS = tuple(range(1, min(os.cpu_count() or 1, 4) + 1))


def cases(small: bool) -> Sequence[Case]:
    """`sequential` on its one core, the others on one core and on more."""
    task, large = ("+experiments=cores/study",), "4000" if small else LARGE
    small_task = (*task, "dataset.rows=1000") if small else task
    found = [Case("sequential", small_task, labels={"cores": 1})]
    for count in COUNTS:
        for engine in ("scan", "distributed_scan", "distributed"):
            of_engine = "engine.threads={}" if engine == "scan" else "spark.master='local[{}]'"
            own = (of_engine.format(count),)
            found.append(Case(engine, small_task, own, {"cores": count}))
            if engine in SCANS:
                found.append(Case(engine, (*task, f"dataset.rows={large}"), own, {"cores": count}))
    return found


def report(rows: list[Row], folder: Path) -> tuple[str, dict[str, float]]:
    """Amdahl's law of every engine and size."""
    runs = series(rows, "cores")
    figure = charts.curves(runs, "cores", "seconds in all")
    (folder / "times.png").write_bytes(charts.png(figure))
    text, metrics = amdahl_table(runs, "cores", max(int(row["cores"]) for row in rows))
    return f"{text}\n{where(rows)}; medians.\n", metrics


if __name__ == "__main__":
    command(HERE, cases, report, repeats=2)
