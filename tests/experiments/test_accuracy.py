"""The tables of experiments/accuracy are what its command makes, and what is said of them holds."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.comparison.test_mutants import EDITS, ENGINES, SHARED

STUDY = Path(__file__).parents[2] / "experiments" / "accuracy"
README = (STUDY / "README.md").read_text("utf-8")
ROUNDED = {"Filip"}  # its powers to float64, which costs half of the digits


def cells(name: str) -> dict[str, dict[str, str]]:
    """The table called `name` in the README, by row and column; "-" is left out."""
    found = re.search(f"<!-- {name} -->\n(.*?)\n\n", README, re.DOTALL)
    assert found, name
    header, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()
    )
    return {
        first: {t: c for t, c in zip(header[1:], row, strict=True) if c != "-"}
        for first, *row in rows
    }


def written(name: str) -> dict[str, dict[str, float]]:
    """The same, where all cells are numbers."""
    return {row: {t: float(c) for t, c in found.items()} for row, found in cells(name).items()}


@pytest.mark.slow
def test_the_tables_come_out_again() -> None:
    command = [sys.executable, str(STUDY / "run.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted({*written("nist")} - ROUNDED))
def test_scan_has_the_digits_of_every_library(name: str) -> None:
    row = written("nist")[name]
    exact, floats = row.pop("scan, decimals"), row.pop("scan, float64")
    del row["condition"]
    assert exact > 12.5
    assert floats > 12.5
    for theirs in row.values():
        assert exact >= theirs
        assert floats >= theirs - 0.3  # both at the rounding of the numbers to float64


def test_filip_has_the_digits_that_its_numbers_leave() -> None:
    row = written("nist")["Filip"]
    assert row.pop("scan, float64") >= 7.0
    assert all(theirs < 7.0 for name, theirs in row.items() if name != "condition")


def test_twelve_digits_more_than_a_plain_gram_matrix() -> None:
    table = written("offset")
    assert table["1e6"]["scan"] >= table["1e6"]["plain Gram"] + 12.0
    for row in table.values():
        assert row["scan"] > 15.0
        assert row["scan"] == max(row.values())


def test_held_out_errors_keep_their_digits_far_from_0_and_beside_fill_values() -> None:
    table = cells("shift")
    *_, last = table.values()
    assert last.pop("distributed_scan") == "same bits"
    numbers = {row: {t: float(c) for t, c in found.items()} for row, found in table.items()}
    own = {"scan", "scan, second file appended"}
    for row, found in numbers.items():
        tiny = "follows" in row  # errors of next to nothing against the target
        assert all(found[name] >= (max(found.values()) - 1.0 if tiny else 13.0) for name in own)
    for theirs in {*last} - own:
        assert any(found[theirs] < 7.0 for found in numbers.values())


def test_published_figures_are_within_the_tolerance_of_their_tests() -> None:
    for row in cells("published").values():
        assert row.get("within its tolerance", row["figures"]) == row["figures"]
        assert float(row["scan, correct"]) >= max(14.5, float(row["stated, correct"]) - 0.5)


def test_glmnet_at_its_tightest_agrees() -> None:
    rows = {name: row for name, row in cells("published").items() if "`glmnet`" in name}
    assert len(rows) == 7
    assert all(float(row["stated, correct"]) > 11.5 for row in rows.values())


def test_the_table_of_wrong_engines_is_of_all_of_them() -> None:
    *mutants, _ = table = cells("mutants")
    assert mutants == [*EDITS, *ENGINES, *SHARED]
    assert not any("lives" in row.values() for row in table.values())
