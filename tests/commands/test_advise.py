"""What is advised, from which runs, and that nothing is guessed."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tandem.commands.advise import (
    advice,
    cardinalities,
    choose,
    crossings,
    forecast,
    growths,
    terms,
)
from tandem.machine.hardware import machine_name
from tandem.records import Dataset, File, Task
from tandem.tracking.history import Measured
from tests.shell import runs, tandem
from tests.tasks import make_task

STUDY = Path(__file__).parents[2] / "experiments" / "rows"
SMALL = ("model.reg_param=[0.1]", "model.elastic_net_param=[0]")
LINES = {"sequential": (3.0, 4e-8, 3e-7), "distributed": (20.0, 1e-6, 2e-7), "scan": (2, 3e-8, 0)}


def history(noise: float = 0.15) -> Iterator[Measured]:
    """Runs as the engines' lines and some noise make them."""
    rng = np.random.default_rng(0)
    for engine, (start, cell, fit) in LINES.items():
        for rows in (1e4, 3e4, 1e5, 3e5, 1e6):
            for fits in (6, 18):
                cells = rows * 27
                truth = start + cell * cells + fit * cells * fits
                seconds = truth * float(np.exp(noise * rng.normal()))
                yield Measured(
                    "flights", engine, machine_name(), rows, cells, fits, seconds, 300 + cells / 1e5
                )


@pytest.fixture(scope="module")
def asked() -> Task:
    """Flights, 3 folds x 6 grid points."""
    return make_task("dataset.rows=1000")


def of_rows(asked: Task, rows: int) -> Task:
    file = replace(asked.dataset.files[0], rows=rows)
    assert isinstance(file, File)
    dataset = replace(asked.dataset, files=(file,))
    assert isinstance(dataset, Dataset)
    return replace(asked, dataset=dataset)


def test_nine_in_ten_unseen_runs_are_within_a_factor_of_two() -> None:
    """Of the study's real runs, each predicted from the others of its engine."""
    with (STUDY / "results.csv").open(encoding="utf-8") as file:
        rows = [*csv.DictReader(file)]
    runs = [
        Measured(
            *("flights", row["engine"], machine_name(), float(row["rows"])),
            *(float(row["rows"]) * float(row["features"]), 18),
            *(float(row["total_s"]), float(row["memory_mb"])),
        )
        for row in rows
    ]
    seconds, memory = [], []
    for unseen in runs:
        rest = [run for run in runs if run.engine == unseen.engine and run is not unseen]
        wanted = terms(unseen.cells, unseen.fits)
        for found, growth, truth in zip(
            (seconds, memory), growths(rest), (unseen.seconds, unseen.memory_mb), strict=True
        ):
            found.append(growth.at(wanted).value / truth)
    assert len(runs) > 25
    assert np.mean([0.5 < ratio < 2 for ratio in seconds]) >= 0.9  # 27 of 29
    assert np.mean([0.5 < ratio < 2 for ratio in memory]) >= 0.9  # all


def test_the_fastest_that_fits_is_chosen(asked: Task) -> None:
    forecasts = [*forecast(of_rows(asked, 1_000_000), [*history()])]
    best = choose(forecasts, free_mb=10_000)
    assert best is not None
    assert best.engine == "scan"
    first, spark, *rest = advice(forecasts, 10_000)
    assert first.startswith("Use engine=scan: about ")
    assert "Spark does not pay" in spark or "Spark pays" in spark
    assert any("Of distributed_scan there are too few runs" in line for line in rest)
    assert choose(forecasts, free_mb=100) is None
    assert [*advice(forecasts, 100)] == ["No engine fits into 100 MB -> a machine with more memory"]


def test_far_beyond_what_was_measured_is_said(asked: Task) -> None:
    forecasts = [*forecast(of_rows(asked, 50_000_000), [*history()])]
    assert any("times the cells of the largest run known" in x for x in advice(forecasts, 1e9))


def test_many_more_levels_than_were_measured_are_said(asked: Task) -> None:
    known = [replace(run, levels=500.0) for run in history()]
    levels = cardinalities(asked)
    assert {"tailnum", "dest", "origin"} <= levels.keys()
    assert levels["origin"] == 3
    few = [*advice([*forecast(asked, known, sum(levels.values()))], 1e9)]
    assert not any("levels" in line for line in few)
    many = [*advice([*forecast(asked, known, 50_000)], 1e9)]
    assert any("100 times as many levels as those of any run" in line for line in many)


def test_where_spark_begins_to_pay_is_told_of_the_same_task_only() -> None:
    known = [*history(noise=0.0)]
    like = next(run for run in known if run.fits == 18)
    (line,) = crossings(known, like)  # of distributed_scan there are no runs
    # 3 + (4e-8 + 18 * 3e-7) 27 n = 20 + (1e-6 + 18 * 2e-7) 27 n
    assert line.startswith("Spark does not pay below 749,559 rows (749,5")
    assert "distributed beats sequential" in line
    assert [*crossings(known, replace(like, dataset="houses"))] == []
    slow = [
        replace(run, seconds=9 * run.seconds) if run.engine == "distributed" else run
        for run in known
    ]
    (line,) = crossings(slow, like)
    assert line.startswith("Spark pays at no size")


def test_too_few_sizes_say_nothing(asked: Task) -> None:
    assert [*forecast(asked, [run for run in history() if run.rows < 2e5])] == []


@pytest.mark.slow
def test_without_runs_it_refuses_and_with_them_it_advises(place: Path) -> None:
    refused = tandem("advise", "dataset.rows=3000", *SMALL)
    assert refused.returncode == 3
    assert "nothing to judge by -> tandem sweep" in refused.stderr
    assert refused.stderr.count("\n") == 1
    rows = "dataset.rows=500,1000,2000,4000"
    swept = tandem("sweep", "engine=scan", rows, "cache.moments=false", *SMALL)
    assert swept.returncode == 0, swept.stderr
    done = tandem("advise", "dataset.rows=3000", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "Only scan can be judged by the runs so far: about " in done.stdout
    assert "3,000 rows" in done.stdout
    assert "of them tailnum)" in done.stdout
    assert len(runs("run")) == 4  # advice is no run
    assert place.exists()
