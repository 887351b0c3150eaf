"""Delta tables are their current version: no removed row, every column."""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from tandem.commands.run import answer
from tandem.config import compose
from tandem.dataset.opening import open_dataset
from tandem.errors import DataError, MachineError
from tandem.records import Array, Dataset
from tandem.settings import Files
from tests.dataset.test_odd_tables import ROWS, frame

pytestmark = pytest.mark.usefixtures("own_cache")
TOWNS = ["New York", "Åbo/Turku", None, "b=1"]


def table(seed: int = 0) -> pa.Table:
    """With a category and a date."""
    towns = np.random.default_rng(seed).permutation(np.resize(TOWNS, ROWS))
    moments = pc.multiply(pa.array(range(ROWS)), 86_400_000_000).cast(pa.timestamp("us", "UTC"))
    found = pa.Table.from_pandas(frame().assign(town=towns), preserve_index=False)
    return found.append_column("day", moments)


def written(folder: Path) -> None:
    """A partitioned table with rows removed, added and overwritten, and a younger column."""
    write_deltalake(folder, table(9), partition_by=["town"])
    write_deltalake(folder, table(1), mode="overwrite")
    DeltaTable(folder).delete("a > 1")
    younger = table(2).append_column("z", table(2)["a"])
    write_deltalake(folder, younger, mode="append", schema_mode="merge")


def opened(path: Path) -> Dataset:
    return open_dataset(Files(path=str(path), target="y"))


def rows(dataset: Dataset) -> pa.Table:
    names = sorted(pq.read_schema(dataset.files[0].path).names)
    return pa.concat_tables(pq.read_table(file.path).select(names) for file in dataset.files)


def sorted_rows(found: pa.Table) -> list[dict[str, object]]:
    return found.sort_by([(name, "ascending") for name in ("a", "town", "z")]).to_pylist()


@pytest.mark.engines("scan", "distributed")
def test_the_answer_is_that_of_the_same_rows_in_one_file(tmp_path: Path, engine: str) -> None:
    written(tmp_path / "t")
    found = rows(opened(tmp_path / "t"))
    now = DeltaTable(tmp_path / "t").to_pyarrow_table()
    assert sorted_rows(found) == sorted_rows(now.select(found.column_names))
    assert len([*(tmp_path / "t").rglob("*.parquet")]) > len(opened(tmp_path / "t").files)
    pq.write_table(found, tmp_path / "one.parquet")

    def rmse(path: Path) -> Array:
        words = ("dataset=files", f"dataset.path={path}", "dataset.target=y", "folds.k=2")
        keys = ("model.reg_param=[0.1]", "model.elastic_net_param=[0.0]")
        return answer(compose(*words, *keys).settings, engine).scores.rmse

    np.testing.assert_allclose(rmse(tmp_path / "t"), rmse(tmp_path / "one.parquet"), rtol=1e-9)


def test_files_that_are_whole_are_read_where_they_are_the_oldest_first(tmp_path: Path) -> None:
    found: list[tuple[str, ...]] = []
    for seed in range(4):
        write_deltalake(tmp_path / "t", table(seed), mode="append")
        found.append(tuple(file.path for file in opened(tmp_path / "t").files))
        assert found[-1][:seed] == found[-2 if seed else -1][:seed]
    assert all(Path(path).parent == tmp_path / "t" for path in found[-1])


def test_a_table_without_a_row_is_refused(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "t", table().slice(0, 0), partition_by=["town"])
    with pytest.raises(DataError, match="t: the Delta table holds no file -> "):
        opened(tmp_path / "t")


@pytest.mark.parametrize("path", ["", "t/*.parquet", "**/*.parquet", "t/town=b=1", "t/town=b=1/*"])
def test_its_files_are_not_read_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    place = tmp_path / "here"
    write_deltalake(place / "t", table(), partition_by=["town"])
    (place / "t" / "town=b=1").mkdir()
    for folder in (place / "t", place / "t" / "town=b=1"):
        pq.write_table(table(), folder / "x.parquet")
    monkeypatch.chdir(place)
    with pytest.raises(DataError, match=f"{place}/t is a Delta table: .* -> dataset.path={place}"):
        opened(place / path)
    assert len(opened(place / "t" / "x.parquet").files) == 1  # who names one means it


def test_one_that_wants_more_than_parquet_is_refused(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "t", table())
    log = next((tmp_path / "t" / "_delta_log").glob("*.json"))
    lines = [json.loads(line) for line in log.read_text().splitlines()]

    def put(key: str, **changes: object) -> None:
        changed = [{k: {**v, **changes} if k == key else v for k, v in x.items()} for x in lines]
        log.write_text("".join(f"{json.dumps(line)}\n" for line in changed))

    features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    put("protocol", minReaderVersion=3, minWriterVersion=7, **features)
    with pytest.raises(DataError, match=r"t: a Delta table .*deletionVectors.* -> write its rows"):
        opened(tmp_path / "t")
    put("metaData", configuration={"delta.columnMapping.mode": "name"})
    with pytest.raises(DataError, match=r"t: a Delta table .*columnMapping.* -> write its rows"):
        opened(tmp_path / "t")
    log.write_text("{")
    with pytest.raises(DataError, match=r"t: a Delta table that cannot be read"):
        opened(tmp_path / "t")


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "t", table(), partition_by=["town"])
    file = next((tmp_path / "t").rglob("*.parquet"))
    file.unlink()
    with pytest.raises(DataError, match=f"{file.name}: cannot be read"):
        opened(tmp_path / "t")


def test_the_package_for_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_deltalake(tmp_path / "t", table())
    monkeypatch.setitem(sys.modules, "deltalake", None)  # as if it were not installed
    with pytest.raises(MachineError, match=r"t: a Delta table .* -> pip install 'tandem\[delta\]'"):
        opened(tmp_path / "t")
