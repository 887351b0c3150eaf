"""How many digits are right, and which bits stay the same: makes the tables of the README.

Every table is a header and rows of text; --check makes them again and compares, but for that of
wrong engines: the tests that it comes from are held by themselves.
"""

import argparse
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from determinism import ROWS, difference
from exact import digits, least_squares
from mutants import mutants_table
from problems import Problem, nist
from published import published_table
from shift import same_bits, shift_table
from solvers import Solver, coefficients, lstsq, plain_gram, scan, sklearn, spark

from tandem.config import compose
from tandem.records import Array
from tandem.reporting import markdown
from tandem.spark import start_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

README = Path(__file__).with_name("README.md")
NONE = "-"

Table = list[list[str]]


NIST_SOLVERS: dict[str, Solver] = {
    "numpy lstsq": lstsq,
    "scikit-learn": sklearn(),
    "scikit-learn, tol=0": sklearn(tol=0.0),
}
OFFSET_SOLVERS: dict[str, Solver] = {
    "plain Gram": plain_gram,
    "numpy lstsq": lstsq,
    "scikit-learn": sklearn(),
}
SPARK = "Spark ML"


def nist_table(session: "SparkSession | None" = None) -> Table:
    """Correct digits of the coefficients, by problem and solver."""
    solvers = NIST_SOLVERS | ({SPARK: spark(session)} if session else {})
    rows = [["problem", "condition", "scan, decimals", "scan, float64", *solvers]]
    rows += [[name, *_nist_row(problem, solvers.values())] for name, problem in nist().items()]
    return rows


def _nist_row(problem: Problem, solvers: Iterable[Solver]) -> Iterator[str]:
    table, exact = problem.in_floats, problem.in_decimals
    x, y = arrays(table, problem.features)
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    yield f"{np.linalg.cond(standard):.1e}"
    for found in (exact, table):
        yield (
            NONE
            if found is None
            else _digits(coefficients(scan(found), problem.features), problem.certified)
        )
    for solve in solvers:
        yield _digits(solve(x, y), problem.certified)


def offset_table(session: "SparkSession | None" = None) -> Table:
    """Correct digits of the slopes where every feature is c + s N(0, 1), by c / s.

    The least of three draws; the truth is the rational solution for the float64 numbers drawn.
    """
    solvers = OFFSET_SOLVERS | ({SPARK: spark(session)} if session else {})
    rows = [["c / s", "scan", *solvers]]
    for power in range(10):
        found = [_offset_row(power, seed, solvers.values()) for seed in range(3)]
        rows.append([f"1e{power}", *(f"{min(d):.1f}" for d in zip(*found, strict=True))])
    return rows


def _offset_row(power: int, seed: int, solvers: Iterable[Solver]) -> list[float]:
    rng = np.random.default_rng(seed)
    x = 10.0**power + rng.normal(size=(100, 3))
    y = x @ [1.0, -2.0, 3.0] + rng.normal(size=100)
    names = ["a", "b", "c"]
    truth = least_squares(x.T.tolist(), y.tolist())[1:]
    ours = coefficients(scan(pa.table([*x.T, y], [*names, "y"])), names)
    found = [ours, *(solve(x, y) for solve in solvers)]
    return [digits(each[1:].tolist(), truth, most=16) for each in found]


def determinism_table(*, with_spark: bool = False) -> Table:
    """What may change, and what it changes: no bit, or numbers by how much at most."""
    rows = [["what changes", "float64", "whole numbers", "decimals"]]
    for label, row in ROWS.items():
        if with_spark or not row.on_spark:
            rows.append([label, *(_changed(difference(row, kind)) for kind in rows[0][1:])])
    return rows


def _changed(largest: float) -> str:
    return "no bit" if largest == 0.0 else f"{largest:.0e}"


def arrays(table: pa.Table, features: Sequence[str]) -> tuple[Array, Array]:
    return np.column_stack([table.column(n) for n in features]), table.column("y").to_numpy()


def _digits(found: Array, truth: Any) -> str:
    return f"{digits(found.tolist(), truth):.1f}"


def plot_offset(table: Table) -> None:
    """A PNG beside the README: digits by c / s, a line per solver."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    offsets, *solvers = zip(*table, strict=True)
    for name, *cells in solvers:
        axes.plot(offsets[1:], [float(cell) for cell in cells], "o-", label=name)
    axes.set_xlabel("mean / standard deviation of the features")
    axes.set_ylabel("correct digits of the slopes")
    axes.legend()
    figure.savefig(README.parent / "offset.png", dpi=110)


def written(name: str) -> Table:
    """The table called `name` as it stands in the README."""
    text = re.search(f"<!-- {name} -->\n(.*?)\n\n", README.read_text("utf-8"), re.DOTALL)
    assert text, f"{README}: no table {name}"
    lines = text.group(1).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [rows[0], *rows[2:]]


def faults(found: dict[str, Table]) -> Iterator[str]:
    """Where the tables `found` are worse than those in the README, and claims that do not hold."""
    for name in ("nist", "offset", "shift", "published"):
        yield from _worse(found[name], written(name), name)
    for row in found["determinism"][1:]:
        for kind, cell in zip(found["determinism"][0][1:], row[1:], strict=True):
            said = _column(written("determinism"), kind)[row[0]]
            moved = cell != "no bit"
            if moved and (said == "no bit" or kind != "float64" or float(cell) > 1e-10):
                yield f"determinism: {row[0]}, {kind}: {cell}, where the README says {said}"
    for name, problem in nist().items():
        if digits(problem.certified.tolist(), problem.solution(), most=16) < 14.3:
            yield f"{name}: the certified values are not those of exact arithmetic"


def _worse(found: Table, known: Table, name: str) -> Iterator[str]:
    """Cells that are more than one digit worse, for another BLAS, than those `known`."""
    for title in found[0][1:]:
        for row, cell in _column(found, title).items():
            said = _column(known, title)[row]
            if title == "condition":
                same = abs(float(cell) / float(said) - 1.0) < 0.1
            else:
                same = cell == said or (_number(cell) >= _number(said) - 1)
            if not same:
                yield f"{name}: {row}, {title}: {cell}, where the README says {said}"


def _number(cell: str) -> float:
    """NaN, which is neither more nor less, where it is none."""
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _column(table: Table, title: str) -> dict[str, str]:
    place = table[0].index(title)
    return {row[0]: row[place] for row in table[1:]}


def main() -> None:
    """Make all tables again, with Spark, and write them into the README, with a plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing: end with status 1 "
                        "where a table is worse than the README's")  # fmt: skip
    parser.add_argument("--no-spark", action="store_true", help="leave out what takes Spark")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    tables = _tables(with_spark=not options.no_spark)
    if options.check:
        found = [*faults(tables)]
        sys.exit("\n".join(found) or 0)
    tables["mutants"] = mutants_table()
    text = README.read_text("utf-8")
    for name, table in tables.items():
        text = re.sub(
            f"<!-- {name} -->\n.*?\n\n",
            # mypy infers no lambda whose arguments have defaults
            lambda _, n=name, t=table: f"<!-- {n} -->\n{markdown(t)}\n",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
        sys.stdout.write(f"{markdown(table)}\n")
    plot_offset(tables["offset"])
    README.write_text(text, "utf-8")


def _tables(*, with_spark: bool) -> dict[str, Table]:
    session = start_session(compose().settings.spark, "accuracy") if with_spark else None
    tables = {}
    for name, make in (("nist", nist_table), ("offset", offset_table), ("shift", shift_table)):
        sys.stderr.write(f"{name} ...\n")
        tables[name] = make(session)
    if session:
        session.stop()
        cells = ["distributed_scan", *[NONE] * (len(tables["shift"]) - 2), same_bits()]
        tables["shift"] = [[*r, cell] for r, cell in zip(tables["shift"], cells, strict=True)]
    sys.stderr.write("published, determinism ...\n")
    tables["published"] = published_table()
    return {**tables, "determinism": determinism_table(with_spark=with_spark)}


if __name__ == "__main__":
    main()
