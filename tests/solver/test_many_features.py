"""Hundreds of 0/1 features, of which many follow from one another, as in tables of categories."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import ElasticNet

from tandem.solver.active_set import violation
from tandem.solver.double_double import DoubleDouble
from tandem.solver.factor import Factor
from tandem.solver.objective import Penalty
from tandem.solver.positive import clear, largest_of, within
from tandem.solver.solve import solve
from tandem.solver.standard import Rank
from tests.tasks import drive, make_task


def towns(rows: int) -> dict[str, np.ndarray]:
    """A number, and towns, their 30 counties and 6 states: each follows from the one before."""
    rng = np.random.default_rng(0)
    town = rng.integers(0, 210, rows)
    x = rng.normal(size=rows)
    y = x + np.sin(town) + (town % 30) / 10 + rng.normal(size=rows)
    names = {"town": town, "county": town % 30, "state": town % 30 % 6}
    texts = {name: np.char.add(name[0], of.astype(str)) for name, of in names.items()}
    return texts | {"x": x.round(2), "y": y.round(2)}


def standardised(columns: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Z with a 0/1 column per level, and the centred target."""
    texts = [columns[name] for name in ("town", "county", "state")]
    z = np.column_stack(
        [columns["x"], *((text == one).astype(float) for text in texts for one in np.unique(text))]
    )
    return (z - z.mean(axis=0)) / z.std(axis=0), columns["y"] - columns["y"].mean()


@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_a_path_of_a_lasso_without_factors_of_twice_the_digits(
    ratio: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the features are 247 in 210 dimensions is told from the eigenvectors at hand."""
    z, y = standardised(towns(3_000))
    n, p = z.shape
    grid = [Penalty(ratio * x, (1 - ratio) * x) for x in np.geomspace(0.5, 1e-3, 12)]
    gram, xy = DoubleDouble.of(z.T @ z / n), DoubleDouble.of(z.T @ y / n)
    monkeypatch.setattr(Factor, "of", None)
    # Z was rounded here, so that what is 0 is 0 to its rounding.
    found = solve(gram, xy, grid, Rank((), 1e-14, p))
    assert found.rank == 210
    for weights, penalty in zip(found.weights.hi, grid, strict=True):
        assert violation(gram.hi, xy.hi, penalty, weights) <= 1e-13 * np.abs(xy.hi).max()
        alpha = penalty.l1 + penalty.l2
        other = ElasticNet(alpha=alpha, l1_ratio=ratio, tol=1e-10, max_iter=100_000).fit(z, y)
        assert_allclose(z @ weights, z @ other.coef_, atol=1e-4)


@pytest.mark.parametrize("power", [-300, 300])
def test_a_path_does_not_depend_on_the_unit_of_the_target(power: int) -> None:
    """Nor do the steps in float32 that it starts from."""
    z, y = standardised(towns(1_000))
    gram, xy = z.T @ z / len(z), DoubleDouble.of(z.T @ y / len(z))
    unit = 2.0**power
    one = solve(DoubleDouble.of(gram), xy, [Penalty(0.1, 0.0), Penalty(0.01, 0.01)])
    other = solve(
        DoubleDouble.of(gram),
        xy.scaled(unit),
        [Penalty(0.1 * unit, 0.0), Penalty(0.01 * unit, 0.01)],
    )
    assert_allclose(other.weights.hi / unit, one.weights.hi, rtol=1e-9, atol=1e-12)
    assert np.count_nonzero(one.weights.hi) > 50


def test_folds_that_are_solved_side_by_side_are_the_same(tmp_path: Path) -> None:
    """To the last bit, in order, also where rounding asks for exact sums."""
    pq.write_table(pa.table(towns(2_000)), tmp_path / "t.parquet")
    words = ("dataset=files", f"dataset.path={tmp_path}", "dataset.target=y", "folds.k=5")
    words += ("cleaning.encoding=one_hot", "cleaning.max_levels=300", "model.path=5")
    one, two = (drive("scan", make_task(*words, f"engine.threads={n}")) for n in (1, 2))
    assert one.sums.sse.tobytes() == two.sums.sse.tobytes()
    assert one.model == two.model


def test_what_is_0_is_told_from_what_is_small() -> None:
    """Where float64 tells neither: a relation that is off by 2**-34 in one row of 400."""
    rng = np.random.default_rng(1)
    z = rng.integers(-8, 8, (400, 120)).astype(float)
    z[:, 7] = z[:, 3] + z[:, 5]
    near = z.copy()
    near[0, 7] += 2.0**-34
    for values, least, most in ((z, -1.0, 1e-29), (near, 1e-26, 1e-24)):
        matrix = np.array([[*map(int, row)] for row in (values * 2**40).tolist()], dtype=object)
        exact = matrix.T @ matrix
        hi = exact.astype(float)
        gram = DoubleDouble(hi, (exact - np.vectorize(int, otypes=[object])(hi)).astype(float))
        found = largest_of(gram, *np.linalg.eigh(hi), 1)
        assert least < found < most


@pytest.mark.parametrize("features", [40, 140])
def test_a_clear_system_is_solved_and_another_refused(features: int) -> None:
    """Below and above the number from which LAPACK's estimate serves."""
    rng = np.random.default_rng(2)
    z = rng.normal(size=(500, features))
    matrix, right = z.T @ z, rng.normal(size=features)
    found = clear(matrix)
    assert found is not None
    assert_allclose(matrix @ found.solve(right), right, atol=1e-11)
    assert found.condition >= np.linalg.cond(matrix) * 0.99
    z[:, 0] = z[:, 1] + 1e-7 * z[:, 2]
    assert clear(z.T @ z) is None


def test_directions_within_some_features() -> None:
    """Two relations, one of them among the features asked for."""
    null = np.linalg.qr(np.array([[1.0, 1, -1, 0, 0, 0], [0, 0, 1, 1, -1, 1]]).T)[0]
    (own,) = within(null, np.array([0, 1, 2, 5])).T
    assert_allclose(np.abs(own), np.array([1.0, 1, 1, 0]) / np.sqrt(3), atol=1e-12)
    assert within(null, np.array([1, 2, 3])).shape == (3, 0)
