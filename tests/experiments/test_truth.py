"""No odd or damaged file is read as another table without a word."""

import subprocess
import sys
from pathlib import Path

import pytest

STUDY = Path(__file__).parents[2] / "experiments" / "truth"


@pytest.mark.slow
def test_no_kind_of_odd_file_is_read_as_another_table() -> None:
    command = [sys.executable, str(STUDY / "run.py"), "--check", "--inputs", "80", "--spark", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    *_, total = [line for line in done.stdout.splitlines() if line.startswith("| all")]
    assert int(total.split("|")[2]) > 45
