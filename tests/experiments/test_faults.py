"""Whatever happens to the store or to a run, the store has it once in the end, with its status."""

import subprocess
import sys
from pathlib import Path

import pytest

STUDY = Path(__file__).parents[2] / "experiments" / "faults"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_store_that_goes_away_anywhere_has_everything_once_in_the_end() -> None:
    command = [sys.executable, str(STUDY / "run.py"), "outages", "--rounds", "2", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=880, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "2 of 2 good" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_signal_at_any_moment_ends_a_command_and_leaves_nothing() -> None:
    command = [sys.executable, str(STUDY / "run.py"), "signals", "--rounds", "2", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=880, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "2 of 2 good" in done.stdout
