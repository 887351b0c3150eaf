"""A category that decides the target, against what a data scientist would write for it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tandem.dataset import fold_of_rows
from tandem.model import predict
from tests.tasks import drive, make_task, truth_of

ROWS, REG_PARAM = 2000, 1000.0


def houses() -> pd.DataFrame:
    """2,000 houses in 70 postal codes, each with a price level of its own; some are rare."""
    rng = np.random.default_rng(0)
    place = np.minimum(rng.geometric(0.05, ROWS) - 1, 69)
    area, rooms = rng.integers(40, 250, ROWS), rng.integers(1, 8, ROWS)
    level = rng.normal(scale=120_000, size=70)[place]
    price = 2500 * area + 10_000 * rooms + level + rng.normal(scale=60_000, size=ROWS)
    codes = np.array([f"98{code:03}" for code in range(70)])[place]
    return pd.DataFrame({"price": price.round(), "area": area, "rooms": rooms, "zipcode": codes})


@pytest.mark.engines("scan", "sequential")
@pytest.mark.parametrize("max_levels", [100, 5])  # without ties at the limit
def test_a_pipeline_of_scikit_learn_finds_the_same(
    engine: str, tmp_path: Path, max_levels: int
) -> None:
    """By default; with every level, and with rare ones together."""
    table = houses()
    table.to_parquet(tmp_path / "houses.parquet", index=False)
    words = ("dataset=files", f"dataset.path={tmp_path}", "dataset.target=price", "folds.k=5")
    grid = (f"model.reg_param=[{REG_PARAM}]", "model.elastic_net_param=[0]")
    default = ("cleaning.encoding=null", f"cleaning.max_levels={max_levels}")
    task = make_task(*words, *grid, *default)
    result = drive(engine, task)
    # Dense: on a sparse matrix Ridge iterates, and stops early.
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=max_levels + 1, sparse_output=False
    )
    fold = fold_of_rows(task.dataset, task.folds)
    for number, found in enumerate(result.scores.rmse[:, 0]):
        train, test = table[fold != number], table[fold == number]
        pipeline = make_pipeline(
            make_column_transformer((encoder, ["zipcode"]), remainder="passthrough"),
            StandardScaler(with_mean=False),
            Ridge(alpha=REG_PARAM * len(train) / train["price"].std(ddof=0)),
        )
        pipeline.fit(train.drop(columns="price"), train["price"])
        wanted = root_mean_squared_error(test["price"], pipeline.predict(test))
        assert found == pytest.approx(wanted, rel=1e-9)
    index = drive(engine, make_task(*words, *grid, "cleaning.encoding=index"))
    assert index.scores.rmse.mean() > result.scores.rmse.mean()


@pytest.mark.engines("scan")
@pytest.mark.parametrize("reg_param", [1e-4, 0.01, 1.0, 1000.0])
def test_a_lasso_is_solved_to_the_end(engine: str, tmp_path: Path, reg_param: float) -> None:
    """However small its penalty is against the target: one weight of every set ends at 0."""
    table = houses()
    table["heating"] = np.array(["gas", "oil", "wood"])[np.arange(ROWS) % 3]
    table["garden"] = table["area"] % 2 == 0
    table["sold"] = pd.date_range("2019-01-01", "2023-12-31", periods=ROWS).date
    table.to_parquet(tmp_path / "houses.parquet", index=False)
    words = ("dataset=files", f"dataset.path={tmp_path}", "dataset.target=price")
    grid = (f"model.reg_param=[{reg_param}]", "model.elastic_net_param=[1]")
    result = drive(engine, make_task(*words, *grid, "cleaning.encoding=one_hot"))
    assert result.sums.unconverged == 0
    assert 0.0 in result.model.encodings["heating"][:3]


@pytest.mark.engines("scan", "sequential", "distributed")
@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_whole_numbers_are_codes_where_an_encoding_says_so(
    engine: str, tmp_path: Path, form: str
) -> None:
    """With gaps; the model takes them as numbers too, which pandas makes of them."""
    table = houses()[:400]
    table["zipcode"] = table["zipcode"].astype("Int64").mask(table.index % 9 == 0)
    path = tmp_path / f"houses.{form}"
    table.to_parquet(path, index=False) if form == "parquet" else table.to_csv(path, index=False)
    words = ("dataset=files", f"dataset.path={path}", "dataset.target=price")
    grid = ("model.reg_param=[1000]", "model.elastic_net_param=[0]")
    task = make_task(*words, *grid, "+cleaning.encodings={zipcode: one_hot}")
    result, truth = drive(engine, task), truth_of(task)
    np.testing.assert_allclose(result.scores.rmse, truth.rmse, rtol=1e-6)
    assert "98000" in result.model.levels["zipcode"]
    features = table.drop(columns="price")
    floats = features.assign(zipcode=features["zipcode"].astype("float64"))
    texts = features.assign(zipcode=features["zipcode"].astype("string"))
    np.testing.assert_array_equal(predict(result.model, floats), predict(result.model, texts))
