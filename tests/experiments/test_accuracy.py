"""The tables of experiments/accuracy hold, and what is said about them."""

import pytest

from tandem.checks import remarks
from tests.accuracy import (
    NIST_SOLVERS,
    NONE,
    OFFSET_SOLVERS,
    SPARK,
    Table,
    arrays,
    nist_table,
    offset_table,
    scan,
    spark,
    written,
)
from tests.determinism import ROWS, difference
from tests.problems import digits, nist
from tests.tasks import make_task

PROBLEMS = nist()
OUT_OF_REACH = {"Filip"}
KINDS = ("float64", "whole numbers", "decimals")


def column(table: Table, name: str) -> dict[str, str]:
    place = table[0].index(name)
    return {row[0]: row[place] for row in table[1:]}


@pytest.fixture(scope="module")
def nist_digits() -> Table:
    return nist_table()


@pytest.fixture(scope="module")
def offset_digits() -> Table:
    return offset_table()


def as_good_as_written(found: Table, name: str) -> None:
    """Every cell at most one digit worse than in the README."""
    known = written(name)
    for title in found[0][1:]:
        for row, cell in column(found, title).items():
            expected = column(known, title)[row]
            if title == "condition":
                assert float(cell) == pytest.approx(float(expected), rel=0.1)
            elif NONE in {cell, expected}:
                assert cell == expected
            else:
                assert float(cell) >= float(expected) - 1.0, (name, row, title)


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_certified_values_are_those_of_exact_arithmetic(name: str) -> None:
    """So that the files and what is generated hold NIST's numbers."""
    problem = PROBLEMS[name]
    assert digits(problem.certified.tolist(), problem.solution(), most=16) > 14.3


def test_the_digits_are_those_of_the_readme(nist_digits: Table, offset_digits: Table) -> None:
    as_good_as_written(nist_digits, "nist")
    as_good_as_written(offset_digits, "offset")


@pytest.mark.parametrize("name", sorted({*PROBLEMS} - OUT_OF_REACH))
def test_scan_has_the_digits_of_every_library(nist_digits: Table, name: str) -> None:
    exact = float(column(nist_digits, "scan, decimals")[name])
    floats = float(column(nist_digits, "scan, float64")[name])
    for solver in NIST_SOLVERS:
        theirs = float(column(nist_digits, solver)[name])
        assert exact >= theirs
        assert floats >= theirs - 0.3  # both at the rounding of the numbers to float64
    assert exact > 12.5
    assert floats > 12.5


@pytest.mark.parametrize("name", sorted(OUT_OF_REACH))
def test_what_is_out_of_reach_is_told(name: str) -> None:
    table = PROBLEMS[name].in_floats
    (told,) = [x for x in remarks(scan(table), table.to_pandas()) if "condition number" in x]
    assert "of 10 features" in told
    assert "-> drop a feature (dataset.exclude), or choose model.reg_param above 0" in told


def test_twelve_digits_more_than_a_plain_gram_matrix(offset_digits: Table) -> None:
    ours, plain = (column(offset_digits, name)["1e6"] for name in ("scan", "plain Gram"))
    assert float(ours) >= float(plain) + 12.0
    for row, cell in column(offset_digits, "scan").items():
        assert float(cell) > 15.0
        for solver in OFFSET_SOLVERS:
            assert float(cell) >= float(column(offset_digits, solver)[row])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", [row for row in ROWS if not ROWS[row].on_spark])
def test_bits(row: str, kind: str) -> None:
    """No bit where the README says so, and it does for all but float64."""
    said = column(written("determinism"), kind)[row]
    found = difference(ROWS[row], kind)
    if said == "no bit":
        assert found == 0.0
    else:
        assert kind == "float64"
        assert found < 1e-10


@pytest.mark.slow
@pytest.mark.usefixtures("one_session")
def test_with_spark() -> None:
    from tandem.spark import start

    session = start.start_session(make_task("dataset.rows=1000").spark, "accuracy")
    known = column(written("nist"), SPARK)
    solve = spark(session)
    for name, problem in PROBLEMS.items():
        x, y = arrays(problem.in_floats, problem.features)
        found = digits(solve(x, y).tolist(), problem.certified)
        ours = float(column(written("nist"), "scan, float64")[name])
        assert found == pytest.approx(float(known[name]), abs=1.0)
        assert found <= ours or name in OUT_OF_REACH


@pytest.mark.slow
@pytest.mark.usefixtures("one_session")
@pytest.mark.parametrize("row", [row for row in ROWS if ROWS[row].on_spark])
def test_bits_on_spark(row: str) -> None:
    for kind in KINDS:
        assert column(written("determinism"), kind)[row] == "no bit"
        assert difference(ROWS[row], kind) == 0.0
