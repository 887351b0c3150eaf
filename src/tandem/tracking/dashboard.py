"""The page that MLflow opens on an experiment of ours, and the links to it.

MLflow keeps a shared view (charts and their sections) as JSON in an experiment tag. The format is
not documented: tests/tracking/test_browser.py looks at the page; a plain link is printed beside it.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from tandem.records import STAGES
from tandem.redaction import shown
from tandem.tracking.client import client, tracking_uri
from tandem.tracking.store import answering

KEY = "tandem"
TAG = f"mlflow.sharedViewState.{KEY}"
UI = "http://127.0.0.1:5000"  # where `make ui` and a plain `mlflow server` answer

# Runs stand in its order: the newest comparison first, in it the baseline; see runs.py.
ORDER_TAG = "mlflow.tandem.order"  # MLflow shows no tag of its own among a run's
_TIME = ("time/total_s", "Time in all, seconds")
_COLUMNS = (
    "params.`engine.name`",
    *(f"metrics.`{name}`" for name in ("data/rows", "cv/rmse_mean", "cv/r2_mean", "time/total_s")),
    "tags.`parity`",
)

# MLflow adds a section per group of metrics, unfolded; these are there already, folded.
_FOLDED = ("comparison", "cv", "data", "fold", "grid", "memory", "spark", "time")

Chart = dict[str, Any]


def view(*, sizes: bool = True) -> str:
    """The dashboard as the JSON that MLflow's page reads; `sizes`: runs have several."""
    sections = _sections(sizes=sizes)
    number = count()
    charts = [
        {**chart, "uuid": f"chart-{next(number)}", "metricSectionId": f"section-{name}"}
        | {"deleted": False, "isGenerated": False, "runsCountToCompare": 100}
        for name, (_, _, cards) in sections.items()
        for chart in cards
    ]
    unfolded = [
        _section(name, display=True) | {"columns": columns, "cardHeight": height}
        for name, (columns, height, _) in sections.items()
    ]
    state = {
        "searchFilter": "tags.kind = 'run'",
        # Any order but that by start shows the children of comparisons and sweeps side by side.
        "orderByKey": f"tags.`{ORDER_TAG}`",
        "orderByAsc": True,
        "runsHiddenMode": "FIRST_20_RUNS",
        "compareRunCharts": charts,
        "compareRunSections": [*unfolded, *(_section(name, display=False) for name in _FOLDED)],
        "isAccordionReordered": True,  # or MLflow sorts the sections by name
        "hideEmptyCharts": True,
        "selectedColumns": [*_COLUMNS],
    }
    return json.dumps(state, separators=(",", ":"))


def _section(name: str, *, display: bool) -> dict[str, Any]:
    flags = {"isReordered": True, "deleted": False, "isGenerated": False}
    return {"uuid": f"section-{name}", "name": name, "display": display, **flags}


def _sections(*, sizes: bool) -> Mapping[str, tuple[int, int, Sequence[Chart]]]:
    """By name: cards side by side, their height in pixels, and the charts."""
    overview = (
        _bar(*_TIME),
        _bar("comparison/speedup", "Times as fast as the baseline"),
        _bar("memory/peak_mb", "Peak memory, MB"),
        _bar("cv/rmse_mean", "Held-out RMSE, mean over folds"),
        *([_scatter(("data/rows", "Rows"), _TIME)] if sizes else []),
    )
    stages = [f"time/{stage}_s" for stage in STAGES]
    return {
        "Is Spark worth it?": (2, 320, overview),
        "Where does the time go?": (1, 400, [_bars(stages)]),
        "Is it the same answer?": (1, 360, [_line("fold/rmse")]),
        "What else differs?": (1, 400, [_difference()]),
    }


def _bar(metric: str, title: str) -> Chart:
    """A bar per run, in the run's colour."""
    return {"type": "BAR", **_called(metric, title, "metricKey")}


def _called(metric: str, title: str, name: str = "key") -> dict[str, str]:
    # MLflow's title is the key, unless another key says where the numbers are.
    return {name: title, "dataAccessKey": metric}


def _bars(metrics: Sequence[str]) -> Chart:
    """Bars of several metrics side by side, on one axis."""
    title = {"datasetName": "seconds", "metricKey": "by stage, one after the other"}
    return {"type": "BAR", "selectedMetricKeys": [*metrics], **title}


def _scatter(x: tuple[str, str], y: tuple[str, str]) -> Chart:
    axes = {"xaxis": _called(*x), "yaxis": _called(*y)}
    return {"type": "SCATTER", **{name: {**axis, "type": "METRIC"} for name, axis in axes.items()}}


def _line(metric: str) -> Chart:
    look = {"displayPoints": True, "lineSmoothness": 0, "scaleType": "linear", "xAxisKey": "step"}
    return {"type": "LINE", "metricKey": metric, "selectedMetricKeys": [metric], **look}


def _difference() -> Chart:
    only = {"showChangeFromBaseline": True, "showDifferencesOnly": True, "baselineColumnUuid": ""}
    groups = ["Model metrics", "Parameters"]
    return {"type": "DIFFERENCE", "chartName": "Run by run", "compareGroups": groups, **only}


def provide(experiment_id: str, standing: Mapping[str, str], *, sizes: bool = True) -> str:
    """Put the dashboard on an experiment whose tags are `standing`, unless it is there.

    `sizes`: its runs have several. Where the store refuses it, one line that says so: a run is
    worth more than its page.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow

    wanted = view(sizes=sizes)
    try:
        if standing.get(TAG) != wanted:
            client().set_experiment_tag(experiment_id, TAG, wanted)
    except MlflowException as error:
        text = " ".join(str(error).split())
        return f"no dashboard: {text} -> the other link works"
    return ""


def links(run_id: str) -> str:
    """Where to look: the dashboard, the run's own page and, of a local store, what serves them.

    Raises TrackingError where it does not answer.
    """
    with answering():
        experiment = client().get_run(run_id).info.experiment_id
    return "\n".join(_links(experiment, run_id))


def _links(experiment_id: str, run_id: str) -> Iterator[str]:
    uri = shown(tracking_uri())
    served = uri.startswith(("http://", "https://"))
    # Without the workflow type MLflow may open its page for language models instead.
    server = uri.replace("***@", "").rstrip("/") if served else UI
    page = f"{server}/#/experiments/{experiment_id}/runs"
    kind = "workflowType=machine_learning"
    yield f"dashboard  {page}?{kind}&compareRunsMode=CHART&viewStateShareKey={KEY}"
    yield f"this run   {page}/{run_id}?{kind}"
    if not served:
        yield f"served by  mlflow server --backend-store-uri {shlex.quote(uri)}"
