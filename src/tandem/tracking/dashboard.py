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

KEY = "tandem"
TAG = f"mlflow.sharedViewState.{KEY}"
UI = "http://127.0.0.1:5000"  # where `make ui` and a plain `mlflow server` answer

_AXES = ("engine.name", "folds.k", "dataset.rows")  # configuration of the parallel coordinates
_COLUMNS = (
    *(f"params.`{name}`" for name in ("engine.name", "dataset.name", "folds.k")),
    *(f"metrics.`{name}`" for name in ("data/rows", "time/total_s", "memory/peak_mb")),
    "metrics.`cv/rmse_mean`",
)

# MLflow adds a section per group of metrics, unfolded; these are there already, folded.
_FOLDED = ("comparison", "cv", "data", "fold", "grid", "memory", "spark", "time")

Chart = dict[str, Any]


def view() -> str:
    """The dashboard as the JSON that MLflow's page reads."""
    sections = _sections()
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
        "orderByKey": "attributes.`end_time`",
        "orderByAsc": False,
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


def _sections() -> Mapping[str, tuple[int, int, Sequence[Chart]]]:
    """By name: cards side by side, their height in pixels, and the charts."""
    overview = (
        _bar("time/total_s"),
        _bar("comparison/speedup"),
        _scatter("data/rows", "time/total_s"),
        _bar("memory/peak_mb"),
        _bar("cv/rmse_mean"),
    )
    return {
        "Is Spark worth it?": (2, 320, overview),
        "Where does the time go?": (3, 300, [_bar(f"time/{stage}_s") for stage in STAGES]),
        "Is it the same answer?": (2, 320, (_line("fold/rmse"), _line("grid/rmse_mean"))),
        "What else differs?": (1, 400, (_parallel(), _difference())),
    }


def _bar(metric: str) -> Chart:
    """A bar per run, in the run's colour. MLflow's title is the metric."""
    return {"type": "BAR", "metricKey": metric}


def _scatter(x: str, y: str) -> Chart:
    axes = {"xaxis": {"key": x, "type": "METRIC"}, "yaxis": {"key": y, "type": "METRIC"}}
    return {"type": "SCATTER", **axes}


def _line(metric: str) -> Chart:
    look = {"displayPoints": True, "lineSmoothness": 0, "scaleType": "linear", "xAxisKey": "step"}
    return {"type": "LINE", "metricKey": metric, "selectedMetricKeys": [metric], **look}


def _parallel() -> Chart:
    axes = {"selectedParams": [*_AXES], "selectedMetrics": ["cv/rmse_mean", "time/total_s"]}
    return {"type": "PARALLEL", "showAllRuns": True, **axes}


def _difference() -> Chart:
    only = {"showChangeFromBaseline": True, "showDifferencesOnly": True, "baselineColumnUuid": ""}
    groups = ["Model metrics", "Parameters"]
    return {"type": "DIFFERENCE", "chartName": "Run by run", "compareGroups": groups, **only}


def provide(experiment_id: str, standing: Mapping[str, str]) -> str:
    """Put the dashboard on an experiment whose tags are `standing`, unless it is there.

    Where the store refuses it, one line that says so: a run is worth more than its page.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow

    wanted = view()
    if standing.get(TAG) == wanted:
        return ""
    try:
        client().set_experiment_tag(experiment_id, TAG, wanted)
    except MlflowException as error:
        text = " ".join(str(error).split())
        return f"no dashboard: {text} -> the other link works"
    return ""


def links(run_id: str) -> str:
    """Where to look: the dashboard, the run's own page and, of a local store, what serves them."""
    return "\n".join(_links(client().get_run(run_id).info.experiment_id, run_id))


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
