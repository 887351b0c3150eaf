"""Rows that count more than once, less than once, or not at all."""

from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tandem.dataset import fold_of_rows, target_deviation
from tandem.errors import DataError
from tandem.records import Task
from tandem.reporting import headline
from tandem.results import Result
from tests.engines.test_answers import SOLVED, check
from tests.tasks import drive, make_task, truth_of

FOLDS = {
    "kfold": ("folds.k=3",),
    "group": ("folds=group", "folds.column=g", "folds.k=3"),
    "column": ("folds=column", "folds.column=f"),
    "time": ("folds=time", "folds.column=t", "folds.k=3"),
    "holdout": ("folds.k=3", "folds.holdout=0.2"),
}
WEIGHTS = ("once", "whole", "quarters", "tiny")
ENCODINGS = ("one_hot", "target", "index")
CASES = [*((folds, "thirds") for folds in FOLDS), *(("kfold", weight) for weight in WEIGHTS)]
ERRORS = ("scores.mae=true", "scores.mape=true")
NO_LASSO = ("model.elastic_net_param=[0,0.5]",)  # of a lasso on 0/1 features several are minima


@pytest.fixture
def frame() -> pd.DataFrame:
    """Numbers and categories with gaps, a target with gaps, and columns of weights."""
    rng = np.random.default_rng(5)
    rows = 150
    a, b = rng.normal(size=rows), rng.normal(50, 3, rows).round(1)
    c = rng.choice(["x", "y", "z", "rare"], rows, p=[0.45, 0.3, 0.2, 0.05]).astype(object)
    y = 3.0 * a + b + 2.0 * (c == "y") + rng.normal(size=rows)
    b[rng.random(rows) < 0.2] = np.nan
    c[rng.random(rows) < 0.1] = None
    y[rng.random(rows) < 0.05] = np.nan
    whole = rng.integers(0, 4, rows)
    frame = pd.DataFrame({"a": a, "b": b, "c": c, "y": y})
    frame = frame.assign(g=rng.integers(0, 30, rows), f=np.arange(rows) % 3, t=np.arange(rows))
    frame = frame.assign(once=1, whole=whole, quarters=whole * 0.25, thirds=whole / 3)
    return frame.assign(tiny=rng.exponential(1e-7, rows))


def asked(folder: Path, frame: pd.DataFrame, *words: str) -> Task:
    folder.mkdir(exist_ok=True)
    frame.to_parquet(folder / "t.parquet", row_group_size=100)
    data = (f"dataset.path={folder}/t.parquet", "dataset.target=y", "dataset.include=[a,b,c]")
    return make_task("dataset=files", *data, "cleaning.drop_rows_below=0", *SOLVED, *words)


@pytest.mark.parametrize(
    ("folds", "weight", "encoding"),
    [
        *((*one, encoding) for one, encoding in zip(CASES, cycle(ENCODINGS), strict=False)),
        *(("kfold", "thirds", encoding) for encoding in ENCODINGS),
    ],
)
@pytest.mark.engines("scan", "sequential")
def test_every_row_counts_as_it_says(  # noqa: PLR0917 - one choice each
    engine: str, tmp_path: Path, frame: pd.DataFrame, encoding: str, folds: str, weight: str
) -> None:
    words = (f"cleaning.encoding={encoding}", f"dataset.weight={weight}", *ERRORS)
    words = (*words, *FOLDS[folds], f"cleaning.smoothing={frame[weight].sum() / 40}")
    task = asked(tmp_path, frame, *words, *(NO_LASSO if encoding == "one_hot" else ()))
    truth = truth_of(task)
    found = drive(engine, task)
    check(found, truth)
    np.testing.assert_allclose(found.scores.others["mae"], truth.mae, rtol=1e-9)
    np.testing.assert_allclose(found.scores.others["mape"], truth.mape, rtol=1e-9)
    assert found.ledger.rows_dropped_weight == truth.rows_dropped_weight
    assert (truth.rows_dropped_weight > 0) == (weight in {"whole", "quarters", "thirds"})


@pytest.mark.slow
@pytest.mark.parametrize(("encoding", "fit_on"), [("one_hot", "all"), ("target", "train")])
@pytest.mark.engines("distributed")
def test_on_spark(
    engine: str, tmp_path: Path, frame: pd.DataFrame, encoding: str, fit_on: str
) -> None:
    words = ("dataset.weight=quarters", f"cleaning.fit_on={fit_on}", *FOLDS["holdout"])
    grid = ("model.reg_param=[0.1]", "model.elastic_net_param=[0]")
    task = asked(tmp_path, frame, f"cleaning.encoding={encoding}", *words, *grid, *ERRORS)
    found, truth = drive(engine, task), truth_of(task)
    check(found, truth)
    np.testing.assert_allclose(found.scores.others["mae"], truth.mae, rtol=1e-6)
    np.testing.assert_allclose(found.scores.others["mape"], truth.mape, rtol=1e-6)


@pytest.mark.engines("scan", "sequential")
def test_a_single_row_has_no_variation_whatever_it_counts(
    engine: str, tmp_path: Path, frame: pd.DataFrame
) -> None:
    few = frame.dropna().query("whole > 0").iloc[:12].assign(f=range(12))
    task = asked(tmp_path, few, "dataset.weight=thirds", "folds=column", "folds.column=f")
    with np.errstate(all="ignore"):
        found = drive(engine, task)
    assert np.isnan(found.scores.r2).all()


@pytest.mark.parametrize("encoding", ["index", "one_hot", "target"])
@pytest.mark.engines("scan", "sequential")
def test_two_is_the_row_twice_and_nothing_is_no_row(
    engine: str, tmp_path: Path, frame: pd.DataFrame, encoding: str
) -> None:
    words = (f"cleaning.encoding={encoding}", *FOLDS["group"], "scores.mae=true", *NO_LASSO)
    repeated = frame.loc[frame.index.repeat(frame.whole)]
    plain = drive(engine, asked(tmp_path / "plain", repeated, *words))
    weighed = drive(engine, asked(tmp_path / "w", frame, *words, "dataset.weight=whole"))
    same(weighed, plain)
    assert weighed.sums.n_test == plain.sums.n_test
    path = ("model.path=6", "model.choose=one_standard_error")
    same(
        drive(engine, asked(tmp_path / "w", frame, *words, *path, "dataset.weight=whole")),
        drive(engine, asked(tmp_path / "plain", repeated, *words, *path)),
    )


def same(one: Result, other: Result) -> None:
    np.testing.assert_allclose(one.scores.rmse, other.scores.rmse, rtol=1e-9)
    np.testing.assert_allclose(one.scores.r2, other.scores.r2, rtol=1e-9)
    np.testing.assert_allclose(one.scores.others["mae"], other.scores.others["mae"], rtol=1e-9)
    assert one.best.elastic_net_param == other.best.elastic_net_param
    assert one.best.reg_param == pytest.approx(other.best.reg_param, rel=1e-9)
    assert one.model.levels == other.model.levels
    for name, slope in other.model.coefficients.items():
        assert one.model.coefficients[name] == pytest.approx(slope, rel=1e-7, abs=1e-9)


def test_of_equal_weights_the_size_tells_nothing(tmp_path: Path, frame: pd.DataFrame) -> None:
    """But for what is smoothed by rows."""
    found = [
        drive("scan", asked(tmp_path, frame.assign(w=size), "dataset.weight=w"))
        for size in (1, 0.1, 1 / 3, 1e9)
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other.scores.rmse, found[0].scores.rmse, rtol=1e-12)
        assert other.model.levels == found[0].model.levels


def test_whole_weights_are_summed_without_rounding(tmp_path: Path) -> None:
    """A target that follows from the features: what is left is rounding, and nothing more."""
    rng = np.random.default_rng(2)
    a, b = rng.normal(1e6, 1.0, 3000), rng.normal(size=3000)
    weight = rng.integers(1, 50, 3000) / 100
    frame = pd.DataFrame({"a": a, "b": b, "c": "x", "y": 2.0 * a - b, "w": weight})
    found = drive("scan", asked(tmp_path, frame, "dataset.weight=w", "model.reg_param=[0]"))
    assert found.scores.rmse.max() < 1e-8
    assert found.model.coefficients["a"] == pytest.approx(2.0, abs=1e-12)


def test_sums_of_weighed_rows_are_kept(
    tmp_path: Path,
    frame: pd.DataFrame,
    own_cache: Path,  # noqa: ARG001 - in its place
) -> None:
    words = ("dataset.weight=quarters", "cache.moments=true")
    first, second = (drive("scan", asked(tmp_path, frame, *words)) for _ in range(2))
    assert second.ledger.rows_from_cache == len(frame)
    np.testing.assert_array_equal(first.scores.rmse, second.scores.rmse)
    assert second.ledger == first.ledger
    other = drive("scan", asked(tmp_path, frame, "dataset.weight=whole", "cache.moments=true"))
    assert other.ledger.rows_from_cache == 0
    plain = drive("scan", asked(tmp_path, frame, "cache.moments=true"))
    assert plain.ledger.rows_from_cache == 0


def test_the_path_is_laid_by_the_weighed_target(tmp_path: Path, frame: pd.DataFrame) -> None:
    task = asked(tmp_path, frame, "dataset.weight=thirds")
    there = frame.dropna(subset=["y"])
    middle = np.average(there.y, weights=there.thirds)
    wanted = np.average((there.y - middle) ** 2, weights=there.thirds) ** 0.5
    assert target_deviation(task.dataset) == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (-1.0, "row 8: column 'w': -1"),
        (None, "row 8: column 'w': a missing value"),
        (np.inf, "row 8: column 'w': inf"),
    ],
)
def test_what_is_no_weight_is_refused(
    tmp_path: Path, frame: pd.DataFrame, value: float | None, told: str
) -> None:
    weights = frame.assign(w=1.0)
    weights.loc[7, "w"] = value
    with pytest.raises(DataError, match=told):
        asked(tmp_path, weights, "dataset.weight=w")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nome", "no column 'nome'"),
        ("y", "is the target"),
        ("c", "holds large_string"),
        ("zero", "'zero' is 0 in every row"),
    ],
)
def test_what_is_no_column_of_weights_is_refused(
    tmp_path: Path, frame: pd.DataFrame, name: str, told: str
) -> None:
    with pytest.raises(DataError, match=rf"dataset\.weight: .*{told}"):
        asked(tmp_path, frame.assign(zero=0), f"dataset.weight={name}")


def test_a_weight_is_no_feature(tmp_path: Path, frame: pd.DataFrame) -> None:
    frame.to_parquet(tmp_path / "t.parquet")
    words = (f"dataset.path={tmp_path}/t.parquet", "dataset.target=y", "dataset.weight=whole")
    dataset = make_task("dataset=files", *words).dataset
    assert "whole" not in [column.name for column in dataset.features]
    assert "whole: how often a row counts: no feature" in dataset.notes


@pytest.mark.engines("scan", "sequential")
@pytest.mark.parametrize("weight", ["once", "quarters"])
def test_the_answer_tells_rows_as_they_count(
    engine: str, tmp_path: Path, frame: pd.DataFrame, weight: str
) -> None:
    """A whole number of rows without weights; else their sum, in the digits that it has."""
    words = (
        FOLDS["holdout"] if weight == "once" else (*FOLDS["holdout"], f"dataset.weight={weight}")
    )
    task = asked(tmp_path, frame, *words)
    held_out = fold_of_rows(task.dataset, task.folds) == task.folds.k
    used = frame[held_out & frame.y.notna() & (frame[weight] > 0)]
    assert f" on {used[weight].sum():.12g} rows that neither" in headline(drive(engine, task), {})
