"""A real MLflow server, and what its store holds, as it can be held against another one's."""

import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import psutil

# Of every run its own: ids, times, and what is drawn from them.
OWN = ("record.key", "order", "mlflow.parentRunId", "sweep.best_run_id", "mlflow.note.content")
TIMED = re.compile(r"(time|memory|speedup|seconds|seconds_spread)/|comparison/speedup")
# Files in which no second, id or path stands.
SAME = re.compile(r"cv/(fold_metrics|folds|coefficients)\.csv|data/cleaning\.json|model\.json$")


def free_port() -> int:
    """One of loopback that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def server(folder: Path) -> Iterator[int]:
    """A server whose data is in `folder`; its port."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
    with (folder / "log").open("w") as log, subprocess.Popen(
        command, cwd=folder, stdout=log, stderr=log, process_group=0
    ) as process:  # fmt: skip
        try:
            deadline = time.monotonic() + 120
            while not _answers(f"http://127.0.0.1:{port}/health"):
                assert time.monotonic() < deadline
                time.sleep(0.3)
            yield port
        finally:
            for each in (*psutil.Process(process.pid).children(recursive=True), process):
                each.kill()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - our own
            return bool(answer.status == 200)
    except OSError:
        return False


def runs_of(uri: str, experiment: str) -> list[mlflow.entities.Run]:
    """All runs of an experiment, the first to begin first."""
    client = mlflow.MlflowClient(uri)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return []
    return [*client.search_runs([found.experiment_id], order_by=["start_time ASC"])]


def content(uri: str, experiment: str) -> list[dict[str, Any]]:
    """Everything in an experiment but ids and times, in an order that depends on neither."""
    mlflow.set_tracking_uri(uri)
    runs = runs_of(uri, experiment)
    names = {run.info.run_id: run.data.tags.get("kind", "?") for run in runs}
    found = [_described(run, names) for run in runs]
    return sorted(found, key=lambda one: str((one["kind"], one["params"], one["tags"])))


def _described(run: mlflow.entities.Run, names: dict[str, str]) -> dict[str, Any]:
    client, metrics = mlflow.MlflowClient(), run.data.metrics
    parent = run.data.tags.get("mlflow.parentRunId")
    outputs = run.outputs.model_outputs if run.outputs else []
    wanted = f"source_run_id = '{run.info.run_id}'"
    models = client.search_logged_models([run.info.experiment_id], wanted)
    points = {
        key: [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, key)]
        for key in metrics
        if key.startswith(("fold/", "grid/", "cv/"))
    }
    own = ("tracking.", "cache.", "dataset.path")
    return {
        "kind": run.data.tags.get("kind"),
        "name": run.info.run_name,
        "status": run.info.status,
        "under": names.get(parent, "nowhere") if parent else None,
        "params": {k: v for k, v in run.data.params.items() if not k.startswith(own)},
        "metrics": {k: None if TIMED.match(k) else v for k, v in metrics.items()},
        "points": {key: sorted(points[key]) for key in sorted(points)},
        "tags": {k: v for k, v in run.data.tags.items() if not k.endswith(OWN)},
        "own": sorted(k for k in run.data.tags if k.endswith(OWN)),
        "inputs": [(d.dataset.name, d.dataset.digest) for d in run.inputs.dataset_inputs],
        "models": [(str(m.status), m.name, m.params) for m in models],
        "outputs": len(outputs),
        "files": _files(run.info.artifact_uri),
        "model files": [_files(m.artifact_location) for m in models],
    }


def _files(place: str) -> dict[str, str]:
    """Every artifact below `place`: its digest where that is the same for every run."""
    with TemporaryDirectory() as name:
        try:
            folder = Path(mlflow.artifacts.download_artifacts(place, dst_path=name))
        except Exception:  # noqa: BLE001 - there are none
            return {}
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        named = [(path, path.relative_to(folder).as_posix()) for path in files]
        return {
            inside: sha256(path.read_bytes()).hexdigest()[:12] if SAME.search(inside) else ""
            for path, inside in named
        }
