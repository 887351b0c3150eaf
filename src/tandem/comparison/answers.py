"""What a finished run left in its record folder, as one value that can be compared and judged."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tandem.model import from_json
from tandem.records import Array
from tandem.results import LinearModel
from tandem.settings import GridPoint


@dataclass(frozen=True)
class Answer:
    """One run of one engine. `metrics[name]` has shape (folds, grid points).

    `test_rows[f]` and `spread[f]`: rows of fold f and the population standard deviation of the
    target in it; `cleaning`: the ledger and every decision; `tol`: as asked for, None the default.
    """

    engine: str
    turn: int
    grid: tuple[GridPoint, ...]
    metrics: Mapping[str, Array]
    test_rows: tuple[int, ...]
    spread: Array
    cleaning: Mapping[str, Any]
    best: GridPoint
    model: LinearModel
    tol: float | None


def read_answer(engine: str, turn: int, folder: Path, params: Mapping[str, str]) -> Answer:
    """The answer in the record folder of a run that was tracked with `params`."""
    table = pd.read_csv(folder / "artifacts" / "cv" / "fold_metrics.csv")
    folds = pd.read_csv(folder / "artifacts" / "cv" / "folds.csv")
    points = len(table) // len(folds)
    pairs = table.loc[: points - 1, ["reg_param", "elastic_net_param"]].to_numpy().tolist()
    names = [name for name in ("rmse", "r2", "mae") if name in table]
    cleaning = json.loads((folder / "artifacts" / "data" / "cleaning.json").read_text("utf-8"))
    cleaning["ledger"].pop("rows_from_cache", None)  # how it was found, not what
    return Answer(
        engine=engine,
        turn=turn,
        grid=tuple(GridPoint(*pair) for pair in pairs),
        metrics={name: table[name].to_numpy(np.float64).reshape(-1, points) for name in names},
        test_rows=tuple(folds["n_test"].tolist()),
        spread=folds["target_std"].to_numpy(np.float64),
        cleaning=cleaning,
        best=GridPoint(float(params["best.reg_param"]), float(params["best.elastic_net_param"])),
        model=from_json((folder / "model.json").read_text("utf-8")),
        tol=json.loads(params["model.tol"]),
    )
