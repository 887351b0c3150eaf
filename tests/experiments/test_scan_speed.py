"""The study of scan's speed runs, and checks its answers and those of others before it measures."""

import subprocess
import sys
from pathlib import Path

import pytest

STUDY = Path(__file__).parents[2] / "experiments" / "scan-speed"


@pytest.mark.slow
def test_what_is_measured_is_judged(tmp_path: Path) -> None:
    own = ["--small", "--data", str(tmp_path), "--out", str(tmp_path)]
    command = [sys.executable, str(STUDY / "run.py"), *own, "--only", "rivals"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "verdict.md").read_text("utf-8").splitlines()[2:]
    assert len({line.split("|")[1] for line in lines}) == len(lines)
    said = "\n".join(lines)
    assert "scan and its rivals apart" in said
    assert lines[0].endswith("| <= 1e-06 | met |")
    assert "100 features, complete: thirty_lines / scan, CPU" in said
    assert (tmp_path / "ratios.png").exists()


def test_the_readme_has_the_verdict() -> None:
    published = (STUDY / "verdict.md").read_text("utf-8")
    assert published in (STUDY / "README.md").read_text("utf-8")
