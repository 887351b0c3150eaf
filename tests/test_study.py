"""Studies: real runs under one parent, their answers checked; verdicts that follow from data."""

import runpy
from pathlib import Path

import pytest

from tandem.errors import IncompleteError
from tandem.study import Case, Row, conclude, study, write
from tests.commands import SMALL, runs

STUDIES = Path(__file__).parents[1] / "experiments"


@pytest.mark.slow
def test_a_study_measures_in_turn_and_refuses_answers_that_differ(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place / 'mlflow.db'}")
    cases = [Case(engine, SMALL, labels={"threads": "all"}) for engine in ("scan", "sequential")]
    other = Case("scan", SMALL, ("folds.seed=1", "dataset.seed=7"))

    def run_study() -> None:
        with study("small") as (parent, measure):
            rows.extend(measure(cases, 1))
            write(rows, place / "results.csv")
            conclude(parent, {"fit/x": 1.5}, "the verdict", place / "data")
            measure([cases[0], other], 1)

    rows: list[Row] = []
    (place / "data").mkdir()
    with pytest.raises(IncompleteError, match="by another engine: no result"):
        run_study()
    assert [row["engine"] for row in rows] == ["scan", "sequential"]
    assert {*rows[0]} >= {"threads", "rows", "session_s", "total_s", "memory_mb", "rmse"}
    assert (place / "results.csv").read_text(encoding="utf-8").count("\n") == 3
    (run,) = runs("study")
    assert run.info.status == "FAILED"
    assert run.data.metrics["fit/x"] == 1.5
    children = runs("run")
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {run.info.run_id}


def test_the_verdict_of_rows_follows_from_its_results() -> None:
    rows = runpy.run_path(str(STUDIES / "rows" / "run.py"))
    text, metrics = rows["verdict"](rows["growths"](rows["read"](STUDIES / "rows" / "results.csv")))
    told = text.rsplit("\n\n", 1)[0]  # without the machine
    assert (STUDIES / "rows" / "verdict.md").read_text(encoding="utf-8").startswith(told)
    assert told in (STUDIES / "rows" / "README.md").read_text(encoding="utf-8")
    assert metrics["fit/scan_per_million_s"] > 0
