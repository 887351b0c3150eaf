"""Whatever happens to the store, to a run or to its cluster: one round of each study."""

import subprocess
import sys
from pathlib import Path

import pytest

STUDY = Path(__file__).parents[2] / "experiments" / "faults"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("study", ["outages", "signals", "kills"])
def test_every_round_is_good(study: str) -> None:
    """Whatever goes away: all is in the store once, nothing else is left, a cluster's run ends."""
    command = [sys.executable, str(STUDY / "run.py"), study, "--rounds", "1", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=880, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "1 of 1 good" in done.stdout
