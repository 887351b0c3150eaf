"""What does a category say as its rank, as 0/1 features, as a mean target? And what leaks?"""

from pathlib import Path

from tandem.commands.study import Case, Row, command, seconds, where

HERE = Path(__file__).parent
SIZES = (2_000, 20_000, 336_776)
SMOOTHING = (0, 10, 100, 1_000)
TIMED = 20_000  # rows, by both engines


def cases(small: bool) -> list[Case]:
    """`scan` with every encoding, inside the folds and before them; `sequential` for its time."""
    found = [
        Case("scan", _task(rows, encoding, fit_on), labels=_labels(encoding, fit_on))
        for rows in (SIZES[:1] if small else SIZES)
        for encoding in _ENCODINGS
        for fit_on in ("train", "all")
    ]
    for encoding in () if small else (_ENCODINGS[0], _ENCODINGS[1], _ENCODINGS[3]):
        task = _task(TIMED, encoding, "train")
        found.append(Case("sequential", task, labels=_labels(encoding, "train")))
    return found


_ENCODINGS = (
    ("cleaning.encoding=index",),
    ("cleaning.encoding=one_hot",),
    *(("cleaning.encoding=target", f"cleaning.smoothing={m}") for m in SMOOTHING),
)


def _task(rows: int, encoding: tuple[str, ...], fit_on: str) -> tuple[str, ...]:
    drawn = (f"dataset.rows={rows}",) if rows < max(SIZES) else ()
    return (*drawn, *encoding, f"cleaning.fit_on={fit_on}", "cache.moments=false")


def _labels(encoding: tuple[str, ...], fit_on: str) -> dict[str, str]:
    words = [word.split("=")[1] for word in encoding]
    return {"encoding": ", smoothing ".join(words), "fit_on": fit_on}


def report(rows: list[Row], _folder: Path) -> tuple[str, dict[str, float]]:
    """RMSE by encoding and size, inside the folds; what cleaning before them hides; seconds."""
    text = [
        "| rows | encoding | RMSE | RMSE where all rows are fitted on | it hides |",
        "|---:|---|---:|---:|---:|",
    ]
    found: dict[tuple[int, str], dict[str, float]] = {}
    for row in (row for row in rows if row["engine"] == "scan"):
        at = (int(row["rows"]), row["encoding"])
        found.setdefault(at, {})[row["fit_on"]] = float(row["rmse"])
    metrics = {}
    for (size, encoding), pair in found.items():
        if len(pair) < 2:
            continue
        hidden = pair["train"] / pair["all"] - 1
        metrics[f"leakage/{encoding.replace(',', '')}_{size}"] = hidden
        figures = f"{pair['train']:.3f} | {pair['all']:.3f} | {hidden:+.2%}"
        text.append(f"| {size:,} | {encoding} | {figures} |")
    text += ["", f"Seconds, {TIMED:,} rows, medians, {where(rows)}:", ""]
    text += ["| encoding | scan | sequential |", "|---|---:|---:|"]
    for encoding in dict.fromkeys(row["encoding"] for row in rows if row["engine"] != "scan"):
        labels = {"encoding": encoding, "fit_on": "train", "rows": str(TIMED)}
        times = [sorted(seconds(rows, engine=e, **labels)) for e in ("scan", "sequential")]
        middles = " | ".join(f"{one[len(one) // 2]:.2f}" for one in times)
        text.append(f"| {encoding} | {middles} |")
    return "\n".join(text) + "\n", metrics


if __name__ == "__main__":
    command(HERE, cases, report)
