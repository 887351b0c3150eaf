"""What is asked of a cross-validation: few lines, each of them true."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tandem.answers import sample
from tandem.checks import findings
from tests.tasks import drive, make_task

ROWS = 600
GRID = "model.reg_param=[1e-6,1e-4,1]"


def found(folder: Path, columns: dict[str, np.ndarray], *overrides: str) -> list[str]:
    """The findings of `scan` on a table of `columns` with target y."""
    pq.write_table(pa.table(columns), folder / "t.parquet")
    options = ("dataset=files", f"dataset.path={folder / 't.parquet'}", "dataset.target=y")
    task = make_task(*options, "model.elastic_net_param=[1.0]", GRID, *overrides)
    result = drive("scan", task)
    return [*findings(result, sample(task.dataset, ["y", *result.model.coefficients]))]


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
    assert "0.1, is the smallest of the grid -> try smaller" in line
    (line,) = found(tmp_path, table, "model.reg_param=[1e-9,0.03]")
    assert "0.03, is the largest of the grid -> try larger" in line
    assert not [x for x in found(tmp_path, table, "model.reg_param=[0,1]") if "grid" in x]


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


def test_collinear_features(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    sum_of_two = table | {"c": table["a"] + table["b"]}
    assert [x for x in found(tmp_path, sum_of_two) if x.startswith("1 of 8 features follow")]
    nearly = table | {"c": table["a"] + 1e-5 * np.random.default_rng(3).normal(size=ROWS)}
    assert [x for x in found(tmp_path, nearly) if "nearly collinear" in x]
