"""Wrong engines, each in one way, and whether a comparison notices: what the tests find."""

import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[2]
TESTS = "tests/comparison/test_mutants.py"
FAILED = 1  # pytest's status where a test failed: a mutant that lives, which the table shows


def mutants_table() -> list[list[str]]:
    """By mutant and grid: dies, lives, or changes nothing; below, how many of the others die.

    The tests run in a process of their own: a study imports none of them.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        words = ["-q", "-n0", "-p", "no:cacheprovider", f"--junit-xml={report}", TESTS]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words], cwd=ROOT, capture_output=True, check=False
        )
        verdicts = _read(report) if done.returncode in {0, FAILED} else {}
    if not verdicts:
        sys.exit(done.stdout.decode())
    grids = list(dict.fromkeys(grid for _, grid in verdicts))
    names = list(dict.fromkeys(name for name, _ in verdicts))
    rows = [[name, *(verdicts[name, grid] for grid in grids)] for name in names]
    shares = (_share([verdicts[name, grid] for name in names]) for grid in grids)
    return [["mutant", *grids], *rows, ["die, of those that change something", *shares]]


def _read(report: Path) -> dict[tuple[str, str], str]:
    """The verdict that every test recorded, by mutant and grid."""
    found = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
        for told in case.iter("property"):
            grid, _, name = case.attrib["name"].partition("[")[2][:-1].partition("-")
            found[name, grid] = told.attrib["value"]
    return found


def _share(verdicts: list[str]) -> str:
    changed = [verdict for verdict in verdicts if verdict != "changes nothing"]
    return f"{changed.count('dies')} of {len(changed)}"
