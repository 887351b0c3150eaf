"""The oracle's regression where its systems are singular, or nearly so."""

import numpy as np
import pytest

from tandem.model_keys import GridPoint
from tandem.oracle_line import minimise, violation


@pytest.mark.parametrize("kind", ["levels of two sets", "scales", "equal columns and their sum"])
@pytest.mark.parametrize("share", [1.0, 0.5, 1e-3])
def test_a_minimum_is_found_and_soon(kind: str, share: float) -> None:
    rng = np.random.default_rng(5)
    n = 90
    plain = rng.normal(size=(n, 7))
    x = {
        "levels of two sets": np.c_[np.eye(4)[rng.integers(0, 4, n)], np.eye(9)[np.arange(n) % 9]],
        "scales": plain + 1e-6 * rng.normal(size=(7, 7)).sum(axis=0) * plain[:, :1],
        "equal columns and their sum": np.c_[plain, plain, plain.sum(axis=1)],
    }[kind]
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    y = 1e5 * (z @ rng.normal(size=z.shape[1]) + rng.normal(size=n))
    y -= y.mean()
    gram, xy = z.T @ z / n, z.T @ y / n
    for reg_param in (1e-4, 0.1, 1e3):
        point = GridPoint(reg_param, share)
        found = minimise(gram, xy, point, y.std())
        l1, l2 = reg_param * share, reg_param * (1.0 - share) / y.std()
        assert violation(gram @ found - xy, found, l1, l2) <= 1e-13 * max(abs(xy))
