"""What does a category say as its rank, as 0/1 features, as a mean target? And what leaks?"""

from pathlib import Path
from statistics import median

from tandem.commands.study import Case, Row, command, seconds, where

HERE = Path(__file__).parent
SIZES = (2_000, 20_000, 336_776)
SMOOTHING = (0, 10, 100, 1_000)
TIMED = 20_000  # rows, by every engine
ENGINES = ("scan", "sequential", "distributed_scan", "distributed")
ENCODINGS = {
    "index": ("cleaning.encoding=index",),
    "one_hot": ("cleaning.encoding=one_hot",),
    **{
        f"target, smoothing {m}": ("cleaning.encoding=target", f"cleaning.smoothing={m}")
        for m in SMOOTHING
    },
}
REPEATS = 3  # of what is timed
OF_TIMES = ("index", "one_hot", "target, smoothing 10")
# So many levels of a tail number that the features are 1,000 and more.
WIDE = {"index": (), "one_hot": ("cleaning.max_levels=720",)}
PENALTIES = ",".join(f"{10 ** (1 - 4 * place / 99):.4g}" for place in range(100))
GRIDS = {"ridges": 0, "lassos": 1}
OFTEN = {"ridges": 9, "lassos": REPEATS}  # what takes a second varies more


def cases(small: bool) -> list[Case]:
    """`scan` inside the folds and before them; every engine for its time; 1,000 features."""
    errors = [
        Case("scan", _task(rows, encoding, fit_on), labels=_labels("errors", encoding, fit_on))
        for rows in (SIZES[:1] if small else SIZES)
        for encoding in ENCODINGS
        for fit_on in ("train", "all")
    ]
    times = [
        Case(engine, _task(TIMED, encoding), (), _labels("times", encoding), REPEATS)
        for encoding in OF_TIMES
        for engine in ENGINES
    ]
    wide = [
        Case(
            "scan",
            (*_task(SIZES[-1], encoding), *levels, *_grid(ratio)),
            (),
            _labels(grid, encoding),
            OFTEN[grid],
        )
        for grid, ratio in GRIDS.items()
        for encoding, levels in WIDE.items()
    ]
    return errors if small else [*errors, *times, *wide]


def _task(rows: int, encoding: str, fit_on: str = "train") -> tuple[str, ...]:
    drawn = (f"dataset.rows={rows}",) if rows < max(SIZES) else ()
    return (*drawn, *ENCODINGS[encoding], f"cleaning.fit_on={fit_on}", "cache.moments=false")


def _grid(ratio: int) -> tuple[str, ...]:
    return "folds.k=10", f"model.reg_param=[{PENALTIES}]", f"model.elastic_net_param=[{ratio}]"


def _labels(part: str, encoding: str, fit_on: str = "train") -> dict[str, str]:
    return {"part": part, "encoding": encoding, "fit_on": fit_on}


def report(rows: list[Row], _folder: Path) -> tuple[str, dict[str, float]]:
    """RMSE by encoding and size and what cleaning before the folds hides; seconds by engine."""
    text, metrics = _errors([row for row in rows if row["part"] == "errors"])
    text += ["", f"Seconds, {TIMED:,} rows, medians of {REPEATS}, {where(rows)}:", ""]
    text += [f"| encoding | {' | '.join(ENGINES)} |", "|---|" + "---:|" * len(ENGINES)]
    for encoding in OF_TIMES:
        found = (seconds(rows, part="times", encoding=encoding, engine=one) for one in ENGINES)
        text.append(f"| {encoding} | {' | '.join(_middle(times) for times in found)} |")
    text += ["", f"`scan`, {max(SIZES):,} rows, 10 folds x 100 penalties:", ""]
    text += ["| encoding | features | penalties | seconds | times index | memory, MB |"]
    text += ["|---|---:|---|---:|---:|---:|"]
    for grid in GRIDS:
        base = seconds(rows, part=grid, encoding="index")
        for encoding in WIDE:
            own = [row for row in rows if (row["part"], row["encoding"]) == (grid, encoding)]
            if not own:
                continue
            took = seconds(own)
            ratio, memory = median(took) / median(base), median(int(r["memory_mb"]) for r in own)
            metrics[f"wide/{encoding}_{grid}_over_index"] = ratio
            cells = f"{int(own[0]['features']):,} | 100 {grid} | {_middle(took)} | {ratio:.1f}"
            text.append(f"| {encoding} | {cells} | {memory:.0f} |")
    return "\n".join(text) + "\n", metrics


def _errors(rows: list[Row]) -> tuple[list[str], dict[str, float]]:
    text = [
        "| rows | encoding | RMSE | RMSE where all rows are fitted on | it hides |",
        "|---:|---|---:|---:|---:|",
    ]
    found: dict[tuple[int, str], dict[str, float]] = {}
    for row in rows:
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
    return text, metrics


def _middle(times: list[float]) -> str:
    return f"{median(times):.2f}" if times else ""


if __name__ == "__main__":
    command(HERE, cases, report)
