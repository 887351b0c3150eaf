"""Targets in small units, and targets that a table tells all but exactly: what is said of them."""

import numpy as np
import pandas as pd
import pytest

import tandem
from tests.tasks import houses

ENGINES = ["scan", "sequential"]


@pytest.mark.usefixtures("place")
def test_a_penalty_that_is_next_to_nothing_is_no_fault() -> None:
    """Prices in thousandths of a cent: rounding is all that is left of gaps that solvers tell."""
    table = houses()
    table["price"] *= 3e4
    found = tandem.compare(table, target="price", engines=ENGINES, folds={"k": 2})
    assert found.parity
    assert "Every engine gives the same answer: RMSE agrees to" in found.report


@pytest.mark.usefixtures("place")
def test_errors_that_differ_are_not_called_the_same() -> None:
    """By a share of the target's deviation that solvers leave, but by most of what they are."""
    x = np.random.default_rng(0).normal(size=(120, 3))
    x[:, 1] += 2.0 * x[:, 0]
    table = pd.DataFrame(x.round(3), columns=["a", "b", "c"])
    table["y"] = 1e3 * (table["a"] - table["b"] + table["c"])
    found = tandem.compare(table, target="y", engines=ENGINES, folds={"k": 2})
    assert found.parity
    assert "agree as far as their solvers go: RMSE differs by up to" in found.report
    assert "-> model.tol=1e-9 model.max_iter=100000 brings them nearer." in found.report
