"""What does leakage cost? Cleaning fitted on all rows against inside the folds, by table size."""

from pathlib import Path

from tandem.study import Case, Row, command

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
    metrics = {}
    for size in SIZES:
        hidden = []
        for seed in SEEDS:
            pair = {
                row["fit_on"]: float(row["rmse"])
                for row in rows
                if int(float(row["rows"])) == size and int(row["seed"]) == seed
            }
            if len(pair) == 2:
                hidden.append(pair["train"] / pair["all"] - 1)
        if not hidden:
            continue
        mean = sum(hidden) / len(hidden)
        metrics[f"leakage/rmse_rel_{size}"] = mean
        text.append(f"| {size:,} | {mean:+.3%} | {min(hidden):+.3%} | {max(hidden):+.3%} |")
    return "\n".join(text) + "\n", metrics


if __name__ == "__main__":
    command(HERE, cases, report)
