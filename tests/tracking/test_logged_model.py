"""A logged model predicts what was trained, for ever, by few files of its own, or says why not."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

import tandem
from tandem.errors import TrackingError
from tandem.model import from_json
from tests.tasks import houses

# Logged by the sources of 2026-11-25 (commit e2e1d97) on 88 made-up houses; its copy of those
# sources is left out, so that it is today's code that loads it.
# What those sources predict.
PREDICTED = [189921.87756032444, 441780.04135718493, 425274.91198398516]
LOGGED = Path(__file__).parent / "logged_model"


def test_a_model_logged_before_the_packages_were_formed_predicts_the_same(tmp_path: Path) -> None:
    model = mlflow.pyfunc.load_model(str(shutil.copytree(LOGGED, tmp_path / "model")))
    rows = pd.DataFrame(
        {"area": [50.0, None, 120.0], "rooms": [2, 3, 4], "city": ["Bern", None, "Genf"]}
    )
    found = np.asarray(model.predict(rows))
    np.testing.assert_array_equal(found, PREDICTED)


ROWS = houses()[["area", "rooms", "city"]]

# Loads a folder, and predicts, where no pickle can be read and no other copy of the package found.
ALONE = """
import pickle, sys, json
sys.path = [p for p in sys.path if "editable" not in p]
sys.meta_path = [f for f in sys.meta_path if "Editable" not in str(f)]
def refuse(*_, **__): raise AssertionError("a pickle")
pickle.loads = pickle.load = refuse
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
import tandem
found = model.predict(pd.read_parquet(sys.argv[2]))
print(json.dumps([tandem.__file__, found.tolist()]))
"""


@pytest.fixture
def logged(place: Path) -> tuple[str, Path]:
    """A run, and the folder of its model in the store."""
    run = tandem.run(houses(), target="price", engine="scan", model={"log_target": True})
    (found,) = (place / "mlruns").rglob("MLmodel")
    return run.run_id or "", found.parent


@pytest.mark.slow
def test_it_takes_few_files_and_no_pickle(logged: tuple[str, Path], place: Path) -> None:
    run_id, folder = logged
    ROWS.to_parquet(place / "rows.parquet")
    assert len([*(folder / "code").rglob("*.py")]) < 12
    copy = shutil.copytree(folder, place / "copy")
    command = [sys.executable, "-I", "-c", ALONE, str(copy), str(place / "rows.parquet")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    file, predicted = json.loads(done.stdout.splitlines()[-1])
    assert file.startswith(str(copy))
    np.testing.assert_array_equal(predicted, tandem.load(run_id).predict(ROWS))


@pytest.mark.slow
@pytest.mark.parametrize("file", ["data/model.json", "code/tandem/model.py", "code/tandem/more.py"])
def test_a_changed_file_is_refused(logged: tuple[str, Path], file: str) -> None:
    run_id, folder = logged
    path = folder / file
    text = path.read_text("utf-8") if path.exists() else ""
    path.write_text(text.replace("1", "2", 1) if text else "x = 1\n", encoding="utf-8")
    with pytest.raises(TrackingError, match="not what was trained: its SHA-256"):
        tandem.load(run_id)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"intercept": ', '"intercept": NaN, "x": ', "NaN: a number of a model is finite"),
        ('"intercept": ', '"intercept": -Infinity, "x": ', "-Infinity: a number of a model is"),
        ('"intercept": ', '"intercept": 1e999, "x": ', "1e999: a number of a model is finite"),
        ('"intercept": ', '"more": 1, "intercept": ', "more: no field of a model"),
        ('"format": 2', '"format": 9', "model format 9: this version reads formats"),
    ],
)
def test_json_that_is_no_model_is_refused(old: str, new: str, told: str) -> None:
    text = (LOGGED / "data" / "model.json").read_text("utf-8").replace('"format": 1', '"format": 2')
    assert from_json(text)
    assert old in text
    with pytest.raises(ValueError, match=told):
        from_json(text.replace(old, new))
