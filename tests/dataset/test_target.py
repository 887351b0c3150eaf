"""The target's deviation against numpy's, however the rows lie in files."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tandem.dataset.target import target_deviation
from tandem.records import Array
from tests.tasks import make_task


def deviation(folder: Path, y: Array, files: int = 1, group: int = 7) -> float:
    folder.mkdir()
    for number, part in enumerate(np.array_split(y, files)):
        cells = pa.table({"y": pa.array(part, from_pandas=True), "a": np.arange(len(part)) * 1.0})
        pq.write_table(cells, folder / f"{number}.parquet", row_group_size=group)
    task = make_task("dataset=files", f"dataset.path={folder}", "dataset.target=y")
    return target_deviation(task.dataset)


@pytest.mark.parametrize("scale", [1.0, 1e143, 1e-150])
@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_it_is_the_population_standard_deviation(
    tmp_path: Path, scale: float, shift: float
) -> None:
    y = scale * (shift + np.random.default_rng(0).normal(size=101))
    wanted = np.std(y / scale) * scale
    for name, files, group in (("a", 1, 101), ("b", 1, 7), ("c", 4, 10)):
        assert deviation(tmp_path / name, y, files, group) == pytest.approx(wanted, rel=1e-9)


def test_missing_and_infinite_values_are_left_out(tmp_path: Path) -> None:
    y = np.array([1.0, np.nan, 2.0, np.inf, 3.0, -np.inf])
    assert deviation(tmp_path / "t", y, group=2) == pytest.approx(np.std([1.0, 2.0, 3.0]))


def test_a_constant_has_the_unit_one(tmp_path: Path) -> None:
    assert deviation(tmp_path / "t", np.full(20, 5.0)) == 1.0
