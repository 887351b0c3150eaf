"""Models that were logged once load for ever: by the name of their module, from their JSON."""

import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

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
