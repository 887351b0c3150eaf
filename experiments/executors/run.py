"""How much does a second executor, a process of its own, give Spark?"""

from collections.abc import Sequence
from pathlib import Path

from tandem.commands.study import Case, Row, command, cores, series, where
from tandem.reporting import charts
from tandem.scaling import amdahl_table

HERE = Path(__file__).parent
LARGE = "1e7"  # rows on which distributed_scan takes seconds too
COUNTS = (1, 2, 3, 4)  # more than there are cores: they share them


def cases(small: bool) -> Sequence[Case]:
    """Both Spark engines on a cluster of 1 to 4 executors of one core each, on this machine."""
    task, large = ("+experiments=executors/study",), "4000" if small else LARGE
    small_task = (*task, "dataset.rows=1000") if small else task
    found = []
    for count in COUNTS[:2] if small else COUNTS:
        own = (f"spark.master='local-cluster[{count},1,1024]'",)
        label = {"executors": count}
        found.append(Case("distributed", small_task, own, label))
        found.append(Case("distributed_scan", small_task, own, label))
        found.append(Case("distributed_scan", (*task, f"dataset.rows={large}"), own, label))
    return found


def report(rows: list[Row], folder: Path) -> tuple[str, dict[str, float]]:
    """Amdahl's law of both engines, from the executors that had a core each."""
    runs = series(rows, "executors")
    figure = charts.curves(runs, "executors of one core", "seconds in all")
    (folder / "times.png").write_bytes(charts.png(figure))
    most = max(int(row["executors"]) for row in rows)
    text, metrics = amdahl_table(runs, "executors", min(most, cores(rows)))
    return f"{text}\n{where(rows)}; medians.\n", metrics


if __name__ == "__main__":
    command(HERE, cases, report, repeats=2)
