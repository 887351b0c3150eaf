"""Medians of errors of rows that count more or less often: every engine against the slow truth."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from tandem.records import Task
from tandem.solver import selection
from tests.engines.test_answers import WITHIN, no_spark
from tests.engines.test_other_errors import BOTH, task_of
from tests.tasks import drive, houses, truth_of

WEIGHTS = {
    "twice": lambda rows: np.where(rows % 3, 1.0, 2.0),
    "some not": lambda rows: np.where(rows % 4, 0.1, 0.0),
    "any": lambda rows: 0.3 + (rows * 7 % 11) / 3,
    "one alone": lambda rows: np.where(rows % 30, 1e-3, 50.0),
}


def weighted(place: Path, weights: str, *words: str) -> Task:
    frame = houses().reset_index(drop=True)
    frame["w"] = WEIGHTS[weights](np.arange(len(frame)))
    frame.to_parquet(place / "w.parquet", row_group_size=17)
    return task_of(place / "w.parquet", "dataset.weight=w", *words, both=BOTH[1:])


@no_spark
@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_median_counts_every_row_as_often_as_its_weight_says(
    engine: str, tmp_path: Path, weights: str
) -> None:
    task = weighted(tmp_path, weights, "folds.k=4", "folds.block=1")
    found = drive(engine, task)
    right = truth_of(task).median_ae[:, found.scores.best]
    assert_allclose(found.scores.chosen["median_ae"], right, rtol=WITHIN.get(engine, (1e-9,))[0])


@pytest.mark.parametrize("most", [1, 64, 2**20])
def test_it_is_the_same_however_many_bins_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    task = weighted(tmp_path, "any", "folds.repeats=2")
    monkeypatch.setattr(selection, "_MOST", most)
    found = drive("scan", task)
    right = truth_of(task).median_ae[:, found.scores.best]
    assert_allclose(found.scores.chosen["median_ae"], right, rtol=1e-9)


@pytest.mark.engines("distributed")
@pytest.mark.parametrize("weights", ["twice", "any"])
def test_a_weighted_median_by_spark(engine: str, tmp_path: Path, weights: str) -> None:
    task = weighted(tmp_path, weights, "model.reg_param=[0.1]")
    found = drive(engine, task)
    right = truth_of(task).median_ae[:, found.scores.best]
    assert_allclose(found.scores.chosen["median_ae"], right, rtol=1e-6)


@no_spark
def test_a_row_of_weight_two_is_the_row_twice_in_a_median(engine: str, tmp_path: Path) -> None:
    """Without a penalty the models are the same; the folds are those of a column."""
    frame = houses().reset_index(drop=True)
    twice = np.arange(len(frame)) % 3 == 0
    frame["f"], frame["w"] = np.arange(len(frame)) % 3, np.where(twice, 2.0, 1.0)
    frame.to_parquet(tmp_path / "w.parquet")
    pd.concat([frame, frame[twice]]).to_parquet(tmp_path / "t.parquet")
    words = ("folds=column", "folds.column=f", "dataset.include=[area,rooms]")
    words = (*words, "model.reg_param=[0]")
    one, other = (
        drive(engine, task_of(tmp_path / name, *words, *own, both=BOTH[1:]))
        for name, own in (("w.parquet", ["dataset.weight=w"]), ("t.parquet", []))
    )
    assert_allclose(one.scores.chosen["median_ae"], other.scores.chosen["median_ae"], rtol=1e-9)
