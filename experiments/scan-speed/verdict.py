"""results.csv to the verdict: goal, measured, met or not; and the plot."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

GOALS = {  # CPU of the whole cross-validation, one thread, as multiples of that of decoding
    ("30 features", "warm R"): 1.9,
    ("30 features", "fresh R"): 2.3,
    ("30 features", "warm B"): 1.6,
    ("30 decimals", "warm R"): 2.0,
    ("30 decimals", "fresh R"): 2.4,
    ("100 features", "warm R"): 1.7,
    ("100 features", "fresh R"): 2.6,
    ("300 features", "warm R"): 1.7,
    ("300 features", "fresh R"): 2.6,
    ("flights", "warm B"): 3.0,
}
DECODINGS = {"warm R": "decode", "fresh R": "decode", "warm B": "pieces"}
COLOURS = {"warm R": "#54a24b", "fresh R": "#f58518", "warm B": "#4c78a8"}


class Line(NamedTuple):
    """What was measured, and its goal; None: it is said, not judged."""

    what: str
    value: float
    sign: str = "<="
    goal: float | None = None

    def __str__(self) -> str:
        if self.goal is None:
            return f"| {self.what} | {self.value:.3g} | | |"
        met = self.value <= self.goal if self.sign == "<=" else self.value >= self.goal
        said = "met" if met else "**missed**"
        return f"| {self.what} | {self.value:.3g} | {self.sign} {self.goal:g} | {said} |"


def ratios(rows: pd.DataFrame, over: str, under: str, figure: str = "cpu_s") -> list[float]:
    """Figure of program `over` / that of program `under`, turn by turn; [] without one of them."""
    if not {over, under} <= {*rows.program}:
        return []
    table = rows.pivot_table(index="turn", columns="program", values=figure)
    return (table[over] / table[under]).tolist()


def of(table: pd.DataFrame, section: str, case: str, threads: int = 1) -> pd.DataFrame:
    """The turns of one case."""
    mine = (table.section == section) & (table.case == case) & (table.threads == threads)
    return table[mine]


def cases(table: pd.DataFrame, section: str) -> list[str]:
    """What was measured, in its order."""
    return [*table[table.section == section].case.unique()]


def against(table: pd.DataFrame) -> Iterator[tuple[str, str, list[float]]]:
    """Case, kind of decoding, and scan / decoding of every turn."""
    for case in cases(table, "ratio"):
        for kind, program in DECODINGS.items():
            section = "fresh" if kind.startswith("fresh") else "ratio"
            if turns := ratios(of(table, section, case), "scan", program):
                yield case, kind, turns


def lines(table: pd.DataFrame) -> Iterator[Line]:
    """What the sections that were measured say."""
    for section, name, goal in (
        ("answers", "scan and scikit-learn apart, relative, every MSE", 1e-8),
        ("rivals_answers", "scan and its rivals apart, relative, every RMSE", 1e-6),
    ):
        if cases(table, section):
            apart = table[table.section == section].difference.max()
            yield Line(f"answers: {name}", apart, "<=", goal)
    for case, kind, turns in against(table):
        goal = GOALS.get((case, kind))
        yield Line(f"{case}: CPU against decoding, {kind}", median(turns), "<=", goal)
    yield from _threads(table)
    yield from _row_groups(table)
    for case in cases(table, "grid"):
        found = median(ratios(of(table, "grid", case), "scan_large", "scan"))
        goal = 1.5 if case == "flights" else 1.15
        yield Line(f"{case}: k=10 x 100 against k=3 x 6, CPU", found, "<=", goal)
    yield from _rivals(table)
    yield from _engines(table)
    yield from _memory(table)
    big = table[table.section == "spark"]
    for case, rows in big.groupby(big.case.str.split().str[0]):
        walls = rows.groupby("program").wall_s.median()
        found = walls["distributed_scan"] / walls["scan"]
        yield Line(f"10 million rows, {case}: distributed_scan / scan, wall", found, "<=", 1.2)


def _threads(table: pd.DataFrame) -> Iterator[Line]:
    """Wall time on two threads; (scan's gain by the second one) / (decoding's gain by it)."""
    for case in cases(table, "ratio"):
        goal = 2.5 if case == "30 decimals" else None
        for section in ("ratio", "fresh"):
            name = "warm" if section == "ratio" else "fresh"
            two = ratios(of(table, section, case, 2), "scan", "decode", "wall_s")
            if two:
                what = f"{case}: wall against decoding, two threads, {name} R"
                yield Line(what, median(two), "<=", goal)
            one = ratios(of(table, section, case), "scan", "decode", "wall_s")
            if one and two and section == "ratio":
                gain = median(first / second for first, second in zip(one, two, strict=True))
                yield Line(f"{case}: speed-up by a second thread, of decoding's", gain, ">=", 0.85)


def _row_groups(table: pd.DataFrame) -> Iterator[Line]:
    """What short row groups cost."""
    scans = table[(table.section == "ratio") & (table.program == "scan")]
    taken = scans.groupby("case").cpu_s.median()
    for rows in (100, 1000, 10_000):
        if (case := f"row groups of {rows}") in taken:
            found = taken[case] / taken["row groups of 100000"]
            yield Line(f"{case}: CPU of scan against row groups of 100000", found)


def _rivals(table: pd.DataFrame) -> Iterator[Line]:
    """What others take, as multiples of scan."""
    for case in cases(table, "rivals"):
        rows = of(table, "rivals", case)
        for program in [name for name in rows.program.unique() if name != "scan"]:
            goal = 2.8 if program == "thirty_lines" else None
            found = median(ratios(rows, program, "scan"))
            yield Line(f"{case}: {program} / scan, CPU", found, ">=", goal)


def _engines(table: pd.DataFrame) -> Iterator[Line]:
    goals = {"sequential": 40.0, "distributed": 100.0}
    rows = table[table.section == "engines"]
    rows = rows.assign(table=rows.case.str.removesuffix(" model.precompute=true"))
    scans = rows[rows.program == "scan"].groupby("table").wall_s.median()
    for _, row in rows[rows.program != "scan"].iterrows():
        found = row.wall_s / scans[row.table]
        yield Line(f"{row.case}: {row.program} / scan, wall", found, ">=", goals[row.program])
    rows = table[table.section == "engines_large"]
    if len(rows):
        # 100 points from 1 and 4: what a point costs, and every fold before its points.
        one, four = rows[rows.program == "sequential"].wall_s
        whole = one + 99 * (four - one) / 3
        found = whole / rows[rows.program == "scan"].wall_s.median()
        what = "real flights, 10 x 100: sequential / scan (from 50 of its fits)"
        yield Line(what, float(found), ">=", 1e3)


def _memory(table: pd.DataFrame) -> Iterator[Line]:
    used = table[table.section == "memory"]
    for _, row in used.iterrows():
        goal = 200.0 if row.case == "flights" else 150.0
        yield Line(f"{row.case}, {row.threads} threads: MB above the imports", row.mb, "<=", goal)
    if len(used):
        peaks = used[used.threads == used.threads.max()].set_index("case").mb
        yield Line("memory at four times 5 million rows", peaks.iloc[2] / peaks.iloc[1], "<=", 1.2)


def write(results: Path) -> str:
    """The verdict as Markdown, written beside `results` with the plot."""
    table = pd.read_csv(results)
    text = ["| what | measured | goal | |", "|---|---:|---:|---|", *map(str, lines(table))]
    verdict = "\n".join(text) + "\n"
    results.with_name("verdict.md").write_text(verdict, encoding="utf-8")
    plot(table, results.with_name("ratios.png"))
    return verdict


def plot(table: pd.DataFrame, path: Path) -> None:
    """CPU of the whole cross-validation as multiples of decoding, every turn, and the goals."""
    bars = [*against(table)]
    figure = Figure(figsize=(8, 1.5 + 0.22 * len(bars)), layout="constrained")
    axes = figure.subplots()
    for at, (case, kind, turns) in enumerate(bars):
        axes.barh(at, median(turns), color=COLOURS[kind])
        axes.plot(turns, [at] * len(turns), ".", color="black", alpha=0.5, markersize=4)
        if goal := GOALS.get((case, kind)):
            axes.plot([goal, goal], [at - 0.45, at + 0.45], color="#e45756", linewidth=3)
    axes.set_yticks(range(len(bars)), [f"{case}, {kind}" for case, kind, _ in bars], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("CPU time / CPU time of merely decoding (dots: turns; red: goal)")
    figure.savefig(path, dpi=110)
