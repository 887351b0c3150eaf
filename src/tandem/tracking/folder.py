"""The record folder of a run: complete on disk before anything is sent, read by comparisons.

What stands where is written here and nowhere else: the artifacts, as the run has them in MLflow,
and beside them the model and the record (parameters, metrics, tags).
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import copy
from typing import Any

import numpy as np

from tandem.answers import Answer
from tandem.dataset import as_lines, example
from tandem.model import from_json, to_json
from tandem.model_keys import GridPoint
from tandem.parts import Part
from tandem.records import Column, Kind
from tandem.redaction import shown
from tandem.reporting import (
    checks_json,
    cleaning_html,
    cleaning_json,
    coefficients,
    correlations,
    encodings,
    fold_metrics,
    folds_table,
    grid,
    heat,
    model_card,
    png,
    spark_json,
    spark_log,
    weightiest,
)
from tandem.results import OTHERS, Result
from tandem.tracking.record import Record

_FOLD_METRICS, _FOLDS, _CHECKS = "cv/fold_metrics.csv", "cv/folds.csv", "cv/checks.json"
_COEFFICIENTS, _CORRELATIONS = "cv/coefficients.csv", "cv/correlations.csv"
_CLEANING, _CLEANING_PAGE = "data/cleaning.json", "data/cleaning.html"
_REJECTS, _ENCODINGS = "data/rejects.jsonl", "cv/encodings.csv"
_CONFIG, _SPARK, _GRID = "config/resolved.yaml", "spark/conf.json", "plots/grid_rmse.png"
_SPARK_LOG, _HEAT = "spark/log.txt", "plots/correlations.png"
_WEIGHTIEST = "plots/coefficients.png"
_MODEL, _RECORD, _DATASET, _FITS = "model.json", "record.json", "dataset.json", "fits.npz"

_MLFLOW_TYPES = {Kind.NUMERIC: "double", Kind.CATEGORICAL: "string"}
_TABLES = {
    _FOLD_METRICS: fold_metrics,
    _FOLDS: folds_table,
    _COEFFICIENTS: coefficients,
    _CORRELATIONS: correlations,
}
_TEXTS: Mapping[str, Callable[[Result], str]] = {
    _CLEANING: cleaning_json,
    _CLEANING_PAGE: cleaning_html,
    _CHECKS: checks_json,
    _SPARK: spark_json,
    _SPARK_LOG: spark_log,
    _ENCODINGS: encodings,
    _REJECTS: lambda result: as_lines(result.task.dataset.rejects),
}


def artifacts_in(folder: Path) -> Path:
    """Where the artifacts of a record folder stand."""
    return folder / "artifacts"


@dataclass(frozen=True, slots=True)
class Logged:
    """What MLflow is told of a dataset and a model that was trained on it.

    `source`: where the user has the data; `columns`: type by name, the target first; `example`:
    the first raw cells of every feature of the model; `model`: its file; `params`: its penalty;
    `card`: what it is, for people.
    """

    engine: str
    name: str
    digest: str
    source: str
    rows: int
    files: int
    target: str
    columns: Mapping[str, str]
    example: Mapping[str, list[Any]]
    model: Path
    params: Mapping[str, str]
    card: str


def model_name(engine: str, dataset: str) -> str:
    """What MLflow calls the model of a run; words and dashes."""
    return re.sub(r"[^\w -]+", "-", f"{engine}-{dataset}")


def write_record(folder: Path, result: Result, record: Record, config_yaml: str) -> None:
    """Write the record and every artifact of the run below `folder`."""
    written = {name: text(result) for name, text in _TEXTS.items()}
    for name, text in {**written, _CONFIG: config_yaml}.items():
        if text or name == _CONFIG:  # some are of some runs only
            _place(folder, name).write_text(shown(text), encoding="utf-8")
    tables = {name: table(result) for name, table in _TABLES.items()}
    for name, found in tables.items():
        if len(found):  # some are of some engines only
            path = _place(folder, name)
            found.to_csv(path, index=False, lineterminator="\n", na_rep="nan")
    _place(folder, _GRID).write_bytes(png(grid(result)))
    if len(found := tables[_CORRELATIONS]):
        _place(folder, _HEAT).write_bytes(png(heat(found.set_index("feature"))))
    if "standardised" in (found := tables[_COEFFICIENTS]):
        _place(folder, _WEIGHTIEST).write_bytes(png(weightiest(found)))
    fits = [of if of is not None else np.empty(0) for of in (result.sums.slopes, result.sums.gaps)]
    of = np.array(result.sums.features), np.array(result.task.inverse_squares)
    named = {"slopes": fits[0], "gaps": fits[1], "features": of[0], "inverse_squares": of[1]}
    np.savez(folder / _FITS, allow_pickle=False, **named)
    (folder / _MODEL).write_text(to_json(result.model), encoding="utf-8")
    (folder / _DATASET).write_text(json.dumps(_dataset(result, record)), encoding="utf-8")
    keep_record(folder, record)


def keep_record(folder: Path, record: Record) -> None:
    """Write a record alone."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _RECORD).write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")


def keep_dataset(folder: Path, of: Path) -> None:
    """Write what MLflow is told of the dataset of another record, that in the folder `of`."""
    copy(of / _DATASET, folder / _DATASET)


def has_record(folder: Path) -> bool:
    """Whether a record stands there."""
    return (folder / _RECORD).exists()


def has_dataset(folder: Path) -> bool:
    """Whether it says what MLflow is told of a dataset."""
    return (folder / _DATASET).exists()


def write_rejects(folder: Path, listed: str) -> None:
    """Write the bad rows, `listed` as JSON, of a run that ends because of them."""
    _place(folder, _REJECTS).write_text(shown(listed), encoding="utf-8")


def _place(folder: Path, name: str) -> Path:
    path = artifacts_in(folder) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _dataset(result: Result, record: Record) -> dict[str, Any]:
    """The fields of `Logged` that are not paths, as JSON has them."""
    dataset, used = result.task.dataset, result.plan.used
    return {
        "engine": result.engine,
        "name": dataset.name,
        "digest": dataset.fingerprint[:32],
        "source": shown(record.params.get("dataset.path") or dataset.name),
        "rows": dataset.rows,
        "files": len(dataset.files),
        "target": dataset.target.name,
        "columns": {c.stored: _type(c) for c in dataset.columns},
        "example": example(dataset, [*dict.fromkeys(column.stored for column in used)]),
        "params": {key: record.params[key] for key in record.params if key.startswith("best.")},
        "card": shown(model_card(result)),
    }


def _type(column: Column) -> str:
    """What MLflow calls the type of the column of the files that `column` is read from."""
    dated = column.source and column.source.part is not Part.SECONDS
    return "datetime" if dated else _MLFLOW_TYPES[column.kind]


def read_logged(folder: Path) -> Logged:
    """What `write_record` wrote of the dataset and of the model."""
    fields = json.loads((folder / _DATASET).read_text(encoding="utf-8"))
    return Logged(model=folder / _MODEL, **fields)


def read_record(folder: Path) -> Record:
    """The record that `write_record` wrote."""
    fields = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    metrics = tuple((key, value, step) for key, value, step in fields["metrics"])
    return Record(fields["params"], metrics, fields["tags"])


def read_remarks(folder: Path) -> list[str]:
    """What a careful reader would ask about the run."""
    found: list[str] = json.loads((artifacts_in(folder) / _CHECKS).read_text("utf-8"))
    return found


def read_answer(engine: str, turn: int, folder: Path) -> Answer:
    """The answer of `engine` that `write_record` wrote."""
    import pandas as pd  # noqa: PLC0415 - slow

    table = pd.read_csv(artifacts_in(folder) / _FOLD_METRICS)
    folds = pd.read_csv(artifacts_in(folder) / _FOLDS)
    with np.load(folder / _FITS) as arrays:
        features = tuple(arrays["features"].tolist())
        fits = {name: arrays[name] if arrays[name].size else None for name in ("slopes", "gaps")}
        inverse = float(arrays["inverse_squares"])
    points = len(table) // len(folds)
    pairs = table.loc[: points - 1, ["reg_param", "elastic_net_param"]].to_numpy().tolist()
    names = [name for name in ("rmse", "r2", *OTHERS) if name in table]
    cleaning = json.loads((artifacts_in(folder) / _CLEANING).read_text("utf-8"))
    cleaning["ledger"].pop("rows_from_cache", None)  # how it was found, not what
    record = read_record(folder)
    params = record.params
    return Answer(
        engine=engine,
        turn=turn,
        grid=tuple(GridPoint(*pair) for pair in pairs),
        metrics={name: table[name].to_numpy(float).reshape(-1, points) for name in names},
        test_rows=tuple(folds["n_test"].tolist()),
        target_deviation=folds["target_std"].to_numpy(float),
        cleaning=cleaning,
        best=GridPoint(float(params["best.reg_param"]), float(params["best.elastic_net_param"])),
        model=from_json((folder / _MODEL).read_text("utf-8")),
        tol=json.loads(params["model.tol"]),
        features=features,
        held_out=record.values().get("holdout/rmse"),
        inverse_squares=inverse,
        **fits,
    )
