"""The same task on several engines, each in a process of its own, under one parent run."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import DictConfig
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tandem import children, report, tracking
from tandem.cache import write_atomically
from tandem.config import Settings, config_hash, flatten
from tandem.errors import IncompleteError
from tandem.progress import Display
from tandem.records import Array
from tandem.run import prepare
from tandem.scores import largest_relative_difference

# Overrides of the parent that its children get in a value of their own, or not at all.
_OWN = ("command=", "compare", "tracking", "engine=", "cache", "debug=")


def compare(settings: Settings, config: DictConfig, overrides: Sequence[str]) -> str:
    """Run every engine of `compare.engines`, print and log the comparison; the parent's run id.

    `overrides` are the Hydra overrides of this call; every child gets those that make the task.
    Raises IncompleteError where an engine failed.
    """
    engines = settings.compare.engines
    store = tracking.Store(
        settings.tracking.uri, settings.tracking.experiment, settings.tracking.parent_run_id
    )
    tags = {"kind": "comparison", "config.hash": config_hash(config)}
    with tracking.tracked(store, f"compare-{settings.dataset.name}", tags) as run_id:
        with Display("tandem").stage("preparing the data"):
            dataset = prepare(settings)  # once, before any engine is timed
        with tempfile.TemporaryDirectory() as place:
            folders = {engine: Path(place, engine) for engine in engines}
            for engine, folder in folders.items():
                _run_child(engine, folder, run_id, settings, overrides)
            records = {engine: tracking.read_record(folder) for engine, folder in folders.items()}
            parity = parity_differences(folders)
            metrics = {engine: record.values() for engine, record in records.items()}
            rows = report.comparison_rows(engines, metrics, max(parity.values(), default=0.0))
            table = report.markdown(rows)
            report.plot_stages(metrics, Path(place, "parent", "plots", "stages.png"))
            write_atomically(Path(place, "parent", "report", "report.md"), table)
            tracking.log_files(run_id, Path(place, "parent"))
        tags = {"data.fingerprint": dataset.fingerprint, "mlflow.note.content": table}
        tracking.log_batch(run_id, _record(metrics, parity, flatten(config), tags))
        _show(rows)
    return run_id


def _run_child(
    engine: str, folder: Path, parent: str, settings: Settings, overrides: Sequence[str]
) -> None:
    task = [word for word in overrides if not word.lstrip("+~").startswith(_OWN)]
    own = [
        f"engine={engine}",
        "cache.moments=false",  # every engine reads the rows
        f"tracking.record_dir='{folder}'",
        f"debug={settings.debug}",
    ]
    status = children.run([*task, *own, *children.under(parent, tracking.tracking_uri())])
    if status:
        raise IncompleteError(
            f"engine {engine} ended with status {status} -> see its message above"
        )


def parity_differences(folders: Mapping[str, Path]) -> dict[str, float]:
    """Largest relative difference between any engine and the first, over folds and grid points.

    `rmse_max_rel` of RMSE, `mae_max_rel` of MAE where it was asked for, and `unexplained_max_rel`
    of 1 - R2: R2 itself is a difference, whose relative error only says how near to 0 it is.
    """
    tables = [pd.read_csv(f / "artifacts" / "cv" / "fold_metrics.csv") for f in folders.values()]
    first, *others = tables
    return {
        f"{name}_max_rel": max(
            (
                largest_relative_difference(_figure(first, name), _figure(other, name))
                for other in others
            ),
            default=0.0,
        )
        for name in ("rmse", "mae", "unexplained")
        if name == "unexplained" or name in first
    }


def _figure(table: pd.DataFrame, name: str) -> Array:
    return (1.0 - table["r2"] if name == "unexplained" else table[name]).to_numpy(dtype=np.float64)


def _record(
    metrics: Mapping[str, Mapping[str, float]],
    parity: Mapping[str, float],
    params: Mapping[str, str],
    tags: Mapping[str, str],
) -> tracking.Record:
    totals = {engine: values["time/total_s"] for engine, values in metrics.items()}
    baseline = next(iter(totals.values()))
    logged = [(f"speedup/{engine}", baseline / total, 0) for engine, total in totals.items()]
    logged += [(f"parity/{name}", value, 0) for name, value in parity.items()]
    task = {key: value for key, value in params.items() if not key.startswith("engine.")}
    return tracking.Record(task, tuple(logged), tags)


def _show(rows: Sequence[Sequence[str]]) -> None:
    header, *body = rows
    table = Table(
        *header, box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )  # four engines fit in 80 characters
    for column in table.columns:
        column.no_wrap = True
        column.justify = "right" if column.header else "left"
    for row in body:
        table.add_row(*row)
    console = Console()
    (console if console.is_terminal else Console(width=100)).print(table)
