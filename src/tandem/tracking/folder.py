"""The record folder of a run: complete on disk before anything is sent."""

import json
from dataclasses import asdict
from pathlib import Path

from tandem.model import to_json
from tandem.redaction import shown
from tandem.reporting import grid, png, texts
from tandem.results import Result
from tandem.tracking.record import Record


def write_record(folder: Path, result: Result, record: Record, config_yaml: str) -> None:
    """Write the record and every artifact of the run below `folder`."""
    for name, text in (*texts(result), ("config/resolved.yaml", config_yaml)):
        path = folder / "artifacts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(shown(text), encoding="utf-8")
    plots = folder / "artifacts" / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    (plots / "grid_rmse.png").write_bytes(png(grid(result)))
    (folder / "model.json").write_text(to_json(result.model), encoding="utf-8")
    (folder / "record.json").write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")


def read_record(folder: Path) -> Record:
    """The record that `write_record` wrote."""
    fields = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    metrics = tuple((key, value, step) for key, value, step in fields["metrics"])
    return Record(fields["params"], metrics, fields["tags"])
