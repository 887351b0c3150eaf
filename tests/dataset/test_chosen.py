"""Columns by name, pattern and type, and whole numbers that are text, in every engine."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tandem.dataset.opening import open_dataset
from tandem.errors import DataError
from tandem.records import Dataset, Kind
from tandem.settings import Files
from tests.tasks import drive, make_task


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    zipcode = rng.choice([3005, 4051, 8001], 90)
    frame = pd.DataFrame(
        {
            "y": 10.0 * (zipcode == 4051) + rng.normal(size=90),
            "area": rng.normal(size=90),
            "zipcode": zipcode,
            "city": rng.choice(["Bern", "Basel"], 90),
            "new": rng.random(90) < 0.5,
            "sold": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, 90), "D"),
            "type:date": rng.normal(size=90),
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.parquet"


def opened(path: Path, **keys: tuple[str, ...]) -> Dataset:
    return open_dataset(Files(name="mine", path=str(path), target="y", **keys))


def stored(dataset: Dataset) -> list[str]:
    return [*dict.fromkeys(column.stored for column in dataset.features)]


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        ({"exclude": ("type:text",)}, ["area", "zipcode", "new", "sold", "type:date"]),
        ({"exclude": ("type:number", "new")}, ["city", "sold"]),
        ({"include": ("type:boolean", "type:text")}, ["city", "new"]),
        ({"include": ("*:date",)}, ["type:date"]),
        ({"exclude": ("type:date",)}, ["area", "zipcode", "city", "new", "sold"]),  # its name
        ({"include": ("type:number",), "exclude": ("a*",)}, ["zipcode", "type:date"]),
    ],
)
def test_columns_by_type(path: Path, keys: dict[str, tuple[str, ...]], left: list[str]) -> None:
    assert stored(opened(path, **keys)) == left


def test_dates_are_a_type_with_all_their_parts(path: Path) -> None:
    pd.read_parquet(path).drop(columns="type:date").to_parquet(path)
    assert stored(opened(path, exclude=("type:date",))) == ["area", "zipcode", "city", "new"]
    csv = path.with_suffix(".csv")
    pd.read_csv(csv).drop(columns="type:date").to_csv(csv, index=False)
    found = opened(csv, include=("type:date",))
    assert stored(found) == ["sold"]
    assert "sold.year" in [column.name for column in found.features]


def test_a_type_that_is_not_there(path: Path) -> None:
    with pytest.raises(DataError) as caught:
        opened(path, exclude=("type:dates",))
    assert str(caught.value) == (
        "dataset.exclude: there is no column of 'type:dates'; did you mean 'type:date'? -> some of "
        "type:number, type:text, type:boolean, type:date"
    )


def test_whole_numbers_that_are_text(engine: str, path: Path) -> None:
    """Of both kinds of files, and their levels by themselves, not by their size."""
    errors = []
    for file in (path, path.with_suffix(".csv")):
        words = ("dataset=files", f"dataset.path={file}", "dataset.target=y", "folds.k=2")
        grid = ("model.reg_param=[0.01]", "model.elastic_net_param=[0]")
        text = ("dataset.text=[zipcode]", "cleaning.encoding=one_hot", "dataset.exclude=[sold,new]")
        task = make_task(*words, *grid, *text)
        kinds = {column.name: column.kind for column in task.dataset.features}
        assert kinds["zipcode"] is Kind.CATEGORICAL
        found = drive(engine, task)
        assert {*found.model.levels["zipcode"]} == {"3005", "4051", "8001"}
        errors.append(found.scores.rmse_mean[0])
    assert errors[0] == pytest.approx(errors[1], rel=1e-6)
    assert errors[0] < 2.0  # by size it would be about 4


@pytest.mark.parametrize("name", ["area", "sold", "nothing"])
def test_what_cannot_be_text(path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"^dataset\.text: "):
        opened(path, text=(name,))
