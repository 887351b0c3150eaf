"""Every engine against the slow truth: the same decisions, rows, errors and model."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from tandem.errors import DataError
from tandem.oracle import OracleResult
from tandem.records import Task
from tandem.results import Result
from tandem.scores import judge
from tests.tasks import drive, make_task, synthetic, truth_of

# Iterate to the end, so that what is compared is the objective and no solver's tolerance.
SOLVED = ("model.tol=1e-13", "model.max_iter=1000000", "model.precompute=true")
# Relative, of a metric and of the largest coefficient. Where solvers iterate, the error of a metric
# is of second order in that of the coefficients, which along nearly collinear columns (flights:
# sched_dep_time, hour) is larger.
SOLVERS = (1e-9, 1e-7)
# Spark centres after summing: a column 50,000 deviations from 0 costs (5e4)^2 * 2e-16.
WITHIN = {"sequential": SOLVERS, "distributed": (1e-6, 1e-4)}
SUMS = (1e-10, 1e-9)

LEDGER = ("rows_in", "rows_used", "rows_dropped_target", "rows_dropped_missing", "cells_imputed")

protocols = pytest.mark.parametrize("fit_on", ["train", "all"])
categories = pytest.mark.parametrize("missing_category", ["keep", "drop"])
folds = pytest.mark.parametrize(("k", "block"), [(3, 1), (5, 7), (4, 256)])
no_spark = pytest.mark.engines("scan", "sequential")  # each run of Spark takes seconds


def protocol(
    fit_on: str = "train", missing_category: str = "keep", k: int = 3, block: int = 1
) -> tuple[str, ...]:
    return (
        f"cleaning.fit_on={fit_on}",
        f"cleaning.missing_category={missing_category}",
        f"folds.k={k}",
        f"folds.block={block}",
        *SOLVED,
    )


def table(folder: Path, *overrides: str) -> Task:
    return make_task("dataset=files", f"dataset.path={folder}", "dataset.target=y", *overrides)


def check(result: Result, truth: OracleResult) -> None:
    """Same decisions, same rows, same metrics, same model."""
    metric, coefficient = WITHIN.get(result.engine, SUMS)
    assert {d.column.name: d.action.value for d in result.plan.decisions} == truth.actions
    ledger = asdict(result.ledger)
    assert {name: ledger[name] for name in LEDGER} == {
        name: getattr(truth, name) for name in LEDGER
    }
    assert ledger["rows_rejected"] == 0
    assert_allclose(result.scores.rmse, truth.rmse, rtol=metric, atol=1e-25)
    assert_allclose(1.0 - result.scores.r2, 1.0 - truth.r2, rtol=metric, atol=1e-25)
    if truth.held_out:
        assert result.held_out
        found = judge(result.held_out).rmse[0, 0]
        assert found == pytest.approx(truth.held_out[result.scores.best], rel=metric)
    expected = truth.coefficients[result.scores.best]
    assert [*result.model.coefficients] == [*expected]
    slopes = np.array([*expected.values()])
    assert_allclose(
        [*result.model.coefficients.values()],
        slopes,
        rtol=0,
        atol=coefficient * max(abs(slopes)),
    )
    ours, theirs = result.model.intercept, truth.intercepts[result.scores.best]
    for name, effects in truth.effects[result.scores.best].items():
        found = np.array(result.model.encodings[name])
        wanted = np.array(effects)[np.minimum(np.arange(len(found) - 1), len(effects) - 1)]
        # A lasso's are unique up to a constant, which the intercept takes.
        away = (found[:-1] - found[0]) - (wanted - wanted[0])
        assert_allclose(away, 0.0, atol=coefficient * max(abs(slopes)))
        of_unseen = wanted[-1] if len(effects) > result.task.cleaning.max_levels else 0.0
        if result.best.elastic_net_param < 1:
            assert found[-1] == pytest.approx(of_unseen, abs=coefficient * max(abs(slopes)))
        ours, theirs = ours + found[0], theirs + wanted[0]
    assert ours == pytest.approx(theirs, rel=coefficient, abs=1e-9)


@no_spark
@protocols
@categories
@pytest.mark.parametrize(("k", "block"), [(3, 1), (5, 7)])
def test_flights(engine: str, fit_on: str, missing_category: str, k: int, block: int) -> None:
    task = make_task("dataset.rows=1000", *protocol(fit_on, missing_category, k, block))
    check(drive(engine, task), truth_of(task))


@no_spark
@protocols
@categories
@folds
def test_synthetic(  # noqa: PLR0917 - one choice each
    engine: str, tmp_path: Path, fit_on: str, missing_category: str, k: int, block: int
) -> None:
    synthetic(tmp_path, rows=400 if block < 256 else 3000, seed=k, files=k - 2)
    task = table(tmp_path, *protocol(fit_on, missing_category, k, block))
    check(drive(engine, task), truth_of(task))


def test_ridge(engine: str, tmp_path: Path) -> None:
    """In closed form by every engine, with every kind of column.

    Without the column where characters beyond the basic plane tie in frequency (Spark's order), and
    without the constant one with gaps, which Spark's imputation leaves with a deviation of 1e-17.
    """
    synthetic(tmp_path, rows=400, seed=3, files=2)
    grid = ("model.elastic_net_param=[0]", "model.reg_param=[0.01,1]")
    exclude = "dataset.exclude=[packed,constant with gaps]"
    task = table(tmp_path, *protocol(), *grid, exclude)
    check(drive(engine, task), truth_of(task))


@no_spark
@protocols
@categories
@pytest.mark.parametrize(("smoothing", "block"), [(0, 1), (10, 7), (1e6, 1)])
def test_categories_as_mean_targets(  # noqa: PLR0917 - one choice each
    engine: str, tmp_path: Path, fit_on: str, missing_category: str, smoothing: float, block: int
) -> None:
    """Smoothed or not, of training rows or all, with levels that a training set lacks."""
    synthetic(tmp_path, rows=400, seed=6, files=2)
    encoding = ("cleaning.encoding=target", f"cleaning.smoothing={smoothing}")
    task = table(tmp_path, *protocol(fit_on, missing_category, 3, block), *encoding)
    check(drive(engine, task), truth_of(task))


@no_spark
@protocols
@categories
@pytest.mark.parametrize(("max_levels", "block"), [(1, 1), (3, 7), (100, 1)])
def test_categories_as_features(  # noqa: PLR0917 - one choice each
    engine: str, tmp_path: Path, fit_on: str, missing_category: str, max_levels: int, block: int
) -> None:
    """A 0/1 feature for every frequent level; with levels that a training set lacks.

    Without a lasso, of which several are the minimum: one in each set of features is redundant.
    """
    synthetic(tmp_path, rows=400, seed=6, files=2)
    encoding = ("cleaning.encoding=one_hot", f"cleaning.max_levels={max_levels}")
    encoding = (*encoding, "model.elastic_net_param=[0,0.5]")
    task = table(tmp_path, *protocol(fit_on, missing_category, 3, block), *encoding)
    check(drive(engine, task), truth_of(task))


@no_spark
def test_every_encoding_at_once(engine: str, tmp_path: Path) -> None:
    """Beside one another, exactly."""
    synthetic(tmp_path, rows=400, seed=6, files=2)
    of = "{city: one_hot, packed: target, flag: one_hot, once: target}"
    words = (
        f"+cleaning.encodings={of}",
        "cleaning.max_levels=4",
        "model.elastic_net_param=[0,0.5]",
    )
    task = table(tmp_path, *protocol(), *words)
    check(drive(engine, task), truth_of(task))


@no_spark
@pytest.mark.parametrize("rows", [500, 2000])
def test_flights_as_mean_targets(engine: str, rows: int) -> None:
    """With gaps, and summed exactly: features follow from one another."""
    task = make_task(f"dataset.rows={rows}", *protocol(), "cleaning.encoding=target")
    check(drive(engine, task), truth_of(task))


def test_categories_as_mean_targets_by_every_engine(engine: str, tmp_path: Path) -> None:
    """Some of them; in closed form, without what Spark's rounding tells, as in `test_ridge`."""
    synthetic(tmp_path, rows=400, seed=3, files=2)
    grid = ("model.elastic_net_param=[0]", "model.reg_param=[0.01,1]")
    exclude = "dataset.exclude=[packed,constant with gaps]"
    encoding = ("cleaning.encoding=target", "+cleaning.encodings={flag: index}")
    task = table(tmp_path, *protocol(), *grid, exclude, *encoding)
    result = drive(engine, task)
    assert set(result.model.levels) - set(result.model.encodings) == {"flag"}
    check(result, truth_of(task))


def test_categories_as_features_by_every_engine(engine: str, tmp_path: Path) -> None:
    """Frequent levels and the others; in closed form, as in `test_ridge`."""
    synthetic(tmp_path, rows=400, seed=3, files=2)
    grid = ("model.elastic_net_param=[0]", "model.reg_param=[0.01,1]")
    exclude = "dataset.exclude=[packed,constant with gaps]"
    of = "{flag: index, same: target, once: target}"
    encoding = ("cleaning.encoding=one_hot", "cleaning.max_levels=4", f"+cleaning.encodings={of}")
    task = table(tmp_path, *protocol(), *grid, exclude, *encoding)
    result = drive(engine, task)
    assert len(result.model.encodings["city"]) == 9
    check(result, truth_of(task))


@no_spark
@pytest.mark.parametrize("offset", [1e6, 1e9])
def test_mean_targets_far_from_0(engine: str, tmp_path: Path, offset: float) -> None:
    """What they are about does not cost digits."""
    rng = np.random.default_rng(0)
    city = rng.integers(0, 30, 2000)
    y = offset + 10.0 * rng.normal(size=30)[city] + rng.normal(size=2000)
    frame = pd.DataFrame({"city": [f"city {c}" for c in city], "x": rng.normal(size=2000), "y": y})
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    task = table(tmp_path, *protocol(), "model.reg_param=[0,0.1]", "cleaning.encoding=target")
    result, truth = drive(engine, task), truth_of(task)
    # The oracle rounds the means to float64 where they are, not about their own mean.
    assert_allclose(result.scores.rmse, truth.rmse, rtol=max(1e-9, 1e-17 * offset))
    assert_allclose(
        [*result.model.coefficients.values()],
        [*truth.coefficients[result.scores.best].values()],
        rtol=1e-7,
    )


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("reg_param", [0.0, 1e-6, 0.01, 3.0])
@no_spark
def test_every_grid_point_alone(
    engine: str, tmp_path: Path, reg_param: float, ratio: float
) -> None:
    """So that the refit of every estimator is compared, not of the winner only."""
    synthetic(tmp_path, rows=300, seed=3)
    grid = (f"model.reg_param=[{reg_param}]", f"model.elastic_net_param=[{ratio}]")
    task = table(tmp_path, *grid, *protocol())
    check(drive(engine, task), truth_of(task))


@no_spark
def test_thresholds_and_seed(engine: str, tmp_path: Path) -> None:
    """Other decisions for the same table, and other folds."""
    synthetic(tmp_path, rows=300, seed=4)
    other = ("cleaning.drop_column_above=0.25", "cleaning.drop_rows_below=0.22", "folds.seed=12345")
    task = table(tmp_path, *protocol(k=4), *other)
    truth = truth_of(task)
    assert truth.actions["count with gaps"] == "drop column"
    assert truth.actions["constant with gaps"] == "drop rows"
    check(drive(engine, task), truth)


def test_constant_target(engine: str, tmp_path: Path) -> None:
    """R2 is NaN, the error 0, every coefficient 0."""
    synthetic(tmp_path, rows=200, seed=5)
    exclude = "dataset.exclude=[y]"
    task = make_task(
        "dataset=files", f"dataset.path={tmp_path}", "dataset.target=constant", exclude, *SOLVED
    )
    result = drive(engine, task)
    assert np.isnan(result.scores.r2).all()
    assert result.scores.rmse.max() < 1e-12
    assert max(abs(x) for x in result.model.coefficients.values()) < 1e-12
    assert result.model.intercept == pytest.approx(7.0)


def test_a_column_without_a_value_in_a_training_set(engine: str, tmp_path: Path) -> None:
    """There is no mean of nothing: it is told by name, but where means are of all rows."""
    x = np.arange(40.0)
    gaps = np.where(np.arange(40) < 20, x % 7, np.nan)
    columns = {"x": x % 11, "gaps": gaps, "fold": np.arange(40) // 20, "y": x}
    pd.DataFrame(columns).to_parquet(tmp_path / "t.parquet")
    words = (f"dataset.path={tmp_path}", "dataset=files", "dataset.target=y", *SOLVED)
    words += ("folds=column", "folds.column=fold", "dataset.exclude=[fold]")
    with pytest.raises(DataError, match="'gaps': none of 20 training rows has a value to impute"):
        drive(engine, make_task(*words))
    assert drive(engine, make_task(*words, "cleaning.fit_on=all")).ledger.rows_used == 40
