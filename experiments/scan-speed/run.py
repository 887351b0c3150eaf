"""How fast and how flat is scan? Checks the answers, measures, writes results.csv and plots.

python experiments/scan-speed/run.py [--data FOLDER] [--repeats N] [--small] [--only PART ...]

FOLDER (default: a temporary one) gets up to 8 GB of tables, which are left there if it is named.
"""

import argparse
import csv
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import tables
import verdict
from in_turn import LARGE

from tandem.commands.study import output, recorded

HERE = Path(__file__).parent
AGREE = 1e-8  # scikit-learn stops at its tolerance, scan at rounding
EXACT = ("model.tol=1e-12", "model.max_iter=100000", "model.precompute=true")
FLIGHTS = (
    "dataset.target=dep_delay",
    "dataset.exclude=[dep_time,arr_time,arr_delay,air_time,time_hour]",
)


@dataclass(frozen=True)
class Table:
    """A table to measure on, as overrides of the configuration."""

    name: str
    path: Path
    overrides: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The overrides that make it the dataset."""
        index = "cleaning.encoding=index"  # sums alone: what is solved is small
        return ("dataset=files", f"dataset.path='{self.path}'", index, *self.overrides)


@dataclass(frozen=True)
class Row:
    """One measured turn: seconds, megabytes above the imports, or how far answers are apart."""

    section: str
    case: str
    threads: int
    program: str
    turn: int
    cpu_s: float | None = None
    wall_s: float | None = None
    mb: float | None = None
    difference: float | None = None


def numeric(folder: Path, rows: int, features: int) -> Table:
    """The table of `rows` x `features` numbers."""
    path = tables.numeric(folder, rows, features)
    return Table(f"{features} features", path, ("dataset.target=y",))


def in_turn(
    section: str, table: Table, programs: str, repeats: int, threads: str, *overrides: str
) -> Iterator[Row]:
    """The rows of one process of in_turn.py."""
    words = [programs, threads, str(repeats), *table.words, *overrides]
    command = [sys.executable, str(HERE / "in_turn.py"), *words]
    case = " ".join((table.name, *overrides))
    for line in output(command, PYTHONPATH=str(HERE)).splitlines():
        found = json.loads(line)
        row = Row(section, case, **found)
        print(row, flush=True)
        yield row


def engine_run(section: str, table: Table, engine: str, *overrides: str) -> Row:
    """`tandem engine=...` in a process of its own: seconds of the pipeline, session left out."""
    words = [*table.words, f"engine={engine}", "cache.moments=false", *overrides]
    values = recorded(words).values()
    seconds = sum(values[f"time/{stage}_s"] for stage in ("load", "clean", "train", "refit"))
    case = " ".join((table.name, *overrides))
    row = Row(section, case, os.cpu_count() or 1, engine, 1, wall_s=seconds)
    print(row, flush=True)
    return row


def check(table: Table) -> float:
    """Largest relative difference of the MSE between scan and scikit-learn; ends above AGREE."""
    code = (
        "import sys; from tandem.commands.run import answer; from tandem.config import compose\n"
        "settings = compose('cache.moments=false', *sys.argv[1:]).settings\n"
        "a, b = (answer(settings, name).sums.sse for name in ('scan', 'sequential'))\n"
        "print(float(abs(a / b - 1).max()))"
    )
    words = [*table.words, *EXACT]
    found = float(output([sys.executable, "-c", code, *words]))
    print(f"{table.name}: scan and scikit-learn differ by {found:.1e}", flush=True)
    if not found <= AGREE:
        sys.exit(f"{table.name}: the answers differ by {found}: no result")
    return found


def answers(folder: Path, share: float, _: int) -> Iterator[Row]:
    """A timing without a checked answer is no result."""
    for table in (*numbers(folder, share), flights(share)):
        yield Row("answers", table.name, 1, "scan", 1, difference=check(table))


def numbers(folder: Path, share: float) -> list[Table]:
    """About 60 million cells each."""
    return [
        numeric(folder, int(rows * share), features)
        for rows, features in ((2e6, 30), (6e5, 100), (2e5, 300))
    ]


def flights(share: float) -> Table:
    """2 million flights with their categories."""
    return Table("flights", tables.flights(int(2e6 * share)), FLIGHTS)


def ratio(folder: Path, share: float, repeats: int) -> Iterator[Row]:
    """The whole cross-validation against decoding; on two threads too."""
    thirty, *wide = numbers(folder, share)
    for table in (thirty, flights(share)):
        yield from in_turn("ratio", table, "decode,scan", repeats, "1,2")
    for table in wide:
        yield from in_turn("ratio", table, "decode,scan", repeats, "1")
    yield from in_turn("ratio", thirty, "decode,scan", repeats, "1", "folds.block=256")


def grid(folder: Path, share: float, repeats: int) -> Iterator[Row]:
    """k=10 with 100 grid points against k=3 with 6."""
    for table in (numbers(folder, share)[0], flights(share)):
        yield from in_turn("grid", table, "scan,scan_large", repeats, "1")


def engines(folder: Path, share: float, _: int) -> Iterator[Row]:
    """The two pipelines that people write against scan, on all flights, both at their defaults."""
    thirty = numbers(folder, share)[0]
    rows = None if share == 1.0 else int(336_776 * share)
    real = Table("real flights", tables.flights(rows), FLIGHTS)
    for name in ("scan", "sequential", "scan", "distributed", "scan"):
        yield engine_run("engines", real, name)
    yield engine_run("engines", real, "sequential", "model.precompute=true")
    for name in ("scan", "sequential", "scan"):
        yield engine_run("engines", thirty, name)
    for _turn in range(3):
        yield engine_run("engines_large", real, "scan", "folds.k=10", *_all_points())
    for points in (1, 4):
        yield engine_run("engines_large", real, "sequential", "folds.k=10", *_some(points))


def _all_points() -> tuple[str, str]:
    """Overrides for the 100 grid points."""
    penalties, ratios = (
        sorted({getattr(point, name) for point in LARGE})
        for name in ("reg_param", "elastic_net_param")
    )
    return f"model.reg_param={penalties}", f"model.elastic_net_param={ratios}"


def _some(points: int) -> tuple[str, str]:
    """Overrides for `points` of the 100 grid points, of one l1 ratio, evenly over the penalties."""
    penalties = sorted({point.reg_param for point in LARGE})
    step = len(penalties) / points
    chosen = [penalties[int((i + 0.5) * step)] for i in range(points)]
    return f"model.reg_param={chosen}", "model.elastic_net_param=[0.5]"


def memory(folder: Path, share: float, _: int) -> Iterator[Row]:
    """Peak memory above the imports."""
    for rows in (2e6, 5e6, 2e7):
        table = numeric(folder, int(rows * share), 30)
        for threads in "12":
            case = Table(f"{rows * share:.0f} rows", table.path, table.overrides)
            yield from in_turn("memory", case, "memory", 1, threads)
    for threads in "12":
        yield from in_turn("memory", flights(share), "memory", 1, threads)


def spark(folder: Path, share: float, _: int) -> Iterator[Row]:
    """distributed_scan against scan at 10 million rows."""
    big = [numeric(folder, int(1e7 * share), 30)]
    big.append(Table("flights", tables.flights(int(1e7 * share)), FLIGHTS))
    for table in big:
        for name in ("scan", "distributed_scan", "scan", "distributed_scan", "scan"):
            yield engine_run("spark", table, name, "spark.master='local[2]'")


PARTS = (answers, ratio, grid, engines, memory, spark)


def kept(results: Path, parts: Sequence[str]) -> list[dict[str, str]]:
    """The rows of `results` that are not measured again."""
    if not results.exists() or len(parts) == len(PARTS):
        return []
    with results.open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["section"].split("_")[0] not in parts]


def main() -> None:
    """Measure, write, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="keep the tables here")
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--small", action="store_true", help="1 %% of the rows, to see it work")
    names = [part.__name__ for part in PARTS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="keep the others")
    options = parser.parse_args()
    out = HERE / "results.csv" if not options.small else Path(tempfile.mkdtemp()) / "results.csv"
    before = kept(out, options.only)
    with tempfile.TemporaryDirectory() as temporary, out.open("w", encoding="utf-8") as file:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{temporary}/mlflow.db"  # to throw away
        folder = options.data or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        writer = csv.DictWriter(file, list(Row.__annotations__), lineterminator="\n")
        writer.writeheader()
        writer.writerows(before)
        for part in PARTS:
            if part.__name__ in options.only:
                for row in part(folder, 0.01 if options.small else 1.0, options.repeats):
                    writer.writerow(vars(row))
                    file.flush()
    print(verdict.write(out))
    print(f"load average {os.getloadavg()[2]:.1f}: above 1, other work shared the cores")


if __name__ == "__main__":
    main()
