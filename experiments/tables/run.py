"""Are tables that people have published read, and does each refusal name a way on? See README.md.

python experiments/tables/run.py [--cache FOLDER] [--limit N] [--check]
"""

import argparse
import csv
import os
import re
import shlex
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from packages import Table, tables

from tandem.commands.run import Answered, measure
from tandem.config import compose, words
from tandem.errors import TandemError
from tandem.machine import cache_folder
from tandem.reporting import markdown

README, RESULTS = (Path(__file__).with_name(name) for name in ("README.md", "results.csv"))
MARK, END = "<!-- measured -->", "<!-- end -->"
GRID = ("model.reg_param=[0.1,0.01]", "model.elastic_net_param=[0]", "folds.k=3")
SAME = 1e-6  # relative, of the RMSE
SHOWN = 200  # characters of a message
STEPS = 5  # so many ways on are followed, one after the other
# The words of a message that set a key, in quotes where a shell wants them.
WAY = re.compile(r"'dataset\.\w+=.*?'(?=[ ,;)]|$)|\bdataset\.\w+=(?:\[[^\]]*\]|'[^']*'|[\w.-]+)")


@dataclass(frozen=True)
class Outcome:
    """`word`: answered, told, refused, or what must not be: differs, crash; `why`: in words."""

    word: str
    why: str = ""


def answered(table: Table, engine: str, ways: dict[str, str]) -> Answered:
    typed = ("dataset=files", f"dataset.path={table.file}", f"dataset.target={table.target}")
    asked = [*typed, *ways.values(), f"engine={engine}", "cache.moments=false", *GRID]
    return measure(compose(*words(asked)).settings, say=False)


def outcome(table: Table, ways: dict[str, str]) -> Outcome:
    """What both engines make of a table, with the keys `ways`."""
    found, refused = [], []
    for engine in ("scan", "sequential"):
        try:
            found.append(answered(table, engine, ways).result)
        except TandemError as error:
            if error.status not in {2, 3}:
                return Outcome("crash", f"{engine}: {error}")
            refused.append(str(error).replace(str(table.file), table.file.name))
        except Exception as error:  # noqa: BLE001 - that there is none is the question
            return Outcome("crash", f"{engine}: {type(error).__name__}: {error}")
    if len(set(refused)) == 1 and not found:
        return Outcome("refused", refused[0])
    if refused:
        return Outcome("differs", "; ".join(refused))
    used = [result.ledger.rows_used for result in found]
    one, other = (float(result.scores.rmse_mean[result.scores.best]) for result in found)
    if used[0] != used[1] or abs(one - other) > SAME * max(one, other):
        return Outcome("differs", f"{used[0]} rows, RMSE {one}; {used[1]} rows, RMSE {other}")
    notes = found[0].task.dataset.notes
    return Outcome("told" if notes else "answered", "; ".join(notes))


def followed(table: Table, first: Outcome) -> tuple[Outcome, dict[str, str]]:
    """The last outcome, and the keys that led to it: each time the first new one that is named."""
    last, ways = first, {}
    for _ in range(STEPS):
        step = last.why.partition(" -> ")[2]
        new = [word for found in WAY.findall(step) if (word := _word(found)) not in ways.values()]
        if last.word != "refused" or not new:
            break
        ways[new[0].partition("=")[0]] = new[0]
        last = outcome(table, ways)
    return last, ways


def _word(found: str) -> str:
    """What a shell makes of it: a value in quotes stays so where only the value has them."""
    return shlex.split(found)[0]


def study(chosen: Iterator[Table]) -> tuple[list[list[str]], list[list[str]]]:
    """A line for every table, and one for every one that ends without an answer."""
    lines, left = [], []
    for table in chosen:
        first = outcome(table, {})
        last, ways = followed(table, first)
        print(f"{table.name} [{table.target}]: {first.word}", *ways.values(), last.word, flush=True)
        works = "yes" if ways and last.word in {"answered", "told"} else ""
        typed = shlex.join(ways.values())
        lines.append([table.package, table.name, table.target, first.word, works, typed])
        if last.word not in {"answered", "told"}:
            left.append([table.name, first.word, last.why])
    return lines, left


def _shortened(why: str) -> str:
    return why if len(why) <= SHOWN else f"{why[:SHOWN]}..."


def counted(lines: list[list[str]]) -> list[list[str]]:
    """The table of the README: a line for every package, and the sum."""
    kinds = ("answered", "told", "refused", "way on works", "differs", "crash")
    by: dict[str, Counter[str]] = {}
    for package, _, _, word, works, _ in lines:
        by.setdefault(package, Counter()).update(["tables", word])
        by[package]["way on works"] += works == "yes"
    by["all"] = sum(by.values(), Counter())
    columns = ("tables", *kinds)
    rows = [[name, *(str(of[column] or "") for column in columns)] for name, of in by.items()]
    return [["package", *columns], *rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=cache_folder() / "tables", help="of packages")
    parser.add_argument("--limit", type=int, help="only so many tables")
    parser.add_argument("--check", action="store_true", help="write nothing")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as converted:
        os.environ["TANDEM_CACHE"] = converted
        lines, left = study(islice(tables(asked.cache.absolute()), asked.limit))
    table = markdown(counted(lines))
    listed = [f"- `{name}`, {word}: {_shortened(why)}" for name, word, why in left]
    print(table, *listed, sep="\n")
    if not asked.check:
        with RESULTS.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(
                [["package", "table", "target", "outcome", "way on works", "way on"], *lines]
            )
        before, _, rest = README.read_text("utf-8").partition(MARK)
        after = rest.partition(END)[2]
        said = "\n".join([table, "What is left:", "", *(listed or ["- nothing"])])
        README.write_text(f"{before}{MARK}\n{said}\n{END}{after}", encoding="utf-8")
    raise SystemExit(1 if {"differs", "crash"} & {line[3] for line in lines} else 0)


if __name__ == "__main__":
    main()
