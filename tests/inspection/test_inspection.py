"""What is said of every column, against pandas' own figures on the same table."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tandem.config import compose, words
from tandem.dataset import open_dataset
from tandem.inspection import Inspected, Inspection, inspect
from tandem.inspection.bins import MOST, bins
from tandem.inspection.distinct import FEW, values_of
from tandem.inspection.levels import Categories
from tests.tasks import synthetic


def looked(path: Path, target: str | None = "y", *more: str, threads: int = 2) -> Inspection:
    given = [f"dataset.target={target}"] if target else []
    where = ("command=inspect", "dataset=files", f"dataset.path={path}")
    settings = compose(*words([*where, *given, *more])).settings
    return inspect(
        open_dataset(settings.dataset, to_look=True),
        settings.cleaning,
        target=target is not None,
        threads=threads,
        advance=lambda _: None,
    )


def by_name(found: Inspection) -> dict[str, Inspected]:
    return {one.name: one for one in found.columns}


def eta(levels: pd.Series, y: pd.Series) -> float:
    """The correlation ratio as it is defined, over the rows that have both."""
    both = levels.notna() & y.notna()
    y, groups = y[both], y[both].groupby(levels[both].astype(str))
    between = (groups.count() * (groups.mean() - y.mean()) ** 2).sum()
    return float(np.sqrt(between / ((y - y.mean()) ** 2).sum()))


@pytest.mark.parametrize("threads", [1, 2])
def test_the_figures_are_those_of_pandas(tmp_path: Path, threads: int) -> None:
    """Of a table of three files with every trap: NaN and null, constants, gaps in the target."""
    synthetic(tmp_path / "data", rows=3000, seed=1, files=3)
    found = looked(tmp_path / "data", threads=threads)
    table = pd.concat(map(pd.read_parquet, sorted((tmp_path / "data").iterdir())))
    table.index = pd.RangeIndex(len(table))
    y = table["y"].astype(float)
    assert {one.name for one in found.columns} == {*table.columns}
    for one in found.columns:
        column = table[one.name]
        assert one.missing == column.isna().sum()
        assert one.distinct.exact
        assert one.distinct.count == column.nunique()
        assert sum(one.shape) == column.notna().sum()
        if one.type in {"integer", "number"}:
            x = column.astype(float)
            figures = [one.minimum, one.mean, one.maximum, one.deviation]
            wanted = [x.min(), x.mean(), x.max(), x.std()]
            assert figures == pytest.approx(wanted, rel=1e-12, abs=1e-12)
            wanted_correlation = x.corr(y)
        else:
            counts = column.value_counts()
            assert [rows for _, rows in one.most] == counts.tolist()[:16]
            wanted_correlation = eta(column, y)
        if one.name in {"y", "constant", "constant with gaps"}:
            assert one.correlation is None
        else:
            assert one.correlation == pytest.approx(wanted_correlation, rel=1e-9, abs=1e-9)


def test_a_column_far_from_zero_keeps_its_digits(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=40_000)
    y = x + rng.normal(size=40_000)
    # Sorted, so that the pieces have other means than the whole.
    table = pd.DataFrame({"y": y + 1e9, "x": 1e12 + np.round(x, 3)}).sort_values("x")
    table.to_parquet(tmp_path / "t.parquet", index=False, row_group_size=7000)
    one = by_name(looked(tmp_path / "t.parquet"))["x"]
    near = pd.DataFrame({"x": table["x"] - 1e12, "y": table["y"] - 1e9})
    assert one.deviation == pytest.approx(near["x"].std(), rel=1e-9)
    assert one.correlation == pytest.approx(near["x"].corr(near["y"]), rel=1e-9)


def small(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    y = rng.normal(100, 20, rows)
    return pd.DataFrame(
        {
            "y": y,
            "leak": 1.08 * y + rng.normal(0, 0.01, rows),
            "honest": y + rng.normal(0, 20, rows),
            "id": np.arange(rows),
            "code": [f"k{row}" for row in range(rows)],
            "same": 1,
            "day": pd.date_range("2020-01-01", periods=rows // 4).repeat(4).strftime("%Y-%m-%d"),
            "band": np.where(y > 100, "high", "low"),
            "town": rng.choice(["Bern", "Basel", None], rows),
            "gaps": np.where(rng.random(rows) < 0.2, np.nan, y),
            "half": np.where(rng.random(rows) < 0.9, np.nan, 1.5),
        }
    )


def test_what_is_doubtful_is_said_once(tmp_path: Path) -> None:
    small().drop(columns="gaps").to_parquet(tmp_path / "t.parquet", index=False)
    columns = by_name(looked(tmp_path / "t.parquet"))
    said = {name: one.remarks for name, one in columns.items() if one.remarks}
    assert said.keys() == {"leak", "id", "code", "same", "day", "half"}
    assert said["leak"][0].startswith("leak alone explains 100.0% of the target (400 rows)")
    assert said["id"] == ("id counts the rows: is it a feature? -> if not, dataset.exclude=[id]",)
    assert said["code"][0].startswith("code has 400 distinct values in 400 rows")
    assert "constant" in said["same"][0]
    assert "holds dates as text" in said["day"][0]
    assert columns["day"].type == "date as text"


def test_the_plan_is_that_of_a_run(tmp_path: Path) -> None:
    small().to_parquet(tmp_path / "t.parquet", index=False)
    columns = by_name(looked(tmp_path / "t.parquet", "y", "cleaning.encodings={town: target}"))
    assert columns["y"].becomes == "target"
    assert columns["gaps"].becomes == "impute mean"
    assert columns["half"].becomes == "drop column"
    assert columns["half"].reason.endswith("above 60%")
    assert columns["town"].becomes == "encode by mean target"
    assert columns["code"].becomes == "a 0/1 feature per level"


def test_without_a_target_every_column_is_a_feature(tmp_path: Path) -> None:
    small().to_parquet(tmp_path / "t.parquet", index=False)
    found = looked(tmp_path / "t.parquet", None)
    assert found.target is None
    assert {one.correlation for one in found.columns} == {None}
    assert "target" not in {one.becomes for one in found.columns}
    assert not any("explains" in line for one in found.columns for line in one.remarks)


def test_what_a_run_refuses_is_looked_at(tmp_path: Path) -> None:
    """Lists, infinite values, a table without any feature left."""
    when = [[1]] * 4
    x, gone = [1.0, np.inf, -np.inf, 2.0], [np.nan] * 4
    table = pd.DataFrame({"y": [1, 2, 3, 5], "x": x, "when": when, "gone": gone})
    table.to_parquet(tmp_path / "t.parquet", index=False)
    found = looked(tmp_path / "t.parquet")
    assert any(
        note.startswith("column 'when' holds list") and note.endswith("dataset.exclude=[when]")
        for note in found.notes
    )
    x_found = by_name(found)["x"]
    assert "2 infinite value(s)" in x_found.remarks[0]
    assert (x_found.minimum, x_found.maximum, x_found.mean) == (1.0, 2.0, 1.5)
    table[["y", "gone"]].to_parquet(tmp_path / "t.parquet", index=False)
    gone_found = by_name(looked(tmp_path / "t.parquet"))["gone"]
    assert (gone_found.type, gone_found.becomes, gone_found.shape) == ("empty", "drop column", ())


def test_decimals_and_small_integers(tmp_path: Path) -> None:
    quarters = [None, *(Decimal(row) / 4 for row in range(199))]
    prices = pa.array(quarters, pa.decimal128(20, 2))
    small_ones = pa.array(np.arange(200) - 100, pa.int8())
    y = pa.array(np.arange(200.0) % 7)
    pq.write_table(pa.table({"y": y, "price": prices, "i": small_ones}), tmp_path / "t.parquet")
    columns = by_name(looked(tmp_path / "t.parquet"))
    price, i = columns["price"], columns["i"]
    assert (price.minimum, price.maximum, price.type) == (0.0, 49.5, "number")
    assert (price.distinct.count, i.distinct.count) == (199, 200)
    assert (i.minimum, i.maximum, sum(i.shape)) == (-100, 99, 200)


def test_parts_of_a_histogram_add_exactly() -> None:
    rng = np.random.default_rng(0)
    for x in (rng.normal(size=999), rng.integers(-5, 5, 999) * 1.0, 1e9 + rng.random(999)):
        whole = bins(x, None, float(x.min()), float(x.max()))
        parts = [bins(part, None, float(part.min()), float(part.max())) for part in (
            x[:1], x[1:5], x[5:400], x[400:])]  # fmt: skip
        assert parts[0] + parts[1] + parts[2] + parts[3] == whole
        assert 1 <= len(whole.rows) <= MOST
        edges = np.ldexp(whole.first + np.arange(len(whole.rows) + 1.0), whole.width)
        assert np.histogram(x, edges)[0].tolist() == [*whole.rows]


def test_too_many_values_are_a_bound(tmp_path: Path) -> None:
    rows = 5 * FEW
    rng = np.random.default_rng(0)
    x = rng.random(rows)
    assert values_of(x) is None
    assert values_of(np.arange(rows)) is not None  # dense
    assert values_of(np.arange(rows) * 1.0) is not None
    table = pd.DataFrame({"y": rng.random(rows), "x": x, "id": rng.permutation(rows)})
    table.to_parquet(tmp_path / "t.parquet", index=False)
    columns = by_name(looked(tmp_path / "t.parquet"))
    assert str(columns["x"].distinct) == "over 10,000"
    assert str(columns["id"].distinct) == f"{rows:,}"
    # The same of many small parts.
    table.to_parquet(tmp_path / "t.parquet", index=False, row_group_size=3000)
    small_parts = by_name(looked(tmp_path / "t.parquet"))
    assert small_parts["x"].distinct == columns["x"].distinct
    assert small_parts["id"].distinct == columns["id"].distinct


def test_too_many_levels_are_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tandem.inspection.levels.MOST_LEVELS", 100)
    small().to_parquet(tmp_path / "t.parquet", index=False, row_group_size=150)
    columns = by_name(looked(tmp_path / "t.parquet"))
    assert str(columns["code"].distinct) == "over 100"
    assert columns["code"].correlation is None
    assert "it tells rows apart" in columns["code"].remarks[0]
    assert columns["band"].distinct.exact


def test_nothing_goes_with_a_constant(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, town = rng.random(5000), rng.choice(["a", "b"], 5000)
    table = pd.DataFrame({"y": 0.1, "x": x, "town": town, "c": 1e9 / 3})
    table.to_parquet(tmp_path / "t.parquet", index=False, row_group_size=1700)
    assert {one.correlation for one in looked(tmp_path / "t.parquet").columns} == {None}
    columns = by_name(looked(tmp_path / "t.parquet", "x"))
    assert (columns["c"].correlation, columns["c"].deviation) == (None, 0.0)


def test_no_rows_are_no_level() -> None:
    found = Categories()
    assert (found.most, found.correlation, found.explained) == ((), None, 0.0)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i8", "u4", "u8"])
def test_distinct_values_are_those_of_numpy(dtype: str) -> None:
    values = np.array([30, 7, 0, 7, 100, 30, 7] * 50, dtype)
    if dtype.startswith("f"):
        values = np.concatenate([values / 8, [-0.0, 0.5]]).astype(dtype)
    for some in (values, values[::2]):
        told = values_of(some)
        expected = np.unique(some, return_counts=True)
        assert told is not None
        assert [one.tolist() for one in told] == [one.tolist() for one in expected]
