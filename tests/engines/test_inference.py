"""Standard errors and partial R2, by their definitions and by certified values."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tandem.dataset import fold_of_rows
from tandem.records import Array
from tandem.reporting.charts import weightiest
from tandem.reporting.run_texts import coefficients, correlations
from tandem.results import Inference, Result
from tests.tasks import drive, make_task

NIST = Path(__file__).parents[2] / "experiments" / "accuracy" / "nist"
OLS = ("model.reg_param=[0]", "model.elastic_net_param=[0]", "folds.k=2")
only = pytest.mark.engines("scan", "distributed_scan")


def found(engine: str, folder: Path, frame: pd.DataFrame, *words: str) -> Result:
    frame.to_parquet(folder / "t.parquet")
    data = ("dataset=files", f"dataset.path={folder}/t.parquet", "dataset.target=y")
    return drive(engine, make_task(*data, *OLS, *words))


def told(result: Result) -> Inference:
    assert result.facts.inference is not None
    return result.facts.inference


def r2(x: Array, y: Array) -> float:
    x = np.column_stack([np.ones(len(y)), x])
    left = y - x @ np.linalg.lstsq(x, y)[0]
    return 1.0 - float(left @ left) / float(np.sum((y - y.mean()) ** 2))


@only
@pytest.mark.parametrize("name", ["Longley", "Norris"])
def test_certified_standard_errors(engine: str, tmp_path: Path, name: str) -> None:
    frame = pd.read_csv(NIST / f"{name}.csv")
    certified = json.loads((NIST / "certified.json").read_text("utf-8"))["datasets"][name][
        "coef_sd"
    ]
    result = found(engine, tmp_path, frame.astype(float))
    assert told(result).errors == pytest.approx([*map(float, certified[1:])], rel=1e-9)


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3)) @ rng.normal(size=(3, 3)) * (1.0, 50.0, 1e-3) + 7.0
    y = x @ (1.0, 0.02, 300.0) + rng.normal(size=80)
    return pd.DataFrame({**dict(zip("abc", x.T, strict=True)), "y": y})


def test_by_their_definitions(tmp_path: Path, frame: pd.DataFrame) -> None:
    x, y = frame[[*"abc"]].to_numpy(), frame.y.to_numpy()
    centred = x - x.mean(axis=0)
    left = y - y.mean() - centred @ np.linalg.lstsq(centred, y - y.mean())[0]
    errors = np.sqrt(left @ left / 76 * np.linalg.inv(centred.T @ centred).diagonal())
    partial = []
    for j in range(3):
        without = r2(np.delete(x, j, axis=1), y)
        partial.append((r2(x, y) - without) / (1.0 - without))
    result = found("scan", tmp_path, frame)
    assert told(result).degrees == 76
    assert told(result).errors == pytest.approx(errors, rel=1e-9)
    assert told(result).partial_r2 == pytest.approx(partial, rel=1e-8)
    table = coefficients(result).set_index("feature")
    half = 1.9916726 * errors  # of the t distribution with 76 degrees of freedom, R's qt(0.975, 76)
    assert (table.high_95 - table.coefficient).to_numpy() == pytest.approx(half, rel=1e-6)
    assert (table.coefficient - table.low_95).to_numpy() == pytest.approx(half, rel=1e-6)
    scaled = table.coefficient * x.std(axis=0) / y.std()
    assert table.standardised.to_numpy() == pytest.approx(scaled.to_numpy(), rel=1e-9)


@pytest.mark.parametrize(
    ("words", "bar"), [((), "95 % interval"), (("model.reg_param=[1]",), "range over the training")]
)
def test_the_weightiest_are_drawn_first(
    tmp_path: Path, frame: pd.DataFrame, words: tuple[str, ...], bar: str
) -> None:
    table = coefficients(found("scan", tmp_path, frame.assign(nothing=1.0), *words))
    (axes,) = weightiest(table).axes
    order = table.loc[table.standardised.abs().sort_values().index, "feature"]
    assert [label.get_text() for label in axes.get_yticklabels()] == [*order]
    assert bar in axes.get_xlabel()
    (bars,) = axes.collections
    ends = [sorted(x for x, _ in segment.tolist()) for segment in bars.get_segments()]
    points = axes.lines[-1].get_xdata()
    inside = [end and end[0] <= x <= end[1] for end, x in zip(ends, points, strict=True)]
    assert sum(map(bool, inside)) >= 3  # a constant has no error


def test_a_penalty_leaves_what_a_feature_is_worth(tmp_path: Path, frame: pd.DataFrame) -> None:
    plain, ridge = (
        told(found("scan", tmp_path, frame, f"model.reg_param=[{penalty}]")) for penalty in (0, 1)
    )
    assert np.isnan(ridge.errors).all()
    assert ridge.partial_r2 == pytest.approx(plain.partial_r2)


def test_what_cannot_be_told_is_left_open(tmp_path: Path, frame: pd.DataFrame) -> None:
    """Of features that follow from others, of constants; the rest is as without them."""
    alone = told(found("scan", tmp_path, frame[["a", "y"]]))
    frame = frame.assign(d=frame.b + 2.0 * frame.c, e=5.0)
    one = told(found("scan", tmp_path, frame))
    assert np.isnan(one.errors).tolist() == [False, True, True, True, True]
    assert one.degrees == 76
    rest = told(found("scan", tmp_path, frame.drop(columns=["d", "e"])))
    assert one.errors[0] == pytest.approx(rest.errors[0], rel=1e-8)
    assert one.errors[0] != pytest.approx(alone.errors[0], rel=1e-3)


def test_levels_follow_from_one_another_and_numbers_do_not(
    tmp_path: Path, frame: pd.DataFrame
) -> None:
    """As with one level left out, by which others are counted."""
    city = np.random.default_rng(1).choice(["Bern", "Basel", "Chur"], 80)
    one = told(found("scan", tmp_path, frame.assign(city=city), "cleaning.encoding=one_hot"))
    dummies = pd.get_dummies(city).to_numpy(float)[:, 1:]
    x = np.column_stack([frame[[*"abc"]], dummies])
    x = x - x.mean(axis=0)
    left = (y := frame.y - frame.y.mean()) - x @ np.linalg.lstsq(x, y)[0]
    errors = np.sqrt(left @ left / 74 * np.linalg.inv(x.T @ x).diagonal())
    assert one.degrees == 74
    assert one.errors[:3] == pytest.approx(errors[:3], rel=1e-8)
    assert np.isnan(one.errors[3:]).all()


def test_nothing_is_told_of_an_exact_fit(tmp_path: Path) -> None:
    a = np.arange(20.0)
    one = told(found("scan", tmp_path, pd.DataFrame({"a": a, "b": a**2, "y": 2.0 * a - 1.0})))
    assert np.isnan(one.errors).all()
    assert np.isnan(one.partial_r2).all()


def hc1(x: Array, y: Array) -> Array:
    """Of the slopes: n / (n - p - 1) (X'X)^-1 X' diag(e^2) X (X'X)^-1, the roots of its diagonal.

    Of X and y about their means, X over its deviations, so that no digits are lost.
    """
    scale = x.std(axis=0)
    z, y = (x - x.mean(axis=0)) / scale, y - y.mean()
    inverse = np.linalg.pinv(z)
    spread = (inverse * (y - z @ (inverse @ y)) ** 2) @ inverse.T
    found: Array = np.sqrt(spread.diagonal() * len(y) / (len(y) - x.shape[1] - 1)) / scale
    return found


@only
@pytest.mark.parametrize("words", [(), ("folds.holdout=0.2",), ("cleaning.encoding=one_hot",)])
def test_robust_errors_by_their_definition(
    engine: str, tmp_path: Path, frame: pd.DataFrame, words: tuple[str, ...]
) -> None:
    """A spread that grows with a feature, a feature with gaps, a category, several row groups."""
    rng = np.random.default_rng(4)
    city = rng.choice(["Bern", "Basel", "Chur"], len(frame), p=[0.5, 0.3, 0.2])
    noise = rng.normal(size=len(frame)) * np.abs(frame.a - 7.0) * 5.0
    table = frame.assign(city=city, y=frame.y + noise)
    table.loc[rng.random(len(frame)) < 0.2, "b"] = np.nan
    result = found(engine, tmp_path, table, "scores.robust_errors=true", *words)
    part = fold_of_rows(result.task.dataset, result.task.folds)
    table = table[part < result.task.folds.k]
    filled = table[[*"abc"]].fillna(table.b.mean()).to_numpy()
    counts = table.city.value_counts().sort_index()
    order = [*counts.sort_values(ascending=False, kind="stable").index]
    if result.plan.one_hot:
        codes = np.column_stack([(table.city == level).astype(float) for level in order[1:]])
    else:
        codes = table.city.map(order.index).to_numpy(float)[:, None]
    wanted = hc1(np.column_stack([filled, codes]), table.y.to_numpy())
    errors = coefficients(result).set_index("feature").robust_error
    assert errors[[*"abc"]].to_numpy() == pytest.approx(wanted[:3], rel=1e-9)
    if not result.plan.one_hot:
        assert errors.city == pytest.approx(wanted[3], rel=1e-9)
    assert abs(told(result).errors[:3] / wanted[:3] - 1.0).max() > 0.03  # the others are not it


def test_robust_errors_are_not_told_with_a_penalty(tmp_path: Path, frame: pd.DataFrame) -> None:
    words = ("scores.robust_errors=true", "model.reg_param=[0.1]")
    assert told(found("scan", tmp_path, frame, *words)).robust is None


@only
def test_correlations_of_the_cleaned_features(
    engine: str, tmp_path: Path, frame: pd.DataFrame
) -> None:
    rng = np.random.default_rng(4)
    city = rng.choice(["Bern", "Basel", "Chur"], len(frame), p=[0.5, 0.3, 0.2])
    table = frame.assign(city=city, one=1.0)
    table.loc[rng.random(len(frame)) < 0.2, "b"] = np.nan
    result = found(engine, tmp_path, table, "cleaning.encoding=one_hot")
    shown = correlations(result).set_index("feature")
    filled = table[[*"abc"]].fillna({"b": table.b.mean()})
    levels = [name.removeprefix("city=") for name in shown.index if name.startswith("city=")]
    assert {*levels} == {*city}
    wanted = filled.assign(**{f"city={level}": table.city == level for level in levels}, y=table.y)
    names = [name for name in shown.index if name != "one"]
    np.testing.assert_allclose(shown.loc[names, names], wanted[names].corr(), atol=1e-12)
    assert shown.loc["one"].isna().all()
    assert shown.index[-1] == "y"


def test_correlations_leave_out_levels_of_the_hold_out_alone(
    tmp_path: Path, frame: pd.DataFrame
) -> None:
    words = ("cleaning.encoding=one_hot", "folds.holdout=0.2")
    plain = found("scan", tmp_path, frame.assign(city="Bern"), *words)
    held = fold_of_rows(plain.task.dataset, plain.task.folds) == plain.task.folds.k
    city = np.where(held, "held out", np.where(frame.index % 2 == 0, "Bern", "Basel"))
    table = correlations(found("scan", tmp_path, frame.assign(city=city), *words))
    assert [*table.feature] == [*table.columns[1:]]
    assert {"city=Bern", "city=Basel"} < {*table.feature}
    assert "city=held out" not in {*table.feature}
