"""Correct digits against certified values.

tests/nist: NIST/ITL Statistical Reference Datasets, linear least squares, public domain,
https://www.itl.nist.gov/div898/strd/lls/lls.shtml
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq
import pytest

from tandem.records import Array
from tests.tasks import drive, make_task

FOLDER = Path(__file__).parent / "nist"
PROBLEMS: dict[str, Any] = json.loads((FOLDER / "certified.json").read_text("utf-8"))["datasets"]


def digits(found: Array, certified: Array) -> float:
    """LRE = -log10 of the largest relative error, at most 15; absolute error where it is 0."""
    scale = np.where(certified == 0.0, 1.0, np.abs(certified))
    error = float(np.max(np.abs(found - certified) / scale))
    return 15.0 if error < 1e-15 else -float(np.log10(error))


@pytest.mark.parametrize("name", [n for n in PROBLEMS if PROBLEMS[n]["intercept"]])
def test_coefficients_hold_the_digits_of_least_squares(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = PROBLEMS[name]
    table = pv.read_csv(FOLDER / problem["file"])
    table = table.cast(pa.schema([(column, pa.float64()) for column in table.column_names]))
    x = table.column("x").to_numpy() if "x" in table.column_names else None
    if x is not None and len(problem["coef"]) > 2:
        powers = {f"x{i}": x**i for i in range(1, len(problem["coef"]))}
        table = pa.table({"y": table.column("y"), **powers})
    pq.write_table(table, tmp_path / "a.parquet")
    ols = ("model.reg_param=[0]", "model.elastic_net_param=[0]", "folds.k=2")
    task = make_task(
        "dataset=files", f"dataset.path={tmp_path}", "dataset.target=y", "engine=scan", *ols
    )
    model = drive("scan", task).model
    features = [n for n in table.column_names if n != "y"]
    found = np.array([model.intercept, *(model.coefficients[n] for n in features)])
    design = np.column_stack([np.ones(len(table)), *(table.column(n) for n in features)])
    reference = np.linalg.lstsq(design, table.column("y").to_numpy())[0]
    certified = np.array(problem["coef"])
    ours, theirs = digits(found, certified), digits(reference, certified)
    with capsys.disabled():
        sys.stdout.write(f"\n{name}: {ours:.1f} digits, lstsq {theirs:.1f} ")
    assert ours >= theirs
    assert ours > 11
