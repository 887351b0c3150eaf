"""Into how many partitions should the rows go?"""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from tandem.commands.study import Case, Row, command, seconds, series, where
from tandem.reporting import charts

HERE = Path(__file__).parent
COUNTS = (1, 2, 4, 10, 20, 50, 100, 200, 400)
LARGE = "1e7"  # rows on which distributed_scan takes seconds too
ENGINES = ("distributed", "distributed_scan")


def cases(small: bool) -> Sequence[Case]:
    """Both Spark engines with 1 to 400 partitions."""
    task = "+experiments=partitions/study"
    sizes = {"distributed": "1000", "distributed_scan": "4000"} if small else {}
    sizes.setdefault("distributed_scan", LARGE)
    return [
        Case(
            engine,
            (task, f"dataset.rows={sizes[engine]}") if engine in sizes else (task,),
            (f"spark.partitions={count}",),
            {"partitions": count},
        )
        for count in (COUNTS[:2] if small else COUNTS)
        for engine in ENGINES
    ]


def report(rows: list[Row], folder: Path) -> tuple[str, dict[str, float]]:
    """Seconds by partitions, and how many times the best each is."""
    runs = series(rows, "partitions")
    figure = charts.curves(runs, "partitions", "seconds in all")
    (folder / "times.png").write_bytes(charts.png(figure))
    heads = " | ".join(f"{engine}, {what}, s | of its best" for engine, what in runs)
    text = [f"| partitions | {heads} |", "|---:|" + "---:|---:|" * len(runs)]
    counts = sorted({int(row["partitions"]) for row in rows})
    metrics = {}
    for count in counts:
        cells = []
        for engine in ENGINES:
            taken = median(seconds(rows, engine=engine, partitions=str(count)))
            best = min(median(seconds(rows, engine=engine, partitions=str(one))) for one in counts)
            cells.append(f"{taken:.2f} | {taken / best:.2f}x")
            metrics[f"partitions/{engine}_{count}_of_best"] = taken / best
        text.append(f"| {count} | {' | '.join(cells)} |")
    return "\n".join(text) + f"\n\n{where(rows)}; medians.\n", metrics


if __name__ == "__main__":
    command(HERE, cases, report)
