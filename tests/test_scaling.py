"""How costs grow: fits against lines that are known, crossovers, COST."""

import numpy as np
import pytest

from tandem.scaling import Growth, cost, crossover, fit

ROWS = np.array([1e4, 3e4, 1e5, 3e5, 1e6, 3e6])


def line(a: float, b: float, noise: float = 0.0, seed: int = 0) -> Growth:
    """The fit to runs of a + b rows with relative noise."""
    rng = np.random.default_rng(seed)
    costs = (a + b * ROWS) * np.exp(noise * rng.normal(size=len(ROWS)))
    return fit([(1.0, rows) for rows in ROWS], costs.tolist())


def test_an_exact_line_is_found() -> None:
    found = line(2.0, 3e-5)
    assert found.coefficients == pytest.approx([2.0, 3e-5], rel=1e-9)
    assert found.at((1.0, 1e7)).value == pytest.approx(302.0)
    assert found.at((1.0, 1e7)).low == pytest.approx(302.0)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    held = 0
    for seed in range(40):
        interval = line(2.0, 3e-5, noise=0.1, seed=seed).interval(1)
        held += interval.low <= 3e-5 <= interval.high
    assert held >= 34  # of 40; nine in ten is what they say


def test_no_cost_is_negative() -> None:
    falling = fit([(1.0, rows) for rows in ROWS], [5.0, 4.0, 3.0, 2.0, 1.0, 0.5])
    assert (falling.coefficients >= 0).all()
    assert (falling.draws >= 0).all()


def test_engines_cross_where_the_lines_do() -> None:
    found = crossover(line(1.0, 1e-4), line(21.0, 2e-5))
    assert found.rows == pytest.approx(20 / 8e-5)
    assert found.share == 1.0
    noisy = crossover(line(1.0, 1e-4, 0.05), line(21.0, 2e-5, 0.05, seed=1))
    assert noisy.rows is not None
    assert noisy.low < noisy.rows < noisy.high
    assert crossover(line(1.0, 1e-5), line(21.0, 2e-5)).rows is None  # never
    assert crossover(line(3.0, 2e-5), line(1.0, 1e-5)).rows == 0  # always


def test_cost_counts_cores() -> None:
    spark = line(10.0, 4e-5)  # measured on 2 cores: 10 + 40 s for 1e6 rows
    assert cost(spark, best=31.0, rows=1e6, cores=2) == 4
    assert cost(spark, best=30.0, rows=1e6, cores=2) == 5  # at 4 it is as fast, not faster
    assert cost(spark, best=9.0, rows=1e6, cores=2) is None


def test_too_few_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="1 runs for 2 terms"):
        fit([(1.0, 1e4)], [3.0])
