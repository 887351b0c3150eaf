"""A wrong penalty shows where it is smaller than what Spark's iterations leave undone."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from tandem.answers import Answer
from tandem.comparison import Certificate, Referee, certify
from tandem.dataset import as_pandas, sample
from tandem.model_keys import GridPoint
from tandem.records import Task
from tandem.tracking import read_answer, write_record
from tandem.tracking.record import describe
from tests.tasks import drive, make_task, synthetic

ASKED = 0.1


class Case(NamedTuple):
    """A table, and the judge of one lasso penalty on it."""

    place: Path
    rows: pd.DataFrame
    referee: Referee

    def judged(self, answer: Answer) -> Certificate:
        return certify([answer], self.rows, self.referee)

    def answer(self, engine: str, reg_param: float) -> Answer:
        """Of Spark, or of what has its place, that takes `reg_param` for the one asked."""
        place = self.place / f"{engine}-{reg_param}"
        place.mkdir()
        result = drive(engine, task(self.place, engine, reg_param))
        write_record(place, result, describe(result, {"model.tol": "null"}, "0"), "")
        asked = GridPoint(ASKED, 1.0)
        answer = read_answer(engine, 1, place)
        return replace(answer, engine="distributed", grid=(asked,), best=asked)


def task(place: Path, engine: str, reg_param: float) -> Task:
    words = ("dataset=files", "dataset.target=y", f"dataset.path={place / 'data'}", "folds.k=3")
    grid = (f"model.reg_param=[{reg_param}]", "model.elastic_net_param=[1]", f"engine={engine}")
    return replace(make_task(*words, *grid), cache_moments=False)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    place = tmp_path_factory.mktemp("implied")
    synthetic(place / "data", rows=900, seed=1, files=3)
    asked = task(place, "scan", ASKED)
    rows = as_pandas(sample(asked.dataset, [c.name for c in asked.dataset.columns]))
    return Case(place, rows, Referee(asked))


def about(faults: Sequence[str]) -> bool:
    return any("l1 penalty by its gradients" in fault for fault in faults)


@pytest.mark.parametrize("factor", [0.9, 0.999, 1.001, 1.1])
def test_a_wrong_penalty_within_the_tolerance_of_iterations(case: Case, factor: float) -> None:
    assert about(case.judged(case.answer("scan", ASKED * factor)).faults)


@pytest.mark.parametrize("remainder", [0.0, 1e-6, 1e-4])
def test_what_iterations_leave_is_no_wrong_penalty(case: Case, remainder: float) -> None:
    place = case._replace(place=case.place / f"{remainder}")
    place.place.mkdir()
    (place.place / "data").symlink_to(case.place / "data")
    right = place.answer("scan", ASKED)
    assert right.slopes is not None
    noise = np.random.default_rng(0).normal(size=right.slopes.shape)
    slopes = right.slopes * (1 + remainder * noise)
    rmse = case.referee.own_errors(slopes)
    metrics = {"rmse": rmse, "r2": 1 - (rmse / right.target_deviation[:, None]) ** 2}
    found = case.judged(replace(right, slopes=slopes, metrics=metrics))
    assert found.faults == ()


@pytest.mark.slow
@pytest.mark.usefixtures("one_session")
@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_of_spark_itself(case: Case, factor: float) -> None:
    found = case.judged(case.answer("distributed", ASKED * factor))
    assert about(found.faults) is (factor != 1.0)
    assert found.passed is (factor == 1.0)
