"""The study of growth runs, and checks its answers."""

import subprocess
import sys
from pathlib import Path

import pytest

STUDY = Path(__file__).parents[2] / "experiments" / "growth"


@pytest.mark.slow
def test_every_size_is_measured_after_its_answer_is_checked() -> None:
    """Three of the ten: the others are measured alike."""
    some = ("row groups", "categories", "folds")
    command = [sys.executable, str(STUDY / "run.py"), "--small", "--only", *some]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    found = [name(line) for line in done.stdout.splitlines() if line.startswith("| ")]
    published = (STUDY / "verdict.md").read_text("utf-8")
    names = [name(line) for line in published.splitlines() if line.startswith("| ")]
    assert len(names) == 11  # ten sizes and the header
    assert found == [one for one in names if one in (names[0], *some)]


def name(line: str) -> str:
    """The first cell."""
    return line.split("|")[1].strip()


def test_the_readme_has_the_verdict() -> None:
    published = (STUDY / "verdict.md").read_text("utf-8")
    assert published in (STUDY / "README.md").read_text("utf-8")
    assert "missed" not in published
