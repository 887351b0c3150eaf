"""engine=sequential against the plain script: the same rows, the same grid, in turn. See README.md.

python experiments/baseline/run.py [--rows N] [--repeats N] [--precompute]
"""

import argparse
import csv
import json
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path
from statistics import median

from tandem.commands.study import output, recorded
from tandem.dataset.flights import flights_folder
from tandem.machine.hardware import processor

HERE = Path(__file__).parent
STAGES = ("load", "clean", "train", "refit")
PROGRAMS = ("plain", "sequential")
AGREE = 0.01  # the folds differ, so the mean RMSEs agree to sampling noise only
GOAL = 1.15


@dataclass(frozen=True)
class Measured:
    """One process: seconds by stage, and the mean held-out RMSE of every grid point."""

    seconds: dict[str, float]
    rmse: list[float]

    @property
    def total(self) -> float:
        """Seconds of the pipeline, imports and tracking left out."""
        return sum(self.seconds.values())


def run_plain(rows: int | None, *, precompute: bool) -> Measured:
    """plain.py in a process of its own."""
    path = flights_folder(rows, 0) / "flights.parquet"
    command = [sys.executable, str(HERE / "plain.py"), str(path)]
    found = json.loads(output([*command, *(["--precompute"] if precompute else [])]))
    return Measured(found["seconds"], found["rmse_mean"])


def run_sequential(rows: int | None, *, precompute: bool) -> Measured:
    """`tandem engine=sequential` in a process of its own, tracked in a throw-away store."""
    record = recorded(
        [
            "engine=sequential",
            f"dataset.rows={'null' if rows is None else rows}",
            f"model.precompute={str(precompute).lower()}",
        ]
    )
    values = {(key, step): value for key, value, step in record.metrics}
    points = sorted(step for key, step in values if key == "grid/rmse_mean")
    return Measured(
        {stage: values[f"time/{stage}_s", 0] for stage in STAGES},
        [values["grid/rmse_mean", step] for step in points],
    )


def measure(
    rows: int | None, repeats: int, variants: tuple[bool, ...]
) -> Iterator[tuple[bool, str, int, Measured]]:
    """Every program and variant `repeats` times; who begins alternates."""
    programs = {"plain": run_plain, "sequential": run_sequential}
    for repeat, precompute in product(range(repeats), variants):
        for name in PROGRAMS if repeat % 2 == 0 else PROGRAMS[::-1]:
            yield precompute, name, repeat, programs[name](rows, precompute=precompute)


def check(plain: Measured, sequential: Measured) -> float:
    """The largest relative difference of the mean RMSEs; ends the script above AGREE."""
    pairs = zip(plain.rmse, sequential.rmse, strict=True)
    apart = max(abs(left / right - 1) for left, right in pairs)
    if apart > AGREE:
        sys.exit(f"mean RMSE: {plain.rmse} and {sequential.rmse} differ by {apart:.2%}: no result")
    return apart


def machine() -> dict[str, str]:
    """Where and with what it was measured."""
    return {
        "cpu": processor(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        **{name: version(name) for name in ("scikit-learn", "pandas", "numpy", "tandem")},
    }


def main() -> None:
    """Measure, check the answers, print the medians, write results.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, help="default: all flights")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--precompute", action="store_true", help="also with precompute=True")
    options = parser.parse_args()
    prepared = flights_folder(options.rows, 0)  # before anything is timed
    manifest = json.loads((prepared / "_manifest.json").read_text(encoding="utf-8"))
    print(f"flights: {manifest['rows']} rows", flush=True)

    runs: dict[tuple[bool, str], list[Measured]] = {}
    table = []
    variants = (False, True) if options.precompute else (False,)
    for precompute, name, repeat, found in measure(options.rows, options.repeats, variants):
        runs.setdefault((precompute, name), []).append(found)
        both = [runs.get((precompute, program)) for program in PROGRAMS]
        if both[0] and both[1]:
            check(both[0][-1], both[1][-1])  # a timing without a checked answer is no result
        stages = {f"{stage}_s": f"{found.seconds[stage]:.3f}" for stage in STAGES}
        row = {"precompute": precompute, "program": name, "repeat": repeat, **stages}
        table.append({**row, "pipeline_s": f"{found.total:.3f}", **machine()})
        print(f"{name:10} precompute={precompute!s:5} {found.total:7.2f} s", flush=True)

    with (HERE / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)

    print("\n" + ", ".join(f"{key} {value}" for key, value in machine().items()))
    print(f"load average now {os.getloadavg()[1]:.1f}: above 1, other work shares the cores")
    print(f"{'median seconds':26}" + "".join(f"{stage:>9}" for stage in (*STAGES, "pipeline")))
    for precompute in variants:
        for name in PROGRAMS:
            found_all = runs[precompute, name]
            medians = [median(one.seconds[stage] for one in found_all) for stage in STAGES]
            medians.append(median(one.total for one in found_all))
            label = f"{name}{', precompute' if precompute else ''}"
            print(f"{label:26}" + "".join(f"{value:9.2f}" for value in medians))
        plain, sequential = (runs[precompute, name] for name in PROGRAMS)
        ratio = median(one.total for one in sequential) / median(one.total for one in plain)
        apart = check(plain[0], sequential[0])
        turns = (s.total / p.total for p, s in zip(plain, sequential, strict=True))
        print("ratio by turn: " + ", ".join(f"{turn:.3f}" for turn in turns))
        print(f"ratio {ratio:.3f} (goal: at most {GOAL}); mean RMSEs within {apart:.3%}\n")


if __name__ == "__main__":
    main()
