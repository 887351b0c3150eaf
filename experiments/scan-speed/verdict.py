"""results.csv to the verdict: goal, measured, met or not; and the plot."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pandas as pd
from matplotlib.figure import Figure

GOALS = {  # CPU of the whole cross-validation / CPU of decoding, one thread
    "30 features": 2.5,
    "30 features folds.block=256": 2.0,
    "100 features": 3.75,
    "300 features": 4.5,
    "flights": 5.0,
}


def ratios(rows: pd.DataFrame, over: str, under: str, figure: str = "cpu_s") -> list[float]:
    """Figure of program `over` / figure of program `under`, turn by turn."""
    table = rows.pivot_table(index="turn", columns="program", values=figure)
    return (table[over] / table[under]).tolist()


def lines(table: pd.DataFrame) -> Iterator[tuple[str, float, str, float]]:
    """What, measured, "<=" or ">=", goal."""
    part = dict(iter(table.groupby("section")))
    ratio, grid, used = part["ratio"], part["grid"], part["memory"]
    apart = part["answers"].difference.max()
    yield "answers: scan and scikit-learn apart, relative, every MSE", apart, "<=", 1e-8
    for case, goal in GOALS.items():
        here = ratio[(ratio.case == case) & (ratio.threads == 1)]
        yield f"{case}: CPU against decoding", median(ratios(here, "scan", "decode")), "<=", goal
    for case in ("30 features", "flights"):
        here = grid[grid.case == case]
        found = median(ratios(here, "scan_large", "scan"))
        yield f"{case}: k=10 x 100 against k=3 x 6, CPU", found, "<=", 1.35
        yield (
            f"{case}: speed-up by a second thread, of decoding's",
            _scaling(ratio, case),
            ">=",
            0.85,
        )
    yield from _against(part["engines"])
    yield "real flights, 10 x 100: sequential / scan (from 50 of its fits)", _large(part), ">=", 1e3
    for _, row in used.iterrows():
        yield f"{row.case}, {row.threads} threads: MB above the imports", row.mb, "<=", 200.0
    peaks = used[used.threads == used.threads.max()].set_index("case").mb
    five, twenty = peaks.iloc[1], peaks.iloc[2]
    yield "memory at four times 5 million rows", twenty / five, "<=", 1.2
    big = table[table.section == "spark"]
    for case, rows in big.groupby(big.case.str.split().str[0]):
        walls = rows.groupby("program").wall_s.median()
        found = walls["distributed_scan"] / walls["scan"]
        yield f"10 million rows, {case}: distributed_scan / scan, wall", found, "<=", 1.5


def _scaling(ratio: pd.DataFrame, case: str) -> float:
    """Median over turns of (scan's gain by the second thread) / (decoding's gain by it)."""
    here = ratio[ratio.case == case]
    one, two = (ratios(here[here.threads == n], "scan", "decode", "wall_s") for n in (1, 2))
    return median(first / second for first, second in zip(one, two, strict=True))


def _against(rows: pd.DataFrame) -> Iterator[tuple[str, float, str, float]]:
    goals = {"sequential": 40.0, "distributed": 100.0}
    rows = rows.assign(table=rows.case.str.removesuffix(" model.precompute=true"))
    scans = rows[rows.program == "scan"].groupby("table").wall_s.median()
    for _, row in rows[rows.program != "scan"].iterrows():
        found = row.wall_s / scans[row.table]
        yield f"{row.case}: {row.program} / scan, wall", found, ">=", goals[row.program]


def _large(part: dict[str, pd.DataFrame]) -> float:
    """100 points from 1 and 4: what a point costs, and what every fold costs before its points."""
    rows = part["engines_large"]
    one, four = rows[rows.program == "sequential"].wall_s
    point = (four - one) / 3
    return float((one + 99 * point) / rows[rows.program == "scan"].wall_s.median())


def write(results: Path) -> str:
    """The verdict as Markdown, written beside `results` with the plot."""
    table = pd.read_csv(results)
    found = list(lines(table))
    text = ["| what | measured | goal | |", "|---|---:|---:|---|"]
    for what, value, sign, goal in found:
        met = value <= goal if sign == "<=" else value >= goal
        text.append(
            f"| {what} | {value:.3g} | {sign} {goal:g} | {'met' if met else '**missed**'} |"
        )
    verdict = "\n".join(text) + "\n"
    results.with_name("verdict.md").write_text(verdict, encoding="utf-8")
    plot(table, results.with_name("ratios.png"))
    return verdict


def plot(table: pd.DataFrame, path: Path) -> None:
    """CPU of the whole cross-validation as multiples of decoding, every turn, and the goals."""
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    part = table[(table.section == "ratio") & (table.threads == 1)]
    for at, (case, goal) in enumerate(GOALS.items()):
        turns = ratios(part[part.case == case], "scan", "decode")
        axes.barh(at, median(turns), color="#54a24b")
        axes.plot(turns, [at] * len(turns), ".", color="black", alpha=0.5)
        axes.plot([goal, goal], [at - 0.4, at + 0.4], color="#e45756", linewidth=3)
    axes.set_yticks(range(len(GOALS)), [*GOALS])
    axes.invert_yaxis()
    axes.set_xlabel("CPU time / CPU time of merely decoding (dots: turns; red: goal)")
    figure.savefig(path, dpi=110)
