"""Whole numbers and decimals are summed exactly, and no order of rows shows in any bit."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tandem.fold_keys import Folds
from tandem.moments.moments import Moments
from tandem.moments.slices import EXACT
from tandem.oracle_folds import folds_of
from tandem.scan.arrow import numbers
from tandem.solver.recentre import recentred
from tests.engines.test_scan import check, identical
from tests.moments.test_moments import Table, same
from tests.tasks import drive, make_task, truth_of

OLS = ("model.reg_param=[0]", "model.elastic_net_param=[0]")


@given(st.integers(-30, 30), st.integers(0, 3))
def test_moments_about_any_shift_are_moved_to_the_same(shift: int, seed: int) -> None:
    table = Table(200, seed, whole=True)
    here, vector = recentred(table.moments(), table.vector())
    there, moved = recentred(table.moments(shift=shift), table.vector(shift=shift))
    assert_array_equal(moved.shift, vector.shift)
    assert vector.exact
    same(there, here)
    same(here, table_about(table, vector.shift))


def table_about(table: Table, shift: Any) -> Moments:
    """The moments of the rows themselves about a shift for every column."""
    table.x = table.x - shift[:-1]
    table.y = table.y - shift[-1]
    return table.moments()


@pytest.mark.parametrize("power", [20, 26])
def test_a_column_that_left_the_exact_range_stays_where_it_is(power: int) -> None:
    """Halves are no whole numbers, and 200 squares of 2**26 are more than 2**53."""
    table = Table(200, 0, whole=True)
    table.x[:, 0] += 0.5
    table.x[:, 1] += 2.0**power
    moments, vector = recentred(table.moments(), table.vector())
    assert moments.gram[:, 0, 0].sum() * 4.0**26 > EXACT > moments.gram[:, 0, 0].sum() * 4.0**20
    assert not vector.exact
    assert vector.shift[0] == 0.0
    assert (vector.shift[1] != 0.0) == (power == 20)


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.decimal32(9, 3), pa.decimal64(18, 3), pa.decimal128(9, 3), pa.decimal128(18, 3)),
        *(pa.decimal128(30, 3), pa.decimal256(50, 3)),
    ],
    ids=str,
)
def test_decimals_are_read_as_the_whole_numbers_that_they_hold(kind: pa.DataType) -> None:
    cells = [Decimal("1.234"), None, Decimal("-99.001"), Decimal("0.000"), Decimal("123456.789")]
    array = pa.array([None, *cells], kind)[1:]
    found = numbers(array, nan=False)
    assert found.missing.tolist() == [1]
    assert np.delete(found.values, 1).tolist() == [1234, -99001, 0, 123456789]


def test_a_decimal_beyond_64_bits_is_rounded_as_a_float_is() -> None:
    wide = [Decimal("123456789012345.678901"), Decimal("-3.000001"), None]
    found = numbers(pa.array(wide, pa.decimal128(38, 6)), nan=False)
    assert found.values[0] == pytest.approx(123456789012345678901, rel=3e-16)
    assert found.values[1] == -3000001.0
    assert found.missing.tolist() == [2]


def cents(values: Any) -> pa.Array:
    return pa.array([Decimal(int(v)).scaleb(-2) for v in values], pa.decimal128(9, 2))


@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_decimals_against_the_oracle(tmp_path: Path, fit_on: str) -> None:
    """Feature, imputed feature and target, each with decimal places of its own, and a category."""
    rng = np.random.default_rng(0)
    x = rng.integers(-5000, 5000, (2, 400))
    gaps = rng.random(400) < 0.2
    table = {
        "price": cents(x[0] + 100_000),
        "rate": pa.array(
            [None if g else Decimal(int(v)).scaleb(-5) for v, g in zip(x[1], gaps, strict=True)],
            pa.decimal128(20, 5),
        ),
        "float": rng.normal(size=400),
        "city": rng.choice(["a", "b", "c"], 400),
        "y": cents(x[0] + 3 * x[1] + rng.integers(-900, 900, 400)),
    }
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    task = data_task(tmp_path, f"cleaning.fit_on={fit_on}", "model.reg_param=[0,0.1,3]")
    check(drive("scan", task), truth_of(task))


def test_decimals_in_the_second_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tandem.solver.cross_validation.LOST", np.inf)
    test_decimals_against_the_oracle(tmp_path, "train")


def test_decimals_from_the_cache(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-5000, 5000, 9000)
    data = {"x": cents(x), "z": rng.normal(size=9000), "y": cents(x + rng.integers(0, 99, 9000))}
    pq.write_table(pa.table(data), tmp_path / "a.parquet", row_group_size=1000)
    task = data_task(tmp_path, "cache.moments=true")
    first, second = drive("scan", task), drive("scan", task)
    assert second.ledger.rows_from_cache == 9000
    assert_array_equal(second.sums.sse, first.sums.sse)
    assert second.model == first.model
    assert_allclose(drive("scan", data_task(tmp_path)).sums.sse, first.sums.sse, rtol=1e-12)


def data_task(folder: Path, *overrides: str) -> Any:
    data = ("dataset=files", f"dataset.path={folder}", "dataset.target=y", "engine=scan")
    return make_task(*data, *overrides)


def test_first_rows_unlike_the_rest_do_not_decide_what_is_constant(tmp_path: Path) -> None:
    """The first block holds all zeros of x; without it, x is 500,000 and now and then one more.

    About a shift of 0 its variance drowns; about one of 500,000 it does not.
    """
    block, rows = 6_000, 24_000
    rng = np.random.default_rng(0)
    x = 500_000 + (rng.random(rows) < 0.01)
    x[:5000] = 0
    y = 1000 * (x % 2) + rng.integers(0, 5, rows)
    table = pa.table({"x": x, "z": rng.integers(0, 9, rows), "y": y})
    assert folds_of(4 * block, Folds(3, 0, block))[::block] == [0, 1, 2, 2]
    zeros_last = np.r_[np.arange(5000, block), np.arange(5000), np.arange(block, rows)]
    results = []
    for order in (np.arange(rows), zeros_last):
        pq.write_table(table.take(order), tmp_path / "a.parquet")
        task = data_task(tmp_path, f"folds.block={block}", *OLS)
        results.append(drive("scan", task))
    identical(*results)
    check(results[1], truth_of(task))
