"""What a stranger does: install the wheel, one command, read RMSE, open the report. See README.md.

python experiments/quickstart/run.py [--keep FOLDER]
"""

import argparse
import csv
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


def write_houses(file: Path, rows: int = 300) -> None:
    """A CSV file as people have them: whole numbers, a category, gaps."""
    draw = random.Random(7)  # noqa: S311 - no secret
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["price", "area", "rooms", "built", "town"])
        for _ in range(rows):
            area, rooms, built = draw.randint(35, 220), draw.randint(1, 7), draw.randint(1890, 2024)
            town = draw.choice(["Ulm", "Bonn", "Kiel", "Jena"])
            price = 2600 * area + 9000 * rooms + 400 * (built - 1890) + 40_000 * (town == "Bonn")
            gap = draw.random() < 0.1
            row = [
                round(price + draw.gauss(0, 25_000), -3),
                area,
                rooms,
                "" if gap else built,
                town,
            ]
            writer.writerow(row)


def timed(told: str, words: list[str], folder: Path) -> str:
    """Run a command; its standard output. Its seconds are printed with what it does."""
    clean = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "MLFLOW_RUN_ID"}}
    clean |= {"TANDEM_CACHE": str(folder / "cache"), "VIRTUAL_ENV": str(folder / "venv")}
    begin = time.perf_counter()
    done = subprocess.run(
        words, cwd=folder, env=clean, check=True, stdout=subprocess.PIPE, text=True
    )
    sys.stdout.write(f"| {told} | {time.perf_counter() - begin:.1f} |\n")
    sys.stdout.flush()
    return done.stdout


def stranger(folder: Path) -> None:
    """Every step in `folder`, which is empty, with the seconds that it takes."""
    sys.stdout.write("| step | seconds |\n|---|---:|\n")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    timed("build the wheel", [*build, str(ROOT)], folder)
    (wheel,) = folder.glob("*.whl")
    uv, venv = str(Path(sys.executable).with_name("uv")), folder / "venv"
    timed("make an environment", [uv, "venv", "--quiet", str(venv)], folder)
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode", str(wheel)]  # as pip does
    timed("install the wheel, without Spark", install, folder)
    write_houses(folder / "houses.csv")
    tandem = str(venv / "bin" / "tandem")
    told = timed(
        "tandem run houses.csv --target price",
        [tandem, "run", "houses.csv", "--target", "price"],
        folder,
    )
    (rmse,) = re.findall(r"^  RMSE +(.*)$", told, re.MULTILINE)
    compare = [tandem, "compare", "houses.csv", "--target", "price"]
    timed("tandem compare houses.csv --target price", compare, folder)
    (report,) = folder.glob("mlruns/*/*/artifacts/report/report.html")
    assert rmse.partition(";")[0] in told
    assert "same answer" in report.read_text(encoding="utf-8")
    sys.stdout.write(f"\nRMSE {rmse}\nreport {report.relative_to(folder)}\n")


def main() -> None:
    """Do it in a folder that is thrown away, or kept."""
    parser = argparse.ArgumentParser(description="A stranger's first minutes; README.md has more")
    parser.add_argument("--keep", type=Path, help="an empty folder that is kept")
    keep = parser.parse_args().keep
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        stranger(keep.absolute())
        return
    with tempfile.TemporaryDirectory() as name:
        stranger(Path(name))


if __name__ == "__main__":
    main()
