"""How fast and how flat is scan? Checks the answers, measures, writes results.csv and plots.

python experiments/scan-speed/run.py [--data FOLDER] [--repeats N] [--small] [--only PART ...]

FOLDER (default: a temporary one) gets up to 12 GB of tables, which are left there if it is named,
and the programs that scan is measured against, of rivals.txt, where they are not installed.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import verdict
from in_turn import LARGE
from tables import IMPUTED_SHARE, Table, flights, folded, grouped, numbers, numeric, stored

from tandem.commands.study import output, recorded

HERE = Path(__file__).parent
DECODINGS = "decode,pieces,scan"
INSTALLED = ("polars", "duckdb", "cvmatrix")  # these come from rivals.txt
AGREE = 1e-8  # scikit-learn stops at its tolerance, scan at rounding
RIVALS_AGREE = 1e-6  # sums in float64, of numbers that are not centred
EXACT = ("model.tol=1e-12", "model.max_iter=100000", "model.precompute=true")


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


def in_turn(
    section: str,
    table: Table,
    programs: str,
    repeats: int,
    threads: str,
    *overrides: str,
    **environment: str,
) -> Iterator[Row]:
    """The rows of one process of in_turn.py."""
    words = [programs, threads, str(repeats), *table.words, *overrides]
    command = [sys.executable, str(HERE / "in_turn.py"), *words]
    case = " ".join((table.name, *overrides))
    for line in output(command, **environment).splitlines():
        yield Row(section, case, **json.loads(line))


def engine_run(section: str, table: Table, engine: str, *overrides: str) -> Row:
    """`tandem engine=...` in a process of its own: seconds of the pipeline, session left out."""
    words = [*table.words, f"engine={engine}", "cache.moments=false", *overrides]
    values = recorded(words).values()
    seconds = sum(values[f"time/{stage}_s"] for stage in ("load", "clean", "train", "refit"))
    case = " ".join((table.name, *overrides))
    return Row(section, case, os.cpu_count() or 1, engine, 1, wall_s=seconds)


def answers(folder: Path, share: float, _: int) -> Iterator[Row]:
    """A timing without a checked answer is no result: MSEs of scan and scikit-learn, relative."""
    code = (
        "import json, sys\n"
        "from tandem.commands.run import answer\n"
        "from tandem.config import compose\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    settings = compose('cache.moments=false', *words).settings\n"
        "    a, b = (answer(settings, name).sums.sse for name in ('scan', 'sequential'))\n"
        "    print(float(abs(a / b - 1).max()))"
    )
    own = (*numbers(folder, share), *stored(folder, share), *grouped(folder, share))
    asked = (*own, flights(2e6 * share))
    words = json.dumps([[*table.words, *EXACT] for table in asked])
    apart = output([sys.executable, "-c", code, words]).split()
    for table, found in zip(asked, apart, strict=True):
        if not float(found) <= AGREE:
            sys.exit(f"{table.name}: the answers differ by {found}: no result")
        yield Row("answers", table.name, 1, "scan", 1, difference=float(found))


def ratio(folder: Path, share: float, repeats: int) -> Iterator[Row]:
    """The whole cross-validation against decoding; of three tables on two threads too."""
    thirty, *wide = numbers(folder, share)
    decimals, *others = stored(folder, share)
    for table in (thirty, decimals, flights(2e6 * share)):
        yield from in_turn("ratio", table, DECODINGS, repeats, "1,2")
    for table in (*wide, *others, *grouped(folder, share)):
        yield from in_turn("ratio", table, DECODINGS, repeats, "1")


def fresh(folder: Path, share: float, repeats: int) -> Iterator[Row]:
    """The first scan of a process against the first decoding of another."""
    decimals = stored(folder, share)[0]
    asked = [(table, "1") for table in (*numbers(folder, share), decimals, flights(2e6 * share))]
    for (table, threads), turn in product([*asked, (decimals, "2")], range(1, repeats + 1)):
        for program in ("decode", "scan"):
            for row in in_turn("fresh", table, program, 0, threads):
                yield replace(row, turn=turn)


def rivals(folder: Path, share: float, repeats: int) -> Iterator[Row]:
    """What others write against scan: ridge, 3 folds, 2 penalties; some of it fills gaps."""
    whole = "numpy", *installed(folder, share)
    names = ("scan", "thirty_lines", "tuned_lines", "scikit_learn")
    paths = os.pathsep.join([*filter(None, [os.getenv("PYTHONPATH")]), str(folder / "rivals")])
    asked = [(table, names) for table in folded(folder, share, IMPUTED_SHARE)]
    asked += [(table, (*names, *whole)) for table in folded(folder, share, 0.0)]
    for table, programs in asked:
        for row in in_turn("rivals", table, ",".join(programs), repeats, "1", PYTHONPATH=paths):
            if row.difference is None:
                yield row
            elif row.difference <= RIVALS_AGREE:
                yield replace(row, section="rivals_answers")
            else:
                sys.exit(f"{table.name}: {row.program} differs by {row.difference}: no result")


def installed(folder: Path, share: float) -> list[str]:
    """The programs of rivals.txt that are there, or can be brought into `folder`."""
    target = folder / "rivals"
    missing = [name for name in INSTALLED if find_spec(name) is None]
    if missing and share == 1.0 and not target.exists():
        install = [sys.executable, "-m", "uv", "pip", "install", "--no-deps", "-r"]
        # Beside our own numpy, pyarrow and scikit-learn, so that all run in one process.
        command = [*install, str(HERE / "rivals.txt"), "--target", str(target)]
        subprocess.run(command, check=False)
    left_out = [name for name in missing if not (target / name).exists()]
    for name in left_out:
        print(f"{name}: not installed: left out -> pip install -r rivals.txt", flush=True)
    return [name for name in INSTALLED if name not in left_out]


def grid(folder: Path, share: float, repeats: int) -> Iterator[Row]:
    """k=10 with 100 grid points against k=3 with 6."""
    for table in (numbers(folder, share)[0], flights(2e6 * share)):
        yield from in_turn("grid", table, "scan,scan_large", repeats, "1")


def engines(folder: Path, share: float, repeats: int) -> Iterator[Row]:
    """The two pipelines that people write against scan, on all flights, both at their defaults."""
    thirty = numbers(folder, share)[0]
    real = flights(None if share == 1.0 else 336_776 * share, "real flights")
    for name in ("scan", "sequential", "scan", "distributed", "scan"):
        yield engine_run("engines", real, name)
    yield engine_run("engines", real, "sequential", "model.precompute=true")
    for name in ("scan", "sequential", "scan")[: repeats + 1]:
        yield engine_run("engines", thirty, name)
    for _turn in range(min(repeats, 3)):
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
        table = replace(numeric(folder, rows * share, 30), name=f"{rows * share:.0f} rows")
        for threads in "12":
            yield from in_turn("memory", table, "memory", 1, threads)
    for threads in "12":
        yield from in_turn("memory", flights(2e6 * share), "memory", 1, threads)


def spark(folder: Path, share: float, repeats: int) -> Iterator[Row]:
    """distributed_scan against scan at 10 million rows."""
    for table in (numeric(folder, 1e7 * share, 30), flights(1e7 * share)):
        for name in ("scan", "distributed_scan", "scan", "distributed_scan", "scan")[: repeats + 1]:
            cores = "engine.threads=2" if name == "scan" else "spark.master='local[2]'"
            yield engine_run("spark", table, name, cores)


PARTS = (answers, ratio, fresh, grid, rivals, engines, memory, spark)


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
    parser.add_argument("--out", type=Path, help="write here, not beside this file")
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument(
        "--small", action="store_true", help="1 %% of the rows, 1 turn, to see it work"
    )
    names = [part.__name__ for part in PARTS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="keep the others")
    options = parser.parse_args()
    here = Path(tempfile.mkdtemp()) if options.small else HERE
    out = (options.out or here) / "results.csv"
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
                for row in part(folder, *((0.01, 1) if options.small else (1.0, options.repeats))):
                    print(row, flush=True)
                    writer.writerow(vars(row))
                    file.flush()
    print(verdict.write(out))
    print(f"load average {os.getloadavg()[2]:.1f}: above 1, other work shared the cores")


if __name__ == "__main__":
    main()
