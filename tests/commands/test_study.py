"""Studies: real runs under one parent, their answers checked; verdicts that follow from data."""

import csv
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from tandem.commands import study
from tandem.commands.study import Case, Row
from tandem.config.composed import settings
from tandem.errors import IncompleteError
from tandem.manual import configuration_folder
from tandem.scaling import amdahl
from tests.shell import SMALL, runs

STUDIES = Path(__file__).parents[2] / "experiments"
NAMES = ("rows", "cores", "executors", "partitions", "grid", "protocol")


def script(name: str) -> dict[str, Any]:
    return runpy.run_path(str(STUDIES / name / "run.py"))


def rewrite(table: Path, column: str, value: str, place: int = 0) -> None:
    rows = study.read(table)
    rows[place][column] = value
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.slow
def test_a_study_goes_on_where_it_was_ended_and_refuses_answers_that_differ(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place / 'mlflow.db'}")
    cases = [Case(engine, SMALL, labels={"threads": "all"}) for engine in ("scan", "sequential")]
    folder = place / "small"
    folder.mkdir()
    table = folder / "results.csv"

    def report(rows: list[Row], _: Path) -> tuple[str, dict[str, float]]:
        return f"{len(rows)} runs\n", {"fit/x": 1.5}

    def start(*options: str, repeats: int = 1) -> None:
        monkeypatch.setattr(sys, "argv", ["run.py", *options])
        study.command(folder, lambda _: cases, report, repeats)

    (folder / "README.md").write_text("## Verdict\n\n0 runs\n\nwords\n", encoding="utf-8")
    (folder / "verdict.md").write_text("0 runs\n", encoding="utf-8")
    start()
    first = study.read(table)
    assert [row["engine"] for row in first] == ["scan", "sequential"]
    assert {*first[0]} >= {"threads", "rows", "session_s", "total_s", "memory_mb", "rmse"}
    assert (folder / "verdict.md").read_text(encoding="utf-8") == "2 runs\n"
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert readme == "## Verdict\n\n2 runs\n\nwords\n"
    (run,) = runs("study")
    assert run.info.status == "FINISHED"
    assert run.data.metrics["fit/x"] == 1.5
    assert {child.data.tags["mlflow.parentRunId"] for child in runs("run")} == {run.info.run_id}
    start()
    assert (study.read(table), len(runs("run"))) == (first, 2)
    rewrite(table, "machine", "1 x another one")
    start()
    assert sorted(row["engine"] for row in study.read(table)) == ["scan", "sequential"]
    assert len(runs("run")) == 3
    rewrite(table, "rmse", "1.0")
    with pytest.raises(SystemExit) as ended:
        start("--repeats", "2")
    assert ended.value.code == IncompleteError.status
    assert len(study.read(table)) == 2  # the answer that differs is not among the results


@pytest.mark.parametrize("name", NAMES)
def test_a_verdict_follows_from_the_results_beside_it(name: str, tmp_path: Path) -> None:
    rows = study.read(STUDIES / name / "results.csv")
    text, metrics = script(name)["report"](rows, tmp_path)
    assert (STUDIES / name / "verdict.md").read_text(encoding="utf-8") == text
    assert text in (STUDIES / name / "README.md").read_text(encoding="utf-8")
    assert metrics


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("small", [False, True])
def test_every_case_of_a_study_is_a_valid_configuration(name: str, small: bool) -> None:  # noqa: FBT001
    search = f"hydra.searchpath=[file://{STUDIES.parent}]"
    with initialize_config_dir(str(configuration_folder()), version_base="1.3"):
        for case in script(name)["cases"](small):
            words = [f"engine={case.engine}", *case.task, *case.own, search]
            assert settings(compose("config", words)).engine.name == case.engine


def test_amdahl_is_found_in_times_that_follow_it() -> None:
    law = amdahl([1, 2, 4], [3 + 8 / count for count in (1, 2, 4)])
    assert law.coefficients == pytest.approx([3, 8])
