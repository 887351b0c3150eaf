"""What the store knows of a sweep and of its jobs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tandem.tracking.client import client
from tandem.tracking.outbox import JOB_TAG
from tandem.tracking.record import KEY_TAG
from tandem.tracking.store import answering

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import Run

SWEEP_TAG = "sweep.key"
WARM_UP_TAG = "warm_up"
RUNNING, FINISHED = "RUNNING", "FINISHED"

# Columns of a frame of runs, and where MLflow has them.
_PARAMS = {"dataset": "dataset.name", "target": "dataset.target", "folds": "folds.k"}
_METRICS = {
    "rows": "data/rows",
    "seconds": "time/total_s",
    "rmse": "cv/rmse_mean",
    "rmse_std": "cv/rmse_std",
    "r2": "cv/r2_mean",
    "memory_mb": "memory/peak_mb",
}
_FRAME = ["run_id", "kind", "engine", "status", *_PARAMS, *_METRICS, "parent"]


@dataclass(frozen=True, slots=True)
class Known:
    """A run by MLflow's id, and by the key of its entry in the outbox; empty if it had none."""

    run_id: str
    key: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """A run of one job: `status` is MLflow's, `rmse` None where it is not known.

    `key`: of its entry in the outbox; `seconds`: from its start to its end, 0 while it runs.
    """

    run_id: str
    key: str
    parent: str
    status: str
    rmse: float | None
    seconds: float = 0.0


def latest_sweep(experiment: str, key: str) -> Known | None:
    """The newest parent run of the sweep with this key; None where there is none."""
    found = _tagged(experiment, SWEEP_TAG, key)
    return Known(found[0].info.run_id, found[0].data.tags.get(KEY_TAG, "")) if found else None


def key_of(run_id: str) -> str:
    """The key of a run's entry in the outbox; empty if it had none."""
    with answering():
        return str(client().get_run(run_id).data.tags.get(KEY_TAG, ""))


def attempts(experiment: str, key: str) -> list[Attempt]:
    """Every run of the job with this key, under any parent, the newest first."""
    return [
        Attempt(
            run.info.run_id,
            run.data.tags.get(KEY_TAG, ""),
            run.data.tags.get("mlflow.parentRunId", ""),
            run.info.status,
            run.data.metrics.get("cv/rmse_mean"),
            max((run.info.end_time or 0) - run.info.start_time, 0) / 1000,
        )
        for run in _tagged(experiment, JOB_TAG, key)
    ]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a finished run of an engine took: seconds in all, peak MB, for how much work, where.

    `cells`: rows x features; `fits`: folds x grid points; `dataset`: its name; `levels`: of all
    categories, 0 where that is not known.
    """

    dataset: str
    engine: str
    machine: str
    rows: float
    cells: float
    fits: int
    seconds: float
    memory_mb: float
    levels: float = 0.0


def measured(experiment: str) -> list[Measured]:
    """Every finished run of an engine that read all its rows and was not for warming up."""
    return [run for _, run in _measured(experiment)]


def members(key: str) -> tuple[Measured | None, list[Measured]]:
    """One of the finished runs under the run with this key, if any, and all of its experiment."""
    with answering():
        run = with_key(key)
    if run is None:
        return None, []
    found = _measured(run.info.experiment_id)
    below = (of for parent, of in found if parent == run.info.run_id)
    return next(below, None), [of for _, of in found]


def runs_frame(experiment: str, kind: str | None) -> "pd.DataFrame":
    """A row per run of `kind` (None: of any), the newest first."""
    import pandas as pd  # noqa: PLC0415 - slow

    rows = [
        {
            "run_id": run.info.run_id,
            "kind": run.data.tags.get("kind", ""),
            "engine": run.data.tags.get("engine", ""),
            "status": run.info.status,
            **{name: run.data.params.get(key) for name, key in _PARAMS.items()},
            **{name: run.data.metrics.get(key) for name, key in _METRICS.items()},
            "parent": run.data.tags.get("mlflow.parentRunId", ""),
        }
        for run in _search(experiment)
    ]
    frame = pd.DataFrame(rows, columns=_FRAME)
    return frame if kind is None else frame[frame["kind"] == kind].reset_index(drop=True)


def several_sizes(experiment: str) -> bool:
    """Whether the newest runs of engines have more than one number of rows."""
    found = _search(experiment, "tags.kind = 'run' and attributes.status = 'FINISHED'", 200)
    return len({run.data.metrics.get("data/rows") for run in found}) > 1


def _measured(experiment: str) -> list[tuple[str, Measured]]:
    """With the id of the parent."""
    runs = _search(experiment, "tags.kind = 'run' and attributes.status = 'FINISHED'")
    return [
        (run.data.tags.get("mlflow.parentRunId", ""), _of_run(run))
        for run in runs
        if "machine" in run.data.tags
        and WARM_UP_TAG not in run.data.tags
        and "cv/fits" in run.data.metrics
        and not run.data.metrics.get("data/rows_from_cache")
    ]


def _of_run(run: "Run") -> Measured:
    tags, metrics = run.data.tags, run.data.metrics
    return Measured(
        dataset=run.data.params.get("dataset.name", ""),
        engine=tags["engine"],
        machine=tags["machine"],
        rows=metrics["data/rows"],
        cells=metrics["data/rows"] * metrics["data/features"],
        fits=int(metrics["cv/fits"]),
        seconds=metrics["time/total_s"],
        memory_mb=metrics["memory/peak_mb"],
        levels=metrics.get("data/levels", 0.0),
    )


def with_key(key: str, experiment: str | None = None) -> "Run | None":
    """The run with this record key; None where there is none. Without `experiment`: in all."""
    store, wanted = client(), f"tags.`{KEY_TAG}` = '{key}'"
    everywhere = [] if experiment else [one.experiment_id for one in store.search_experiments()]
    return next(iter(store.search_runs([experiment] if experiment else everywhere, wanted)), None)


def _tagged(experiment: str, tag: str, value: str) -> "list[Run]":
    return _search(experiment, f"tags.`{tag}` = '{value}'", 1000)


def _search(experiment: str, wanted: str = "", most: int = 5000) -> "list[Run]":
    """At most so many runs that are `wanted`, in MLflow's language, the newest first."""
    with answering():
        search = client().search_runs
        return [*search([experiment], wanted, max_results=most, order_by=["start_time DESC"])]
