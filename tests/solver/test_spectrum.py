"""A matrix of three diagonals says of a Gram matrix what its eigenvectors say."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tandem.records import Array
from tandem.solver.double_double import DoubleDouble
from tandem.solver.spectrum import TRIDIAGONAL, Spectrum
from tandem.solver.standard import ROUNDED
from tandem.solver.system import System


@pytest.fixture(scope="module")
def gram() -> Array:
    """Of 500 features, of which three follow from others and one nearly does."""
    rng = np.random.default_rng(5)
    z = rng.normal(size=(900, TRIDIAGONAL + 100))
    z[:, 7], z[:, 60], z[:, -1] = z[:, 3], z[:, 5] - z[:, 6], z[:, 0] + z[:, 1]
    z[:, 9] = z[:, 2] + 1e-3 * z[:, 9]
    return np.asarray(z.T @ z / 900)


def test_the_smallest_eigenvalues_and_what_they_span(gram: Array) -> None:
    few, whole = Spectrum.of(gram), Spectrum.of(gram, whole=True)
    assert_allclose(few.values, whole.values, atol=1e-13 * whole.values[-1])
    assert "vectors" not in few.__dict__
    for count in (0, 3, 4):
        one, other = few.lowest(count), whole.lowest(count)
        assert one.shape == (len(gram), count)
        assert_allclose(one @ one.T, other @ other.T, atol=1e-9)
        assert_allclose(one.T @ one, np.eye(count), atol=1e-13)
    assert "vectors" not in few.__dict__


@pytest.mark.parametrize("strengths", [[1.0], [1e-6, 0.3, 10.0], [0.0, 0.1]])
def test_ridges(gram: Array, strengths: list[float]) -> None:
    """Where G + l2 is singular the eigenvectors are asked: of several answers, the smallest."""
    rng = np.random.default_rng(6)
    few, which = Spectrum.of(gram), np.arange(len(strengths))
    zero = 1e-13 * len(gram) * few.values[-1]
    solve = few.solver(strengths, zero)
    assert ("vectors" in few.__dict__) == (0.0 in strengths)
    for right in (
        gram @ rng.normal(size=(len(gram), 1)),
        gram @ rng.normal(size=(len(gram), len(which))),
    ):
        found = solve(right.T, which)
        for l2, one, own in zip(
            strengths, found, np.broadcast_to(right.T, found.shape), strict=True
        ):
            wanted = (
                np.linalg.pinv(gram + l2 * np.eye(len(gram)), rcond=1e-12, hermitian=True) @ own
            )
            assert_allclose(one, wanted, atol=1e-8 * np.abs(wanted).max())
    last = solve(right.T[-1:], which[-1:])
    assert_allclose(last, found[-1:], rtol=1e-9, atol=1e-12)


def test_a_null_space_that_is_most_of_all_directions_is_not_gone_through() -> None:
    """Of 30 rows of 500 features, V V' follows from the 29 other eigenvectors."""
    z = np.random.default_rng(7).normal(size=(30, TRIDIAGONAL + 100))
    gram = (z - z.mean(axis=0)).T @ (z - z.mean(axis=0)) / 30
    few, whole = Spectrum.of(gram), Spectrum.of(gram, whole=True)
    null = len(gram) - 29
    assert_allclose(few.onto_lowest(null), whole.onto_lowest(null), atol=1e-12)
    assert_allclose(few.onto_lowest(null) @ gram, 0.0, atol=1e-12)
    system = System.of(DoubleDouble.of(gram), ROUNDED)
    assert system.null is None
    assert system.facts()[0] == 29
    assert "vectors" not in {**few.__dict__, **system.spectrum.__dict__}
