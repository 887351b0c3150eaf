"""All that the program knows of an engine: its row in the registry, its file, its file in conf/."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tandem
from tandem.manual import configuration_folder
from tandem.registry import ENGINES, without_spark
from tests.shell import SMALL, runs

ROW = '    "toy": Entry("tandem.engines.toy", "#123456", bits="sums", left=nothing),\n'
FILE = '''"""A toy: scan by another name."""

from tandem.engines.scan import Engine

__all__ = ["Engine"]
'''


@pytest.mark.slow
def test_a_fifth_engine_is_a_row_and_two_files(place: Path) -> None:
    """In a copy of the sources: it runs, is compared, certified, drawn and tracked."""
    package, conf = place / "src" / "tandem", place / "conf"
    unneeded = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(tandem.__file__).parent, package, ignore=unneeded)
    shutil.copytree(configuration_folder(), conf)
    registry = package / "registry.py"
    head = "ENGINES: Mapping[str, Entry] = {\n"
    text = registry.read_text("utf-8")
    assert text.count(head) == 1
    registry.write_text(text.replace(head, head + ROW), encoding="utf-8")
    (package / "engines" / "toy.py").write_text(FILE, encoding="utf-8")
    (conf / "engine" / "toy.yaml").write_text("name: toy\nthreads: null\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tandem", "compare", "compare.engines=[scan,toy]", *SMALL],
        env={**os.environ, "PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "toy" in done.stdout
    assert "identical bits" in done.stdout or "same answer" in done.stdout
    (toy,) = (run for run in runs("run") if run.data.tags["engine"] == "toy")
    assert toy.data.tags["mlflow.runColor"] == "#123456"
    (parent,) = runs("comparison")
    assert parent.data.tags["parity"] == "pass"


def test_what_does_the_same_without_spark_is_an_engine() -> None:
    assert {*without_spark()} | {*without_spark().values()} <= {*ENGINES}
    assert all((configuration_folder() / "engine" / f"{name}.yaml").is_file() for name in ENGINES)
