"""The notebook runs as it stands, and so does the wheel, from an empty folder, without Spark."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shell import runs
from tests.tasks import houses

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "experiments" / "quickstart" / "quickstart.ipynb"

HIDE = 'import sys; sys.modules["pyspark"] = None'  # as if it were not installed


@pytest.mark.slow
def test_the_notebook_runs_from_its_first_cell_to_its_last(place: Path) -> None:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "same answer: True" in done.stdout
    assert len(runs("run")) == 4
    assert all(cell["outputs"] for cell in cells if cell["cell_type"] == "code")
    assert not [cell for cell in cells if "error" in str(cell.get("outputs"))]


@pytest.mark.slow
def test_the_wheel_runs_from_an_empty_folder_without_spark(tmp_path: Path, place: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    subprocess.run([*pip, str(installed), str(wheel)], check=True)
    (installed / "sitecustomize.py").write_text(HIDE, encoding="utf-8")
    houses().to_csv(place / "houses.csv", index=False)

    def tandem(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "tandem", *words, "--target", "price"],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
            check=False,
        )

    compared = tandem("compare", "houses.csv")
    assert compared.returncode == 0, compared.stderr
    assert "Every engine gives the same answer" in compared.stdout
    assert "distributed is left out: Spark is not installed -> pip install" in compared.stderr
    assert [*place.glob("mlruns/*/*/artifacts/report/report.html")]
    for words in (("run", "engine=distributed"), ("compare", "engine=scan,distributed")):
        refused = tandem(words[0], "houses.csv", words[1])
        assert refused.returncode == 4, refused.stderr
        assert "Spark is not installed -> pip install 'tandem[spark]'" in refused.stderr
