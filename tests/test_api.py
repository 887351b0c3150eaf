"""tandem from Python: the answers and messages of the commands, on paths and frames."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import tandem
from tandem.errors import ConfigurationError, DataError
from tests.shell import runs
from tests.tasks import drive, houses, make_task


@pytest.fixture(scope="module", name="houses")
def table() -> pd.DataFrame:
    return houses()


@pytest.mark.engines("scan", "sequential")
def test_a_run_is_the_answer_of_the_command(engine: str, place: Path, houses: pd.DataFrame) -> None:
    houses.to_csv("houses.csv", index=False)
    found = tandem.run("houses.csv", target="price", engine=engine, folds={"k": 4})
    words = ("dataset=files", f"dataset.path={place}/houses.csv", "dataset.target=price")
    known = drive(engine, make_task(*words, "folds.k=4", "cleaning.encoding=null"))
    assert found.rmse == known.scores.rmse_mean[known.scores.best]
    assert found.r2 == known.scores.r2[:, known.scores.best].mean()
    told, model = found.coefficients, known.model
    worth = found.statistics.get("partial_r2")
    assert (worth is not None) == (engine == "scan")
    assert worth is None or (worth["area"] > 0.9 > worth["rooms"] > 0.1)
    assert [*told.index] == ["area", "rooms", "city=(missing)", "city=Bern", "city=Basel"]
    assert told["rooms"] == model.coefficients["rooms"]
    assert told["city=Bern"] == model.encodings["city"][model.levels["city"].index("Bern")]
    assert len(found.folds) == 4 * 6
    assert found.folds.groupby(["reg_param", "elastic_net_param"])["rmse"].mean().min() == (
        pytest.approx(found.rmse)
    )
    (run,) = runs("run")
    assert run.info.run_id == found.run_id
    assert repr(found).splitlines()[0] == f"price of houses, by {engine}"
    assert "<pre>" in found._repr_html_()
    assert "data:image/png;base64," in found._repr_html_()
    predicted = tandem.load(found.run_id or "").predict(houses[["area", "rooms", "city"]])
    assert np.corrcoef(predicted, houses["price"])[0, 1] > 0.9
    (row,) = tandem.runs().to_dict("records")
    assert (row["engine"], row["dataset"], row["rows"]) == (engine, "houses", 90)
    assert row["rmse"] == found.rmse


def test_a_frame_is_as_good_as_a_file_and_nothing_is_tracked_unasked(
    place: Path, houses: pd.DataFrame
) -> None:
    frames = (houses, pa.Table.from_pandas(houses))
    found = [tandem.run(frame, target="price", track=False) for frame in frames]
    assert found[0].rmse == found[1].rmse
    assert found[0].run_id is None
    assert runs("run") == []
    assert not (place / "houses.csv").exists()
    with pytest.raises(DataError, match="data: dict: no path and no frame"):
        tandem.run({"price": [1]}, target="price")


ODD = {
    "mixed": lambda frame: frame.assign(mixed=[1, "a"] * 45),
    "cut": lambda frame: frame.assign(cut=pd.cut(frame.area, 5)),
    "sparse": lambda frame: frame.assign(sparse=pd.arrays.SparseArray([0, 1] * 45)),
    "imaginary": lambda frame: frame.assign(imaginary=1j * frame.area),
}


@pytest.mark.parametrize("name", ODD)
def test_a_column_that_is_none_is_named(houses: pd.DataFrame, name: str) -> None:
    told = rf"data: column '{name}' holds what Parquet cannot \(.*\) -> make it text with"
    with pytest.raises(DataError, match=told):
        tandem.run(ODD[name](houses), "price", track=False)


def test_what_is_no_frame_or_no_target_is_said(houses: pd.DataFrame) -> None:
    frames = {
        "there are two columns 'area' -> rename": pd.concat([houses, houses[["area"]]], axis=1),
        "the frame holds no row -> ": houses[:0],
        "data: Series: no path and no frame": houses.price,
        "Parquet cannot hold its index -> ": houses.set_index(1j * houses.area),
    }
    for told, frame in frames.items():
        with pytest.raises(DataError, match=told):
            tandem.run(frame, "price", track=False)
    for target, told in (
        (None, "none is given"),
        (houses.price, "Series: -> the name of a column"),
    ):
        with pytest.raises(ConfigurationError, match=f"target: {told}"):
            tandem.run(houses, target, track=False)


def test_a_result_predicts_as_the_model_of_the_store(houses: pd.DataFrame) -> None:
    found = tandem.run(houses, "price", engine="scan")
    rows = houses.drop(columns="price").assign(city="Atlantis")
    rows.loc[3, "area"] = None
    assert found.predict(rows).tolist() == tandem.load(found.run_id).predict(rows).tolist()


def test_a_frame_with_groups_and_a_hold_out(houses: pd.DataFrame) -> None:
    who = houses.assign(owner=[f"owner {n // 2}" for n in range(len(houses))])
    folds = {"kind": "group", "column": "owner", "holdout": 0.3}
    scores = {"mape": True, "median_ae": True}
    asked = {"engine": "scan", "track": False, "folds": folds, "scores": scores}
    result = tandem.run(who, target="price", **asked)
    assert [*result.folds][-2:] == ["mape", "median_ae"]
    assert "owner" not in result.coefficients
    assert result.holdout["rows"] % 2 == 0
    assert result.holdout["rmse"] > 0


def test_a_bad_key_gets_the_message_of_the_command(houses: pd.DataFrame) -> None:
    with pytest.raises(ConfigurationError, match=r"folds\.kk: there is no such key; did you mean"):
        tandem.run(houses, target="price", folds={"kk": 3})
    with pytest.raises(ConfigurationError, match=r"folds\.k: 1: must be at least 2"):
        tandem.run(houses, target="price", folds={"k": 1})
    with pytest.raises(ConfigurationError, match=r"engine=scann: .* did you mean 'scan'"):
        tandem.run(houses, target="price", engine="scann")
    with pytest.raises(DataError, match="there is no column 'Price \\(USD\\)'"):
        tandem.run(houses, target="Price (USD)")


@pytest.mark.slow
def test_a_comparison_and_a_sweep(place: Path, houses: pd.DataFrame) -> None:
    houses.to_csv("houses.csv", index=False)
    found = tandem.compare("houses.csv", target="price", engines=["scan", "sequential"])
    assert found.parity
    assert [*found.table.columns] == ["scan", "sequential"]
    assert "Every engine gives the same answer: RMSE agrees to" in found.report
    over = {"folds.k": [2, 3], "cleaning.fit_on": ["train", "all"]}
    jobs = tandem.sweep("houses.csv", target="price", over=over, engine="scan")
    assert sorted(jobs["folds"]) == ["2", "2", "3", "3"]
    assert jobs["rmse"].is_monotonic_increasing
    (parent,) = runs("sweep")
    assert parent.info.run_name == "sweep-folds.k-cleaning.fit_on"
    assert parent.data.tags["sweep.best_run_id"] == jobs["run_id"][0]
    assert place.exists()


def test_an_answer_does_not_go_with_the_store(
    place: Path,  # noqa: ARG001 - in it
    own_cache: Path,
    houses: pd.DataFrame,
) -> None:
    away = {"uri": "http://127.0.0.1:9"}
    with pytest.warns(UserWarning, match="the record is in .* -> tandem send"):
        found = tandem.run(houses, target="price", tracking=away)
    assert found.rmse == tandem.run(houses, target="price", track=False).rmse
    assert found.run_id is None
    assert len([*(own_cache / "outbox").iterdir()]) == 1
    assert not runs("run")
