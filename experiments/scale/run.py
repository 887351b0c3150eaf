"""From how many rows, columns and executors on does what stop? See README.md.

python experiments/scale/run.py [--small] [--fit] [--check] [--rows N]
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from math import log10
from os import getloadavg
from pathlib import Path
from time import perf_counter

import psutil
from measure import CORES, MASTER, Constants, constants, driven, task_of, write
from model import (
    HERE,
    Cluster,
    Scenario,
    dollars,
    driver_bytes,
    flat_s,
    partial_bytes,
    scan_stages,
    spark_s,
)

from tandem.commands.study import read
from tandem.machine import machine_name
from tandem.reporting import charts

FOLDER = Path(__file__).parent
MARKS = ("<!-- measured -->\n", "<!-- end -->\n")
MEASURED = FOLDER / "results.json"
SCENARIOS = [
    Scenario(rows, p, executors, files, groups, levels)
    for rows, p, executors, files, groups, levels in (
        (1e9, 30, 100, 1_000, 10_000, 0),
        (1e9, 300, 100, 1_000, 10_000, 0),
        (1e9, 5000, 1_000, 1_000, 10_000, 0),
        (1e10, 30, 100, 10_000, 100_000, 0),
        (1e10, 300, 1_000, 10_000, 100_000, 0),
        (1e10, 5000, 10_000, 10_000, 100_000, 0),
        (1e12, 30, 1_000, 100_000, 1_000_000, 0),
        (1e12, 30, 10_000, 100_000, 1_000_000, 0),
        (1e12, 30, 10_000, 100_000, 1_000_000, 1_000_000),
        (1e12, 300, 10_000, 100_000, 1_000_000, 0),
        (1e12, 5000, 10_000, 100_000, 1_000_000, 0),
    )
]
LIFTED = {
    "fingerprint": "digests made by tasks, or of the store's own checksums",
    "footers": "footers of the opening read by tasks, too; larger files",
    "footers in tasks": "fewer row groups",
    "tasks": "fewer, longer tasks",
    "scan": "more executors",
    "ranges": "half of each symmetric Gram; fewer, larger files",
    "driver adds": "one more level of ranges",
    "fits": "training sets solved by tasks",
}


def spark_constants() -> dict[str, float]:
    """Of Spark's own pipeline, from experiments/rows: seconds of a cell and pass, on one core."""
    rows = read(FOLDER.parent / "rows" / "results.csv")
    taken = {int(r["rows"]): float(r["total_s"]) for r in rows if r["engine"] == "distributed"}
    few, many = 1_000_000, 10_000_000
    row = (taken[many] - taken[few]) / (many - few) * CORES
    return {"cell_s": row / 28 / (3 * 6 + 1 + 2), "start_s": min(taken.values())}


def checked(c: Constants, rows: int, p: int, files: int) -> dict[str, tuple[float, float]]:
    """Predicted and measured seconds by stage, of a run that this machine can do."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "table"
        for _ in range(files):
            write(folder, rows // files, p)
        task = task_of(folder, f"spark.master='{MASTER}'")
        wall, cpu = (
            {stage: taken for stage, taken, _ in driven(task, "distributed_scan", clock)}
            for clock in (perf_counter, processor_s)
        )
    told = scan_stages(c, HERE, Scenario(rows, p, 1, files, files))
    scan = sum(told[stage] for stage in ("tasks", "scan", "ranges", "driver adds"))
    return {
        # Those that `load` reads; the opening read them twice.
        "load": (told["footers"] / 3, wall["load"]),
        "scan": (scan, wall["prepare"]),
        "scan, CPU time of all": (told["scan"] * CORES, cpu["prepare"]),
        "fits": (told["fits"], wall["train"] + wall["refit"]),
    }


def processor_s() -> float:
    """CPU seconds of this process and of all that it started: Java, its Python workers."""
    mine = psutil.Process()
    times = [one.cpu_times() for one in (mine, *mine.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def tables(c: Constants, check: Mapping[str, tuple[float, float]], machine: str) -> str:
    """Everything in words: the constants, the check, the scenarios."""
    spark, cluster = spark_constants(), Cluster()
    lines = [f"Constants, measured on {machine}:", "", "| constant | value |", "|---|---|"]
    lines += [f"| {name} | {_shown(value)} |" for name, value in asdict(c).items()]
    lines += [f"| spark {name} (experiments/rows) | {value:.3g} |" for name, value in spark.items()]
    lines += ["", "Predicted and measured, `distributed_scan` on this machine:", ""]
    lines += _table(
        ["stage", "predicted, s", "measured, s", "measured / predicted"],
        [[k, f"{a:.2f}", f"{b:.2f}", f"{b / a:.2f}"] for k, (a, b) in check.items()],
    )
    stages = [scan_stages(c, cluster, s) for s in SCENARIOS]
    names = [_named(s) for s in SCENARIOS]
    lines += ["", f"Predicted seconds of every stage: {cluster.name}.", ""]
    by_stage = [[f"{taken:,.0f}" for taken in found.values()] for found in stages]
    lines += _table(
        ["rows x columns, executors", *LIFTED],
        [[name, *cells] for name, cells in zip(names, by_stage, strict=True)],
    )
    lines += ["", "Sums and memory, cost, and Spark's own pipeline beside it.", ""]
    head = ["rows x columns, executors", "sums of a file, MB", "driver, GB"]
    head += ["driver alone adds all, s", "in all, s", "$", "without the fingerprint, s", "$"]
    head += ["Spark ML, s", "$", "limit", "next"]
    lines += _table(head, [_judged(c, spark, cluster, s) for s in SCENARIOS])
    return "\n".join([*lines, "", *(f"- {k}: {v}" for k, v in LIFTED.items())]) + "\n"


def _named(s: Scenario) -> str:
    levels = f" and 10^{round(log10(s.levels))} levels" if s.levels else ""
    return f"10^{round(log10(s.rows))} x {s.p}{levels}, {s.executors:,}"


def _judged(c: Constants, spark: Mapping[str, float], cluster: Cluster, s: Scenario) -> list[str]:
    stages, theirs = scan_stages(c, cluster, s), spark_s(spark, cluster, s)
    whole = sum(stages.values())
    first, second, *_ = sorted(stages, key=stages.__getitem__, reverse=True)
    cells = [f"{partial_bytes(c, s) / 1e6:,.2f}", f"{driver_bytes(c, cluster, s) / 1e9:,.1f}"]
    cells.append(f"{flat_s(c, cluster, s):,.0f}")
    for taken in (whole, whole - stages["fingerprint"], theirs):
        cells += [f"{taken:,.0f}", f"{dollars(cluster, s, taken):,.0f}"]
    return [_named(s), *cells, first, second]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _shown(value: float | tuple[float, ...] | list[float]) -> str:
    values = value if isinstance(value, (tuple, list)) else [value]
    return ", ".join(f"{one:.3g}" for one in values)


def picture(c: Constants, folder: Path) -> None:
    """Seconds by executors, a line for every stage: 10^12 rows of 300 columns."""
    cluster, large = Cluster(), Scenario(1e12, 300, 1)
    series: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for executors in (100, 300, 1_000, 3_000, 10_000):
        s = replace(large, executors=executors)
        stages = scan_stages(c, cluster, s)
        shown = {"scan": stages["scan"], "the rest, without the fingerprint": 0.0}
        shown["the rest, without the fingerprint"] = (
            sum(stages.values()) - stages["scan"] - stages["fingerprint"]
        )
        shown["fingerprint"] = stages["fingerprint"]
        for stage, taken in shown.items():
            series.setdefault(("distributed_scan", stage), []).append((executors, taken))
        theirs = spark_s(spark_constants(), cluster, s)
        series.setdefault(("distributed", "all"), []).append((executors, theirs))
    figure = charts.curves(series, "executors of 4 cores", "seconds, 10^12 rows x 300 columns")
    (folder / "times.png").write_bytes(charts.png(figure))


def main() -> None:
    """Measure the constants, check the model on this machine, and predict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="small tables, to see it work")
    parser.add_argument("--fit", action="store_true", help="judge results.json, measure nothing")
    parser.add_argument("--check", action="store_true", help="only the check is made again")
    parser.add_argument("--rows", type=int, default=10_000_000, help="of the run that is checked")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp()) if options.small else FOLDER
    kept = json.loads(MEASURED.read_text("utf-8")) if options.fit or options.check else {}
    found = Constants(**kept["constants"]) if kept else constants(small=options.small)
    if options.fit:
        check = {stage: (one, other) for stage, (one, other) in kept["check"].items()}
    else:
        check = checked(found, *((20_000, 5, 70) if options.small else (options.rows, 10, 100)))
        kept = {"machine": machine_name(), "load": getloadavg()[0]}
        kept |= {"constants": asdict(found), "check": check}
        (folder / "results.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    text = tables(found, check, f"{kept['machine']}, load {kept['load']:.1f} at the check")
    picture(found, folder)
    sys.stdout.write(text)
    if not options.small:
        readme = FOLDER / "README.md"
        before, _, rest = readme.read_text("utf-8").partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        readme.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}", "utf-8")


if __name__ == "__main__":
    main()
