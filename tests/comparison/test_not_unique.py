"""Where several models are the minimum, or nearly so, none is wrong."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tandem.comparison import Referee, certify
from tandem.dataset import as_pandas, sample
from tandem.tracking import read_answer, write_record
from tandem.tracking.record import describe
from tests.tasks import drive, make_task


def test_equally_good_models_are_not_unique_instead_of_wrong(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = tmp_path / "data"
    data.mkdir()
    words = ("dataset=files", f"dataset.path={data}", "dataset.target=y", "folds.k=3")
    grid = ("model.reg_param=[0]", "model.elastic_net_param=[0]")
    a, noise = rng.normal(size=(2, 300))
    b = a.copy()
    b[17] += 3.0  # one pixel that differs, held out by one fold
    pq.write_table(pa.table({"a": a, "b": b, "y": a + b + noise}), data / "a.parquet")
    task = replace(make_task(*words, *grid), cache_moments=False)
    result = drive("scan", task)
    write_record(tmp_path, result, describe(result, {"model.tol": "null"}, "0"), "")
    ours = read_answer("scan", 1, tmp_path)
    fold = next(f for f, design in enumerate(result.sums.designs) if design.missing)
    # Another minimum of that training set: all of the weight on one of the twins.
    assert ours.slopes is not None
    slopes = ours.slopes.copy()
    slopes[fold, 0] = [slopes[fold, 0].sum(), 0.0]
    referee = Referee(task)
    own = referee.own_errors(slopes)
    metrics = {"rmse": own, "r2": 1 - (own / ours.target_deviation[:, None]) ** 2}
    theirs = replace(ours, engine="sequential", slopes=slopes, metrics=metrics)
    rows = as_pandas(sample(task.dataset, ["y", "a", "b"]))
    found = certify([ours, theirs], rows, referee)
    assert abs(own[fold, 0] - ours.metrics["rmse"][fold, 0]) > 1e-3
    assert found.faults == ()
    assert found.parity == "not unique"


@pytest.mark.parametrize(("moved", "passes"), [(3e-8, True), (1e-4, False)])
def test_predictions_differ_by_what_solvers_promise_of_an_ill_conditioned_system(
    tmp_path: Path, moved: float, *, passes: bool
) -> None:
    """A feature per level and a penalty that is nothing against the target: a closed form loses
    digits there, which is no other answer.
    """
    rng = np.random.default_rng(1)
    (tmp_path / "data").mkdir()
    city = rng.choice([*"abcdefgh"], 400)
    y = 1e5 * (city == "a") + rng.normal(scale=1e5, size=400)
    table = pa.table({"a": rng.normal(size=400), "city": city, "y": y})
    pq.write_table(table, tmp_path / "data" / "a.parquet")
    words = ("dataset=files", f"dataset.path={tmp_path}/data", "dataset.target=y")
    grid = ("model.reg_param=[0.01]", "model.elastic_net_param=[0]", "cleaning.encoding=one_hot")
    task = make_task(*words, *grid)
    result = drive("scan", task)
    write_record(tmp_path, result, describe(result, {"model.tol": "null"}, "0"), "")
    ours = read_answer("scan", 1, tmp_path)
    slopes = {**ours.model.coefficients}
    slopes["a"] += (step := moved * float(y.std()))
    constant = ours.model.intercept - step * float(table["a"].to_numpy().mean())
    model = replace(ours.model, coefficients=slopes, intercept=constant)
    theirs = replace(ours, engine="distributed", model=model)
    rows = as_pandas(sample(task.dataset, ["y", "a", "city"]))
    assert certify([ours, theirs], rows, Referee(task)).passed is passes
    assert not certify([ours, theirs], rows).passed
