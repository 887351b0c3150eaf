"""Mean absolute error: every engine against the slow truth; nothing else changes by it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tandem.comparison.parity import certify
from tandem.dataset.parquet import as_pandas
from tandem.dataset.samples import sample
from tandem.records import Task
from tandem.reporting.run_texts import fold_metrics, run_note
from tandem.results import Result
from tandem.settings import ScoreKeys
from tandem.tracking.folder import read_answer, write_record
from tandem.tracking.record import describe
from tests.tasks import drive, make_task, synthetic, truth_of

# Iterate to the end, so that what is compared is the objective and no solver's tolerance.
SOLVED = ("model.tol=1e-13", "model.max_iter=1000000", "model.precompute=true")
RTOL = {
    "sequential": 1e-9,  # an absolute error is of first order in the coefficients' error
    "scan": 1e-10,
    # Spark centres after summing: a column 50,000 deviations from 0 costs (5e4)^2 * 2e-16.
    "distributed": 1e-6,
}

protocols = pytest.mark.parametrize(
    ("fit_on", "k", "block"), [("train", 3, 1), ("all", 3, 1), ("train", 4, 256), ("all", 4, 256)]
)


def table(folder: Path, *overrides: str) -> Task:
    named = ("dataset=files", f"dataset.path={folder}", "dataset.target=y", "scores.mae=true")
    return make_task(*named, *SOLVED, *overrides)


def mae(result: Result) -> np.ndarray:
    return result.scores.others["mae"]


def check(folder: Path, engine: str, *overrides: str) -> None:
    """Imputed, indexed, unseen, dropped: every kind of column and row, in several files."""
    rows = 3000 if "folds.block=256" in overrides else 400
    synthetic(folder, rows=rows, seed=3, files=2)
    task = table(folder, *overrides)
    assert_allclose(mae(drive(engine, task)), truth_of(task).mae, rtol=RTOL[engine])


@protocols
@pytest.mark.engines("sequential", "scan")
def test_the_mean_of_every_held_out_row(
    tmp_path: Path, engine: str, fit_on: str, k: int, block: int
) -> None:
    protocol = (f"cleaning.fit_on={fit_on}", f"folds.k={k}", f"folds.block={block}")
    check(tmp_path, engine, *protocol)


@pytest.mark.slow
@pytest.mark.usefixtures("one_session")
@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_the_mean_of_every_held_out_row_by_spark(tmp_path: Path, fit_on: str) -> None:
    """By ridge, in closed form: where Spark iterates, it can stop short at any tolerance.

    Without the column where characters beyond the basic plane tie in frequency.
    """
    grid = ("model.elastic_net_param=[0]", "model.reg_param=[0.01,1]", "folds.k=2")
    exclude = "dataset.exclude=[packed]"
    check(tmp_path, "distributed", f"cleaning.fit_on={fit_on}", *grid, exclude)


@pytest.mark.parametrize("block", [1, 256])
def test_any_number_of_threads_is_the_same(tmp_path: Path, block: int) -> None:
    synthetic(tmp_path, rows=3000, seed=1, files=3)
    for path in sorted(tmp_path.glob("*.parquet")):
        pq.write_table(pq.read_table(path), path, row_group_size=170)
    task = table(tmp_path, f"folds.block={block}")
    one, two, many = (mae(drive("scan", replace(task, threads=n))) for n in (1, 2, 5))
    assert_array_equal(one, two)
    assert_array_equal(one, many)


@pytest.mark.slow
@pytest.mark.usefixtures("one_session")
def test_any_number_of_partitions_is_the_same(tmp_path: Path) -> None:
    synthetic(tmp_path, rows=3000, seed=1, files=3)
    for path in sorted(tmp_path.glob("*.parquet")):
        pq.write_table(pq.read_table(path), path, row_group_size=170)
    task = table(tmp_path)
    expected = mae(drive("scan", task))
    for partitions in (1, 7):
        spark = replace(task.spark, partitions=partitions)
        assert_array_equal(mae(drive("distributed_scan", replace(task, spark=spark))), expected)


@pytest.mark.engines("sequential", "scan")
def test_asking_changes_nothing_else(tmp_path: Path, engine: str) -> None:
    synthetic(tmp_path, rows=300, seed=6)
    task = table(tmp_path)
    asked, unasked = drive(engine, task), drive(engine, replace(task, scores=ScoreKeys()))
    assert not unasked.sums.by_row
    assert_array_equal(asked.sums.sse, unasked.sums.sse)
    assert asked.model == unasked.model


def test_errors_far_below_the_target(tmp_path: Path) -> None:
    """The one more scan serves both: the squares that the moments have lost, and |error|."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 600))
    y = 1000 + np.pi * x[0] + np.e * x[1] + 1e-7 * rng.normal(size=600)
    pq.write_table(pa.table({"a": x[0], "b": x[1], "y": y}), tmp_path / "a.parquet")
    task = table(tmp_path, "model.reg_param=[0]", "model.elastic_net_param=[0]")
    result, truth = drive("scan", task), truth_of(task)
    assert_allclose(mae(result), truth.mae, rtol=1e-5)
    assert_allclose(result.scores.rmse, truth.rmse, rtol=1e-5)


def test_what_is_reported(tmp_path: Path) -> None:
    synthetic(tmp_path / "data", rows=300, seed=8)
    task = table(tmp_path / "data")
    results = {engine: drive(engine, task) for engine in ("sequential", "scan")}
    answers = []
    for engine, result in results.items():
        record = describe(result, {"model.tol": "1e-13"}, "")
        by_fold = [(value, step) for key, value, step in record.metrics if key == "fold/mae"]
        best = mae(result)[:, result.scores.best]
        assert by_fold == [(value, fold) for fold, value in enumerate(best.tolist())]
        value = record.values()["cv/mae_mean"]
        assert value == pytest.approx(best.mean(), rel=1e-15)
        assert f"MAE {value:.6g}" in run_note(result)
        write_record(tmp_path / engine, result, record, "")
        answers.append(read_answer(engine, 1, tmp_path / engine))
    rows = sample(task.dataset, ["y", *answers[0].model.coefficients])
    certificate = certify(answers, as_pandas(rows))
    left, right = (mae(result) for result in results.values())
    expected = np.max(np.abs(left - right) / np.maximum(left, right))
    (found,) = (d for d in certificate.pairs[0].largest if d.what == "mae")
    assert found.relative == pytest.approx(expected, rel=1e-12)


def test_nothing_of_it_where_it_is_not_asked_for(tmp_path: Path) -> None:
    synthetic(tmp_path / "data", rows=300, seed=8)
    result = drive("scan", replace(table(tmp_path / "data"), scores=ScoreKeys()))
    record = describe(result, {}, "")
    assert not [key for key, _, _ in record.metrics if "mae" in key]
    assert [*fold_metrics(result)][-2:] == ["rmse", "r2"]
