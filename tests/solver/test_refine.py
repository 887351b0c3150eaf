"""Where the moments leave coefficients open, more scans settle them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose

from tandem.moments.tiling import Workplace
from tandem.records import Array
from tandem.scan.error_sums import products
from tandem.settings import GridPoint
from tandem.solver import refine
from tandem.solver.refine import scans, settled
from tandem.solver.residuals import pull, residual
from tandem.solver.training_sets import Folding, Split, canonical
from tests.engines.test_scan import check, table_task
from tests.moments.test_moments import LEVELS, Table
from tests.oracle import cross_validate
from tests.rational import digits, least_squares
from tests.tasks import drive, synthetic

OLS = GridPoint(0.0, 0.0)


@pytest.mark.parametrize("fit_on_all", [False, True])
@pytest.mark.parametrize("decimals", [(), (0, 2, 0, 1, 3)])
def test_the_pull_of_the_rows_is_that_of_the_moments(
    decimals: tuple[int, ...], *, fit_on_all: bool
) -> None:
    """sum (x_j - mean x_j) (y - b0 - x'b) = c_j - (G b)_j, for any b; gaps, categories, drops."""
    table = Table(400, 1)
    vector = replace(table.vector(shift=2.0), decimals=decimals)
    folding = Folding(canonical(table.moments(shift=2.0)), vector, fit_on_all=fit_on_all)
    split = folding.whole()
    slopes = np.random.default_rng(0).normal(size=(1, len(vector.design)))
    found = pull(split, vector, sums_of(table, folding, split, slopes))
    gram = split.train.gram.rounded()
    expected = gram[:-1, -1] - gram[:-1, :-1] @ slopes[0]
    assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.max(np.abs(expected)))


def sums_of(table: Table, folding: Folding, split: Split, slopes: Array) -> Array:
    vector = folding.vector
    places = [{level: names.index(level) for level in LEVELS} for names in folding.levels]
    model = residual(split, slopes, vector)
    return products(table.batch(), vector, Workplace(vector.width, 64), model, places)


@pytest.mark.parametrize(
    ("lost", "rows", "expected"),
    [
        (2e-16, 100, 0),  # orthogonal columns: nothing to settle
        (1e-13, 100, 1),  # few rows: to the last digit
        (1e-13, 10**6, 0),  # many: no scan for what nobody sees
        (1e-6, 10**6, 1),
        (1e-3, 10**6, 3),
    ],
)
def test_as_many_scans_as_it_takes(lost: float, rows: int, expected: int) -> None:
    assert scans(lost, rows) == expected


def test_no_scan_where_nothing_is_open() -> None:
    """Exact moments; a lasso, whose active set is solved."""

    def refuse(_: object) -> Array:
        raise AssertionError

    whole, floats = Table(400, 1, whole=True), Table(400, 1)
    vector = replace(whole.vector(), exact=True)
    settled(
        Folding(canonical(whole.moments()), vector, fit_on_all=False).whole(), vector, OLS, refuse
    )
    split = Folding(canonical(floats.moments()), floats.vector(), fit_on_all=False).whole()
    settled(split, floats.vector(), GridPoint(0.1, 1.0), refuse)
    with pytest.raises(AssertionError):
        settled(split, floats.vector(), OLS, refuse)


@pytest.mark.parametrize("power", [2, 4, 5])
def test_nearly_collinear_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, power: int
) -> None:
    """Condition numbers to 2e5, of which the moments see the square."""
    rng = np.random.default_rng(power)
    x = rng.normal(size=(3, 300))
    x[1] = x[0] + 10.0**-power * x[1]
    y = x[0] + x[1] - x[2] + 0.1 * rng.normal(size=300)
    pq.write_table(pa.table([*x, y], ["a", "b", "c", "y"]), tmp_path / "a.parquet")
    task = table_task(tmp_path, "model.reg_param=[0]", "model.elastic_net_param=[0]")
    truth = least_squares(x.tolist(), y.tolist())

    def found() -> float:
        model = drive("scan", task).model
        return digits([model.intercept, *model.coefficients.values()], truth)

    assert found() > 14.5 - power
    monkeypatch.setattr(refine, "_FEW_ROWS", 0)
    assert found() > 10
    monkeypatch.setattr(refine, "scans", lambda *_: 0)
    assert found() < 17 - 2 * power  # what one pass leaves: the test above does need the scans


def test_a_dirty_table_settled_over_and_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three scans more than needed move nothing: gaps, categories, constants, drops."""
    synthetic(tmp_path, rows=400, seed=2, files=2)
    monkeypatch.setattr(refine, "scans", lambda *_: 3)
    for reg_param in (0.0, 0.5):
        grid = (f"model.reg_param=[{reg_param}]", "model.elastic_net_param=[0]")
        task = table_task(tmp_path, *grid)
        check(drive("scan", task), cross_validate(task))
