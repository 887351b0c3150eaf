"""How long until the answer stands on the screen, and until the prompt is back? See README.md.

python experiments/start-up/run.py [--repeats N] [--jobs N]
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from tandem.machine import machine_name
from tandem.registry import ENGINES

HERE = Path(__file__).parent
IMPORTS = "import mlflow, pandas, sklearn"  # what every figure is held against
TABLE = ("houses.csv", "--target", "price")
TWICE = (
    "import time, tandem\n"
    "def run():\n"
    "    begin = time.perf_counter()\n"
    "    tandem.run('houses.csv', target='price')\n"
    "    return time.perf_counter() - begin\n"
    "run(); print('answer', run())"
)


def write_table(folder: Path) -> None:
    """A CSV file of 88 houses: numbers, a category, gaps."""
    rng = np.random.default_rng(0)
    area, age = rng.normal(100, 20, 88).round(), rng.integers(0, 100, 88).astype(float)
    town = rng.choice(["Ulm", "Bonn", "Kiel"], 88)
    price = 2000 * area - 300 * age + rng.normal(0, 9000, 88).round()
    age[3:10] = np.nan
    frame = pd.DataFrame({"area": area, "age": age, "town": town, "price": price})
    frame.to_csv(folder / "houses.csv", index=False)


def calls(jobs: int) -> Mapping[str, Sequence[str]]:
    """What is measured, by name: the words of a command."""
    python, tandem = [sys.executable, "-c"], [sys.executable, "-m", "tandem"]
    runs = {name: [*tandem, *TABLE, f"engine={name}"] for name in ENGINES}
    penalties = ",".join(f"[{10.0 ** (power / 10):.4g}]" for power in range(jobs))
    swept = ["engine=scan", f"model.reg_param={penalties}", "sweep.jobs=2"]
    return {
        IMPORTS: [*python, IMPORTS],
        "tandem --help": [*tandem, "--help"],
        "a key that there is not": [*tandem, "fold.k=5"],
        **{f"engine={name}": words for name, words in runs.items()},
        "compare, four engines": [*tandem, "compare", *TABLE],
        f"sweep, {jobs} jobs of scan": [*tandem, "sweep", *TABLE, *swept],
        "tandem.run, the second of a process": [*python, TWICE],
    }


def timed(words: Sequence[str], folder: Path) -> tuple[float, float]:
    """Seconds until the first line stands on standard output, and until the process has ended."""
    mine = {**os.environ, "TANDEM_CACHE": str(folder / "cache"), "MLFLOW_DISABLE_TELEMETRY": "1"}
    mine.pop("MLFLOW_RUN_ID", None)
    begin = time.perf_counter()
    with subprocess.Popen(
        words, cwd=folder, env=mine, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        first = time.perf_counter() - begin
        process.stdout.read()
        process.wait()
    whole = time.perf_counter() - begin
    return (float(line.split()[1]) if line.startswith("answer ") else first), whole


def measure(repeats: int, jobs: int) -> Iterator[dict[str, str]]:
    """A row for every call: a first one in an empty folder, then all in turn."""
    what = calls(jobs)
    turns = [(turn, name) for turn in range(1, repeats + 1) for name in what]
    with tempfile.TemporaryDirectory() as folder:
        write_table(Path(folder))
        for turn, name in [(0, "engine=scan"), *turns]:
            sys.stderr.write(f"turn {turn}: {name}\n")
            answer, whole = timed(what[name], Path(folder))
            seconds = {"answer_s": f"{answer:.3f}", "all_s": f"{whole:.3f}"}
            told = name if turn else f"{name}, the first call of all"
            yield {"what": told, "turn": str(turn), **seconds, "machine": machine_name()}


def report(rows: Sequence[Mapping[str, str]]) -> str:
    """Medians of every call, and their ratio to the imports, as a table."""
    names = dict.fromkeys(row["what"] for row in rows)
    middle = {
        (name, key): median(float(row[key]) for row in rows if row["what"] == name)
        for name in names
        for key in ("answer_s", "all_s")
    }
    unit = middle[IMPORTS, "all_s"]
    turns = max(int(row["turn"]) for row in rows)
    machine = f"{rows[0]['machine']}. Medians of {turns} calls in turn. In brackets: of the"
    lines = [
        f'{machine} {unit:.2f} s that `python -c "{IMPORTS}"` takes.\n',
        "| call | first line after | prompt back after |",
        "|---|---:|---:|",
    ]
    for name in names:
        cells = [middle[name, key] for key in ("answer_s", "all_s")]
        told = " | ".join(f"{seconds:.2f} s ({seconds / unit:.2f})" for seconds in cells)
        lines.append(f"| {name} | {told} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure; write results.csv beside this file, and the table in README.md."""
    parser = argparse.ArgumentParser(
        description="Seconds until the answer; README.md has the question"
    )
    parser.add_argument("--repeats", type=int, default=5, help="calls of each kind")
    parser.add_argument("--jobs", type=int, default=100, help="of the sweep")
    options = parser.parse_args()
    rows = [*measure(options.repeats, options.jobs)]
    with (HERE / "results.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    readme, marks = HERE / "README.md", ("<!-- measured -->\n", "<!-- end -->\n")
    before, _, rest = readme.read_text("utf-8").partition(marks[0])
    _, _, after = rest.partition(marks[1])
    readme.write_text(f"{before}{marks[0]}{report(rows)}{marks[1]}{after}", encoding="utf-8")
    sys.stdout.write(report(rows))


if __name__ == "__main__":
    main()
