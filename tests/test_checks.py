"""What is asked of a cross-validation: few lines, each of them true."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tandem.checks import remarks
from tandem.dataset.samples import sample
from tests.tasks import drive, make_task

ROWS = 600
GRID = "model.reg_param=[1e-6,1e-4,1]"


def found(
    folder: Path, columns: dict[str, np.ndarray], *overrides: str, engine: str = "scan"
) -> list[str]:
    """The remarks of an engine on a table of `columns` with target y."""
    pq.write_table(pa.table(columns), folder / "t.parquet")
    options = ("dataset=files", f"dataset.path={folder / 't.parquet'}", "dataset.target=y")
    task = make_task(*options, "model.elastic_net_param=[1.0]", GRID, *overrides)
    result = drive(engine, task)
    return [*remarks(result, sample(task.dataset, ["y", *result.model.coefficients]))]


@pytest.fixture
def table() -> dict[str, np.ndarray]:
    """y = a - 2 b + noise + a lasso's reason: useless columns."""
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(size=ROWS) for name in "abcdefgh"}
    return columns | {"y": columns["a"] - 2 * columns["b"] + rng.normal(size=ROWS)}


def test_nothing_is_said_where_all_is_well(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    assert found(tmp_path, table, "model.reg_param=[0.0001,0.03,1]") == []


def test_a_winner_on_the_edge_of_the_grid(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    (line,) = found(tmp_path, table, "model.reg_param=[0.1,1,10]")
    assert "0.1, is the smallest of the grid, and the step to it from 1 lowers RMSE by " in line
    assert line.endswith("-> try smaller ones: model.reg_param=[...], or model.path=20")
    (line,) = found(tmp_path, table, "model.reg_param=[1e-9,0.03]")
    assert "0.03, is the largest of the grid, and the step to it from 1e-09 lowers RMSE by" in line
    assert "-> try larger ones" in line
    assert not [x for x in found(tmp_path, table, "model.reg_param=[0,1]") if "grid" in x]
    assert not [x for x in found(tmp_path, table, "model.reg_param=[0.1]") if "grid" in x]


def test_penalties_that_are_nothing_against_the_target(
    tmp_path: Path, table: dict[str, np.ndarray]
) -> None:
    prices = table | {"y": 1e5 * table["y"]}
    said = found(tmp_path, prices, "model.reg_param=[0.1,0.01]")
    (line,) = (one for one in said if "nothing against" in one)
    assert line.startswith("reg_param 0.1, the largest of the grid, is nothing against the target")
    assert line.endswith("-> model.path=20 lays penalties by the target")
    for grid in ("model.reg_param=[0.1]", "model.reg_param=[1000,1]", "model.path=20"):
        assert not [one for one in found(tmp_path, prices, grid) if "nothing against" in one]


@pytest.mark.parametrize(("gain", "lines"), [(0.09, 0), (0.11, 1)])
def test_the_last_step_to_the_edge_must_gain_a_tenth_of_the_standard_error(
    tmp_path: Path, table: dict[str, np.ndarray], gain: float, lines: int
) -> None:
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    options = ("dataset=files", f"dataset.path={tmp_path / 't.parquet'}", "dataset.target=y")
    result = drive("scan", make_task(*options, "model.reg_param=[1,0.1]", "folds.k=4"))
    at_best = np.array([9.0, 10.0, 10.0, 11.0])
    error = at_best.std(ddof=1) / 2  # sqrt(4 folds)
    # (1, 0), (1, 0.5), (1, 1), (0.1, 0), (0.1, 0.5), (0.1, 1): the best is the fifth.
    worse = (99.0, gain * error, 99.0, 99.0, 0.0, 99.0)
    rmse = at_best[:, None] + np.array(worse)
    judged = replace(result.scores, rmse=rmse, best=4)
    said = remarks(replace(result, scores=judged), sample(result.task.dataset, [*table]))
    assert len([line for line in said if "lowers RMSE" in line]) == lines


def test_a_feature_that_gives_the_target_away(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    rng = np.random.default_rng(1)
    lines = found(tmp_path, table | {"h": 3 * table["y"] + 0.1 * rng.normal(size=ROWS)})
    (line,) = [line for line in lines if "alone explains" in line]
    assert line.startswith("h alone explains ")


def test_no_better_than_the_mean(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    noise = np.random.default_rng(2).normal(size=ROWS)
    lines = found(tmp_path, table | {"y": noise}, "model.reg_param=[1e-6]")
    assert [line for line in lines if "no better than predicting the mean" in line]


def test_folds_that_differ(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    y = table["y"].copy()
    y[5] = 500.0
    assert [x for x in found(tmp_path, table | {"y": y}) if "RMSE differs between folds" in x]


def follows(lines: list[str]) -> list[str]:
    """Which features are said to follow from one another, and how."""
    return [line.split(" (rank")[0] for line in lines if "follow from one another" in line]


def test_a_copy_and_its_column_are_named(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    (line,) = found(tmp_path, table | {"f": table["c"]}, "model.reg_param=[1e-4,0.03,1]")
    assert line.startswith("c and f: they follow from one another (rank 7 of 8 features, ")
    assert "condition number " in line
    assert line.endswith("-> drop a feature (dataset.exclude)")


def test_a_sum_and_its_parts_are_named(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    total = table | {"g": table["a"] + table["b"] - 20 * table["d"]}
    assert follows(found(tmp_path, total)) == ["a, b, d and g: they follow from one another"]


def test_constants_do_not_shift_the_names(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    columns = table | {"a": np.ones(ROWS), "h": 3 * table["c"] + 1e9}
    assert follows(found(tmp_path, columns)) == ["c and h: they follow from one another"]


def test_two_sets_are_two(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    columns = table | {"c": -table["a"], "h": table["d"] + table["f"]}
    said = follows(found(tmp_path, columns))
    assert said == ["a and c; d, f and h: they follow from one another"]


def test_a_long_list_is_cut(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    total = table | {"z": sum(table[name] for name in "abcdefgh")}
    assert follows(found(tmp_path, total)) == [
        "a, b, c, d, e, f and 3 more: they follow from one another"
    ]
    copies = {f"{name}2": table[name] for name in "abcde"}
    (said,) = follows(found(tmp_path, table | copies))
    assert said.startswith("a and a2; b and b2; c and c2; and 2 more such sets: ")


@pytest.mark.engines("scan", "sequential")
def test_every_engine_that_knows_names_the_same(
    engine: str, tmp_path: Path, table: dict[str, np.ndarray]
) -> None:
    """`sequential` knows where it fits without a penalty; a constant column is left out."""
    noise = np.random.default_rng(3).normal(size=ROWS)
    copies = table | {"b": np.ones(ROWS), "f": table["c"], "h": table["d"] + table["e"]}
    nearly = table | {"b": np.ones(ROWS), "g": table["a"] + 1e-5 * noise}
    ols = "model.reg_param=[0]"
    (line,) = found(tmp_path, copies, ols, engine=engine)
    assert line.startswith("c and f; d, e and h: they follow from one another (rank 5 of 7 ")
    assert line.endswith("-> drop a feature (dataset.exclude), or choose model.reg_param above 0")
    (line,) = found(tmp_path, nearly, ols, engine=engine)
    assert line.startswith("a and g: they nearly follow from one another (rank 7 of 7 features, ")


def test_an_encoding_that_does_better_is_named(
    tmp_path: Path, table: dict[str, np.ndarray]
) -> None:
    """From the same sums: the run with it gives that RMSE. One that gains nothing is not named."""
    rng = np.random.default_rng(1)
    city = rng.integers(0, 40, len(table["y"]))
    cities = np.array([f"city {c}" for c in city])
    plain = {**table, "cities": cities}
    assert [line for line in found(tmp_path, plain) if "encoding" in line] == []
    dear = {**plain, "y": table["y"] + 30 * rng.normal(size=40)[city]}
    (line,) = (line for line in found(tmp_path, dear) if "encoding" in line)
    assert line.startswith("cleaning.encoding=target would give an RMSE of ")
    words = ("dataset=files", f"dataset.path={tmp_path}", "dataset.target=y")
    index = drive("scan", make_task(*words))
    grid = (
        f"model.reg_param=[{index.best.reg_param}]",
        f"model.elastic_net_param=[{index.best.elastic_net_param}]",
    )
    target = drive("scan", make_task(*words, *grid, "cleaning.encoding=target"))
    mixed = drive("scan", make_task(*words, *grid, "+cleaning.encodings={cities: target}"))
    levels = drive("scan", make_task(*words, *grid, "cleaning.encoding=one_hot"))
    told = index.facts.encodings
    assert told["one_hot"] == pytest.approx(float(levels.scores.rmse_mean[0]), rel=1e-9)
    assert [*told] == ["index", "one_hot", "target"]
    assert told["index"] == index.scores.rmse_mean[index.scores.best]
    for one in (target, mixed):
        assert told["target"] == pytest.approx(float(one.scores.rmse_mean[0]), rel=1e-9)
        assert told == pytest.approx(dict(one.facts.encodings), rel=1e-9)


def test_without_categories_there_are_no_encodings(
    tmp_path: Path, table: dict[str, np.ndarray]
) -> None:
    found(tmp_path, table)
    words = ("dataset=files", f"dataset.path={tmp_path}", "dataset.target=y")
    assert drive("scan", make_task(*words)).facts.encodings == {}


def test_numbers_that_are_codes_are_named(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    """As categories they tell what a line does not; those that a line follows are left alone."""
    rng = np.random.default_rng(5)
    code, steps = rng.integers(0, 20, (2, len(table["y"])))
    table["y"] = rng.normal(scale=5.0, size=20)[code] + steps + rng.normal(size=len(code))
    lines = found(tmp_path, table | {"code": 98000 + code, "steps": steps})
    (line,) = (line for line in lines if "codes" in line)
    assert line.startswith("code: its 20 numbers explain ")


def test_a_constant_target_and_days_that_go_on_ask_for_nothing(tmp_path: Path) -> None:
    days = np.arange("2020-01-01", "2020-07-19", dtype="datetime64[D]")
    code, y = np.arange(200) % 5, np.random.default_rng(0).normal(size=200)
    assert len(days) == 200
    said = found(tmp_path, {"code": code, "sold": days, "y": np.full(200, 5.0)})
    assert not [line for line in said if "numbers explain" in line]
    said = found(tmp_path, {"code": code, "sold": days, "y": y})
    assert not [line for line in said if "counts the rows" in line]
