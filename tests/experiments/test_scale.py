"""The model of large runs, on constants of small ones."""

import subprocess
import sys
from pathlib import Path

import pytest

STUDY = Path(__file__).parents[2] / "experiments" / "scale"


def said(*options: str) -> str:
    command = [sys.executable, str(STUDY / "run.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=400, check=True).stdout


@pytest.mark.slow
def test_the_study_of_scale_measures_and_predicts() -> None:
    lines = said("--small").splitlines()
    checked = {line.split(" | ")[0][2:]: line for line in lines if line.startswith("| ")}
    for stage in ("load", "scan", "fits"):
        _, predicted, measured, _ = checked[stage].strip("| ").split(" | ")
        assert float(measured) > 0.0, stage
        assert float(predicted) >= 0.0, stage
    assert sum(line.startswith("| 10^12 x ") for line in lines) == 10
