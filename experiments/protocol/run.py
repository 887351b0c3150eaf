"""What does leakage cost? Cleaning fitted on all rows against inside the folds, by table size."""

from pathlib import Path

from matplotlib.figure import Figure

from tandem.commands.study import Case, Row, command

HERE = Path(__file__).parent
SIZES = (200, 1_000, 5_000, 20_000, 100_000, 336_776)
SEEDS = range(3)


def cases(small: bool) -> list[Case]:
    """`scan` under both protocols on flights of several sizes, drawn three times each."""
    return [
        Case("scan", _task(rows, seed, fit_on), labels={"fit_on": fit_on, "seed": seed})
        for rows in (SIZES[:2] if small else SIZES)
        for seed in (SEEDS if rows < max(SIZES) else (0,))
        for fit_on in ("train", "all")
    ]


def _task(rows: int, seed: int, fit_on: str) -> tuple[str, ...]:
    drawn = (f"dataset.rows={rows}", f"dataset.seed={seed}") if rows < max(SIZES) else ()
    return (*drawn, f"cleaning.fit_on={fit_on}")


def report(rows: list[Row], folder: Path) -> tuple[str, dict[str, float]]:
    """RMSE inside the folds over RMSE with leakage, less 1, by size: mean, least and most."""
    text = ["| rows | RMSE that leakage hides, mean | least | most |", "|---:|---:|---:|---:|"]
    found, metrics = _hidden(rows), {}
    for size, hidden in found.items():
        mean = sum(hidden) / len(hidden)
        metrics[f"leakage/rmse_rel_{size}"] = mean
        text.append(f"| {size:,} | {mean:+.3%} | {min(hidden):+.3%} | {max(hidden):+.3%} |")
    _plot(found, folder / "hidden.png")
    return "\n".join(text) + "\n", metrics


def _hidden(rows: list[Row]) -> dict[int, list[float]]:
    """What leakage hides in every draw, by the rows of the table."""
    pairs: dict[tuple[int, str], dict[str, float]] = {}
    for row in rows:
        pairs.setdefault((int(row["rows"]), row["seed"]), {})[row["fit_on"]] = float(row["rmse"])
    found: dict[int, list[float]] = {}
    for (size, _), pair in sorted(pairs.items()):
        if len(pair) == 2:
            found.setdefault(size, []).append(pair["train"] / pair["all"] - 1)
    return found


def _plot(found: dict[int, list[float]], path: Path) -> None:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for size, hidden in found.items():
        axes.plot([size] * len(hidden), [100 * share for share in hidden], "o", color="#4c78a8")
    axes.axhline(0, color="#999999", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=0.01)
    axes.set(xlabel="rows of flights", ylabel="RMSE that leakage hides, % of it")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    command(HERE, cases, report)
