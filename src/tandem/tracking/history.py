"""What the store knows of a sweep and of its jobs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tandem.tracking.client import client
from tandem.tracking.store import answering

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import Run

JOB_TAG = "job.key"
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
class Attempt:
    """A run of one job: `status` is MLflow's, `rmse` None where it is not known.

    `seconds`: from its start to its end, 0 while it runs.
    """

    run_id: str
    parent: str
    status: str
    rmse: float | None
    seconds: float = 0.0


def latest_sweep(experiment: str, key: str) -> str | None:
    """The id of the newest parent run of the sweep with this key; None where there is none."""
    found = _tagged(experiment, SWEEP_TAG, key)
    return str(found[0].info.run_id) if found else None


def attempts(experiment: str, key: str) -> list[Attempt]:
    """Every run of the job with this key, under any parent, the newest first."""
    return [
        Attempt(
            run.info.run_id,
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


def members(run_id: str) -> tuple[Measured | None, list[Measured]]:
    """One of the finished runs under a parent, if there is one, and all of its experiment."""
    found = _measured(_experiment_of(run_id))
    return next((run for parent, run in found if parent == run_id), None), [r for _, r in found]


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


def finished_under(run_id: str) -> list[tuple[str, str]]:
    """(engine, run id) of every finished run of an engine under a parent, the newest first."""
    found = _tagged(_experiment_of(run_id), "mlflow.parentRunId", run_id)
    ended = [run for run in found if run.info.status == FINISHED]
    return [(run.data.tags["engine"], run.info.run_id) for run in ended]


def _experiment_of(run_id: str) -> str:
    with answering():
        return str(client().get_run(run_id).info.experiment_id)


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


def end_unfinished(run_id: str, *, killed: bool = False) -> None:
    """End a run that is RUNNING though its process is gone: KILLED where that was on demand.

    Else FAILED, `failure.class=lost`. A run that has ended is left as it is, but for one that was
    taken for lost before it was known to be killed.
    """
    with answering():
        store = client()
        run = store.get_run(run_id)
        lost = run.data.tags.get("failure.class") == "lost"
        if run.info.status == RUNNING or (killed and lost):
            store.set_tag(run_id, "failure.class", "Terminated" if killed else "lost")
            store.set_tag(run_id, "failure.message", "its process ended without a word")
            store.set_terminated(run_id, "KILLED" if killed else "FAILED")


def _tagged(experiment: str, tag: str, value: str) -> "list[Run]":
    return _search(experiment, f"tags.`{tag}` = '{value}'", 1000)


def _search(experiment: str, wanted: str = "", most: int = 5000) -> "list[Run]":
    """At most so many runs that are `wanted`, in MLflow's language, the newest first."""
    with answering():
        search = client().search_runs
        return [*search([experiment], wanted, max_results=most, order_by=["start_time DESC"])]
