"""Where rounded sums would show in an answer, the rows are summed once more, without rounding."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from tandem.moments import Batch, Cells, RowVector, Slices, Workplace, moments_of
from tandem.oracle_folds import folds_of
from tandem.records import Task
from tandem.results import Result
from tandem.solver import cross_validation, recentred
from tandem.solver.double_double import DoubleDouble
from tandem.solver.doubled import joined
from tandem.solver.factor import Factor
from tests.engines.test_scan import check, identical, table_task
from tests.rational import digits, held_out, least_squares
from tests.tasks import drive, synthetic, truth_of

Floats = NDArray[np.float64]
OLS = ("model.reg_param=[0]", "model.elastic_net_param=[0]")


def collinear(power: float, rows: int = 300, seed: int = 0) -> dict[str, Floats]:
    """a and b are 10**-power apart, so that the condition number is about 10**power."""
    rng = np.random.default_rng(seed)
    a, b, c, noise = rng.normal(size=(4, rows))
    b = a + 10.0**-power * b
    return {"a": a, "b": b, "c": c, "y": a + b - c + 0.1 * noise}


def stored(folder: Path, columns: dict[str, Any], *words: str) -> Task:
    pq.write_table(pa.table(columns), folder / "a.parquet")
    return table_task(folder, *words)


def mse(result: Result) -> Floats:
    return result.sums.sse[:, 0] / np.array(result.sums.n_test)


def truth(task: Task, columns: dict[str, Floats], reg_param: float = 0.0) -> list[Fraction]:
    features = [[Fraction(v) for v in columns[c.name]] for c in task.dataset.features]
    y = [Fraction(v) for v in columns["y"]]
    return held_out(features, y, folds_of(len(y), task.folds), Fraction(reg_param))


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_fewer_rows_than_features_need_no_factors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ratio: float
) -> None:
    """Their rank is that of the rows; deciding it by digits took longer than all the rest."""
    rng = np.random.default_rng(0)
    columns = {f"x{j}": rng.normal(size=30) for j in range(40)}
    columns["y"] = columns["x0"] + rng.normal(size=30)
    grid = ("model.reg_param=[0.1]", f"model.elastic_net_param=[{ratio}]")
    task = stored(tmp_path, columns, *grid, "folds.k=3")
    monkeypatch.setattr(Factor, "of", None)
    check(drive("scan", task), truth_of(task))


@pytest.mark.parametrize("reg_param", [0.0, 1e-12])
@pytest.mark.parametrize("power", [1, 3, 5, 6, 7, 8])
def test_models_of_the_folds_are_as_right_as_that_of_all_rows(
    tmp_path: Path, power: int, reg_param: float
) -> None:
    """Up to a condition number of 1e8; sums of float64 leave 4 digits of the error at 1e6."""
    columns = collinear(power)
    words = (f"model.reg_param=[{reg_param}]", "model.elastic_net_param=[0]")
    task = stored(tmp_path, columns, *words)
    result = drive("scan", task)
    found, expected = mse(result), np.array([float(x) for x in truth(task, columns, reg_param)])
    assert_allclose(found, expected, rtol=max(1e-13, 10.0 ** (power - 17)))
    assert result.facts.scans == 2
    assert result.sums.designs[0].rank == 3
    assert 0.1 < result.sums.designs[0].condition / 10.0**power < 10
    if reg_param == 0.0:
        features = [columns[name].tolist() for name in "abc"]
        model = result.model
        found = digits(
            [model.intercept, *model.coefficients.values()],
            least_squares(features, columns["y"].tolist()),
        )
        assert found > 14


def test_many_rows_are_summed_again_only_where_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cross_validation, "_FEW_ROWS", 0)
    columns = collinear(1)
    assert drive("scan", stored(tmp_path, columns, *OLS)).facts.scans == 1
    columns = collinear(4)
    task = stored(tmp_path, columns, *OLS)
    result = drive("scan", task)
    assert result.facts.scans == 2
    assert_allclose(mse(result), [float(x) for x in truth(task, columns)], rtol=1e-12)


@pytest.mark.parametrize("ratio", [0.5, 1.0])
def test_a_lasso_of_nearly_collinear_columns(tmp_path: Path, ratio: float) -> None:
    """Both are in the active set: y depends on their difference."""
    columns = collinear(5)
    columns["y"] = columns["c"] + 1e5 * (columns["a"] - columns["b"])
    words = ("model.reg_param=[1e-7]", f"model.elastic_net_param=[{ratio}]")
    task = stored(tmp_path, columns, *words)
    model = drive("scan", task).model
    signs = np.sign([*model.coefficients.values()])
    assert np.all(signs != 0)
    names = [*model.coefficients]
    x = [[Fraction(v) for v in columns[name]] for name in names]
    y = [Fraction(v) for v in columns["y"]]
    n = len(y)
    x = [[v - sum(column) / n for v in column] for column in x]
    y = [v - sum(y) / n for v in y]
    deviations = [Fraction(float(np.std(columns[name]))) for name in names]
    # gradient of the objective, relative to its l1 term
    slopes = [Fraction(b) for b in model.coefficients.values()]
    rest = [
        v - sum(b * column[i] for b, column in zip(slopes, x, strict=True)) for i, v in enumerate(y)
    ]
    l1 = Fraction(1e-7) * Fraction(ratio)
    l2 = Fraction(1e-7) * (1 - Fraction(ratio)) / Fraction(float(np.std(columns["y"])))
    for column, s, b, sign in zip(x, deviations, slopes, signs, strict=True):
        pull = sum(v * r for v, r in zip(column, rest, strict=True)) / n / s
        assert abs(float((pull - l2 * s * b) / l1) - sign) < 1e-3


def test_columns_that_follow_from_others_are_told_from_those_that_nearly_do(
    tmp_path: Path,
) -> None:
    """d is a sum, to rounding; b is 1e-8 from a. Sums of float64 see the same in both."""
    columns = collinear(8)
    columns = {**columns, "d": columns["a"] + columns["c"]}
    result = drive("scan", stored(tmp_path, columns, *OLS))
    design = result.sums.designs[0]
    assert (design.features, design.rank) == (4, 3)
    assert design.groups == ((0, 2, 3),)
    assert 1e7 < design.condition < 1e9
    without = {name: columns[name] for name in ("a", "b", "c", "y")}
    task = stored(tmp_path, without, *OLS)
    assert_allclose(mse(result), [float(x) for x in truth(task, without)], rtol=1e-9)
    sequential = drive("sequential", stored(tmp_path, columns, *OLS))
    assert_allclose(mse(result), mse(sequential), rtol=1e-6)
    assert sequential.sums.designs[0].rank == 3


@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_a_dirty_table_summed_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fit_on: str
) -> None:
    """Gaps, NaN, categories with and without sums, constants, drops, files; and once more."""
    synthetic(tmp_path, rows=400, seed=2, files=2)
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path.with_suffix(".cache")))
    task = table_task(tmp_path, f"cleaning.fit_on={fit_on}", "cache.moments=true")
    exact = drive("scan", task)
    assert exact.facts.scans >= 2
    check(exact, truth_of(task))
    again = drive("scan", task)
    identical(again, exact)
    monkeypatch.setattr("tandem.moments.budget.LIMIT", 1)
    counted = drive("scan", table_task(tmp_path, f"cleaning.fit_on={fit_on}"))
    assert counted.facts.counted
    check(counted, truth_of(task))


def test_slices_add_up_to_the_numbers() -> None:
    """By fold, in rational arithmetic: decades of magnitudes, gaps, drops, centres of folds.

    Beside them whole numbers, which are not cut, nor are those with gaps.
    """
    rng = np.random.default_rng(0)
    rows, k = 500, 3
    x = rng.normal(size=rows) * 10.0 ** rng.integers(-8, 8, rows)
    y = rng.normal(size=rows)
    whole_numbers = rng.integers(-900, 900, (2, rows))
    missing = np.flatnonzero(rng.random(rows) < 0.1)
    dropped = np.flatnonzero(rng.random(rows) < 0.1)
    x[missing] = np.nan
    folds = rng.integers(0, k, rows).astype(np.uint16)
    none = np.empty(0, dtype=np.int64)
    one, other = whole_numbers
    cells = (Cells(one, missing), Cells(x, missing), Cells(other, none), Cells(y, none))
    batch = Batch(cells, (), folds, dropped)
    centre = rng.normal(size=(k, 4))
    centre[:, [0, 2]] = rng.integers(-9, 9, (k, 2))
    for centres in (None, centre):
        vector = RowVector(np.array([3.0, 0.5, 1.0, 0.25]), (0, 1), (0, 1, 2), centres=centres)
        place = Workplace(vector.width, 64)
        plain = moments_of(batch, vector, k, place)
        slices = Slices.of(vector, plain.gram, rows)
        whole = moments_of(slices.cut(batch), slices.whole, k, Workplace(slices.whole.width, 64))
        assert recentred(whole, slices.whole)[1].exact
        assert slices.whole.numeric == 2 + 2 * slices.count - 1
        found = joined(joined(DoubleDouble.of(whole.gram), slices).transposed(), slices)
        assert_allclose(found.rounded(), plain.gram, rtol=1e-12, atol=1e-12 * plain.gram.max())
        used = np.setdiff1d(np.arange(rows), [*dropped, *missing])
        for fold in range(k):
            about = vector.shift if centres is None else centres[fold]
            here = [i for i in used if folds[i] == fold]
            u = [Fraction(x[i] - about[1]) for i in here]
            expected = sum(value * value for value in u)
            gram = found[fold]
            off = abs(Fraction(float(gram.hi[2, 2])) + Fraction(float(gram.lo[2, 2])) - expected)
            largest = max(abs(value) for value in u)
            assert off <= 2 * len(u) * largest**2 * Fraction(1, 2**53)
            v = [Fraction(int(one[i] - about[0])) for i in here]
            beside = sum(a * b for a, b in zip(u, v, strict=True))
            off = abs(Fraction(float(gram.hi[1, 2])) + Fraction(float(gram.lo[1, 2])) - beside)
            assert off <= 2 * len(u) * largest * 909 * Fraction(1, 2**53)
            assert gram.hi[1, 1] == sum(value * value for value in v)


def test_factors_in_double_double() -> None:
    """Hilbert's matrix of 12 columns has a condition number of 1e16; and one of rank 2."""
    places = np.arange(12)
    hilbert = DoubleDouble.of(np.ones((12, 12))) / (places[:, None] + places[None, :] + 1.0)
    ones = DoubleDouble.of(np.ones(12))
    factor = Factor.of(hilbert, 1e-25)
    right = (hilbert * ones[None, :]).sum(axis=1)
    assert_allclose(factor.solve(right).rounded(), 1.0, rtol=1e-12)
    assert 1e16 < factor.condition() < 1e17
    root = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    flat = Factor.of(DoubleDouble.of(root @ root.T), 1e-25)
    assert flat.rank == 2
    expected = np.linalg.lstsq(root @ root.T, root @ [1.0, 2.0])[0]
    solved = flat.solve(DoubleDouble.of(root @ [1.0, 2.0])).rounded()
    assert_allclose(solved, expected, atol=1e-14)
    assert_allclose(root.T @ flat.null_space(), 0.0, atol=1e-15)
