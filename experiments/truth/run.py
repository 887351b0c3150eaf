"""Is any table read as another one without a word? See README.md.

python experiments/truth/run.py [--inputs N] [--spark N]
"""

import argparse
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from inputs import Case, arrow, csv_cases, parquet_cases, stored, write

from tandem.commands.run import Answered, measure
from tandem.config import compose
from tandem.errors import TandemError
from tandem.reporting import markdown

README = Path(__file__).with_name("README.md")
MARK, END = "<!-- measured -->", "<!-- end -->"
GRID = ("model.reg_param=[0.1]", "model.elastic_net_param=[0]", "folds.k=3")
SAME = 1e-9  # relative, of every fold's RMSE


@dataclass(frozen=True)
class Verdict:
    """`word`: same, told, refused, unseen, or what must not be: silent, crash; `why`: in words."""

    word: str
    why: str


def cases(count: int) -> Iterator[Case]:
    """`count` inputs, all kinds in turn."""
    made, seed = 0, 0
    while made < count:
        rng = random.Random(seed)  # noqa: S311 - tables, no secrets
        for case in (*csv_cases(rng), *parquet_cases(rng)):
            if made < count:
                yield case
                made += 1
        seed += 1


def answered(path: Path, engine: str) -> Answered:
    words = ("dataset=files", f"dataset.path='{path}'", "dataset.target=y", f"engine={engine}")
    return measure(compose(*words, "cache.moments=false", *GRID).settings, say=False)


def judged(case: Case, place: Path, engine: str) -> Verdict:
    """What `engine` makes of a case, against the table that it says, stored plainly."""
    try:
        found = answered(write(place / engine, case.files), engine)
    except TandemError as error:
        return Verdict("refused" if error.status in {2, 3} else "crash", str(error))
    except Exception as error:  # noqa: BLE001 - that there is none is the question
        return Verdict("crash", f"{type(error).__name__}: {error}")
    notes = "; ".join(found.result.remarks)
    if case.says is not None:
        plain = write(place / f"{engine}-plain", {"p.parquet": stored(arrow(case.says))})
        truth = answered(plain, engine)
        apart = np.abs(found.result.scores.rmse / truth.result.scores.rmse - 1).max()
        if apart <= SAME and [*found.result.model.means] == [*truth.result.model.means]:
            return Verdict("same", notes)
    about = [note for note in found.result.task.dataset.notes if str(place) in note or "->" in note]
    silent = "unseen" if case.unseen else "silent"
    return Verdict("told" if about else silent, notes)


def tried(number: int, case: Case, *, on_spark: bool) -> tuple[str, str, str]:
    """Kind, verdict, and a line where it is one that must not be."""
    engines = ["scan", "sequential"]
    if on_spark:
        from pyspark.sql import SparkSession

        # One session for all runs of this process: to start one takes longer than 60 rows do.
        SparkSession.stop = lambda session: session.catalog.clearCache()
        engines += ["distributed", "distributed_scan"]
    with tempfile.TemporaryDirectory() as place:
        found = {engine: judged(case, Path(place), engine) for engine in engines}
    words = {verdict.word for verdict in found.values()}
    word = words.pop() if len(words) == 1 else "differs"
    if word not in {"silent", "crash", "differs"}:
        return case.kind, word, ""
    lines = (f"{engine} {v.word} ({v.why[:160]})" for engine, v in found.items())
    return case.kind, word, f"{case.kind} (number {number}): {'; '.join(lines)}"


def study(count: int, on_spark: int) -> tuple[list[list[str]], list[str]]:
    """The table by kind, and a line for everything that must not be; in two processes."""
    by: dict[str, Counter[str]] = {}
    faults = []
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        waiting = [
            pool.submit(
                tried, n, case, on_spark=n * on_spark // count != (n + 1) * on_spark // count
            )
            for n, case in enumerate(cases(count))
        ]
        for done in waiting:
            kind, word, fault = done.result()
            by.setdefault(kind, Counter())[word] += 1
            faults += [fault] if fault else []
    columns = ("same", "told", "refused", "unseen", "silent", "crash", "differs")
    rows = [[kind, *(str(of[word] or "") for word in columns)] for kind, of in sorted(by.items())]
    total = sum(by.values(), Counter())
    return [["input", *columns], *rows, ["all", *(str(total[w]) for w in columns)]], faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--spark", type=int, default=100, help="of them, through Spark too")
    parser.add_argument("--check", action="store_true", help="write nothing")
    asked = parser.parse_args()
    table, faults = study(asked.inputs, asked.spark)
    print(markdown(table))
    print(*faults, sep="\n")
    if not asked.check:
        before, _, rest = README.read_text("utf-8").partition(MARK)
        after = rest.partition(END)[2]
        lines = f"{asked.inputs:,} inputs, {asked.spark} of them through all four engines."
        README.write_text(
            f"{before}{MARK}\n{lines}\n\n{markdown(table)}{END}{after}", encoding="utf-8"
        )
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
