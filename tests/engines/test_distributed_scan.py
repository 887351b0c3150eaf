"""distributed_scan against scan: the same bits, for any partitions, on workers without tandem."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

import tandem
from tandem.engines.distributed_scan import ranges
from tandem.errors import DataError
from tandem.records import File, Task
from tandem.results import Result
from tandem.scan.cuts import Stretch
from tandem.scan.row_groups import Reader
from tandem.scan.work import GroupCounts
from tests.tasks import drive, make_task, synthetic

PARTITIONS = (1, 2, 7)


slow = pytest.mark.slow
on_spark = pytest.mark.usefixtures("one_session")


def identical(left: Result, right: Result) -> None:
    """Bit for bit."""
    assert_array_equal(left.sums.sse, right.sums.sse)
    assert_array_equal(left.sums.sst, right.sums.sst)
    assert left.sums.n_test == right.sums.n_test
    assert left.sums.unconverged == right.sums.unconverged
    assert left.model == right.model
    assert left.ledger == right.ledger
    assert left.plan == right.plan


def on_partitions(task: Task, partitions: int) -> Result:
    spark = replace(task.spark, partitions=partitions)
    return drive("distributed_scan", replace(task, spark=spark))


def files_task(folder: Path, *overrides: str) -> Task:
    return make_task("dataset=files", f"dataset.path={folder}", "dataset.target=y", *overrides)


def many_row_groups(folder: Path) -> None:
    synthetic(folder, rows=3000, seed=1, files=3)
    for path in sorted(folder.glob("*.parquet")):
        pq.write_table(pq.read_table(path), path, row_group_size=170)


@slow
@on_spark
@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_a_dirty_table_of_many_files(tmp_path: Path, fit_on: str) -> None:
    many_row_groups(tmp_path)
    task = files_task(tmp_path, f"cleaning.fit_on={fit_on}", "folds.k=5")
    expected = drive("scan", task)
    for partitions in PARTITIONS:
        found = on_partitions(task, partitions)
        identical(found, expected)
        assert found.facts.spark is not None
        assert found.facts.spark.settings["spark.repartition"] == str(partitions)
        assert found.facts.spark.tasks >= partitions


@slow
@on_spark
def test_folds_about_their_own_means(tmp_path: Path) -> None:
    """The first rows are zeros, and dropped; the others are far from 0."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 9000))
    x += 1e8
    x[:5000] = 0
    target = pa.array(y, mask=np.arange(9000) < 5000)
    pq.write_table(pa.table({"x": x, "y": target}), tmp_path / "a.parquet", row_group_size=700)
    task = files_task(tmp_path)
    expected = drive("scan", task)
    assert expected.facts.scans == 2
    identical(on_partitions(task, 3), expected)


@slow
@on_spark
@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_flights(tmp_path: Path, fit_on: str) -> None:
    task = make_task("dataset.rows=20000", f"cleaning.fit_on={fit_on}")
    path = tmp_path / "flights.parquet"
    table = pa.concat_tables(pq.read_table(file.path) for file in task.dataset.files)
    pq.write_table(table, path, row_group_size=1500)
    file = File(str(path), table.num_rows, 0)
    task = replace(task, dataset=replace(task.dataset, files=(file,)))
    expected = drive("scan", task)
    for partitions in PARTITIONS:
        identical(on_partitions(task, partitions), expected)


@slow
@on_spark
def test_large_results_come_task_by_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many_row_groups(tmp_path)
    task = files_task(tmp_path)
    expected, jobs = drive("scan", task), []
    for at_once in (0, 0, 2**26):  # the first tells how many jobs there were before
        monkeypatch.setattr("tandem.spark.results._AT_ONCE_BYTES", at_once)
        found = on_partitions(task, 7)
        identical(found, expected)
        assert found.facts.spark is not None
        jobs.append(found.facts.spark.jobs)
    one_by_one, together = np.diff(jobs)
    assert one_by_one >= together + 6


def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges are of 3."""
    for module in ("scan.ranges", "engines.distributed_scan"):
        monkeypatch.setattr(f"tandem.{module}.WIDE", 3)


@slow
@on_spark
def test_sums_of_many_files_are_added_by_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In ranges of 3 files, and of 3 ranges; of every file there are several stretches."""
    synthetic(tmp_path, rows=3000, seed=1, files=23)
    for path in tmp_path.glob("*.parquet"):
        pq.write_table(pq.read_table(path), path, row_group_size=20)
    task = files_task(tmp_path)
    flat = drive("scan", task)
    narrow(monkeypatch)
    monkeypatch.setattr("tandem.engines.distributed_scan._FEW_FILES", 10)
    expected = drive("scan", task)
    assert expected.sums.sse.tobytes() != flat.sums.sse.tobytes()
    for partitions in PARTITIONS:
        identical(on_partitions(task, partitions), expected)
    kept = replace(task, cache_moments=True)
    identical(on_partitions(kept, 2), drive("scan", kept))


@slow
@on_spark
def test_the_first_of_many_files_with_wrong_rows_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic(tmp_path, rows=3000, seed=1, files=9)
    task = files_task(tmp_path)
    narrow(monkeypatch)
    for number in (4, 8):
        path = Path(task.dataset.files[number].path)
        footer = pq.read_metadata(path).row_group(0).column(0)
        content = bytearray(path.read_bytes())
        begin = footer.dictionary_page_offset or footer.data_page_offset
        content[begin : begin + footer.total_compressed_size] = bytes(footer.total_compressed_size)
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"04\.parquet: row group 0 cannot be read"):
        on_partitions(task, 2)


@slow
@on_spark
def test_the_second_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many_row_groups(tmp_path)
    monkeypatch.setattr("tandem.solver.cross_validation.LOST", np.inf)
    task = files_task(tmp_path)
    identical(on_partitions(task, 4), drive("scan", task))


@slow
@on_spark
@pytest.mark.parametrize("size", [0, 2000])
def test_categories_that_are_only_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """All of them; some of them, which the first rows do not tell."""
    many_row_groups(tmp_path)
    monkeypatch.setattr("tandem.moments.budget.LIMIT", size)
    task = files_task(tmp_path)
    expected = drive("scan", task)
    assert expected.facts.counted
    for partitions in PARTITIONS:
        found = on_partitions(task, partitions)
        identical(found, expected)
        assert found.facts.counted == expected.facts.counted
        assert found.facts.scans == expected.facts.scans


@slow
@on_spark
def test_data_at_fault_on_a_worker_is_one_clear_error(tmp_path: Path) -> None:
    infinite = {"x": [1.0, np.inf, 2.0, 5.0], "y": [1.0, 2.0, 3.0, 4.0]}
    pq.write_table(pa.table(infinite), tmp_path / "a.parquet", row_group_size=1)
    with pytest.raises(DataError, match="column 'x': 1 infinite value"):
        on_partitions(files_task(tmp_path), 2)


WORKER = """
import sys
from pathlib import Path
from typing import Any

import tandem
from tandem.spark import ship_package, start_session
from tests.engines.test_distributed_scan import files_task, identical
from tests.tasks import drive

def where(_):
    import tandem.moments.tiling
    yield tandem.moments.tiling.__file__

folder, poison = sys.argv[1:]
task = files_task(
    folder,
    "spark.master='local-cluster[2,1,1024]'",
    "spark.executor_memory=1g",
    "spark.partitions=4",
    f"+spark.conf={{spark.executorEnv.PYTHONPATH:'{poison}'}}",
)
session = start_session(task.spark, "test")
ship_package(session)
found = session.sparkContext.parallelize(range(4), 4).mapPartitions(where).collect()
assert all(".zip/tandem/" in path for path in found), found
identical(drive("distributed_scan", task), drive("scan", task))
print("identical")
"""


@slow
def test_on_a_cluster_whose_workers_lack_the_package(tmp_path: Path) -> None:
    """The workers' own path holds a tandem that cannot be imported."""
    data, poison = tmp_path / "data", tmp_path / "path"
    many_row_groups(data)
    (poison / "tandem").mkdir(parents=True)
    (poison / "tandem" / "__init__.py").write_text("raise ImportError('not the shipped one')\n")
    done = python(WORKER, str(data), str(poison))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "identical"


def python(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `code` with these sources and these tests in the path of the driver."""
    path = os.pathsep.join([str(Path(tandem.__file__).parents[1]), str(Path(__file__).parents[2])])
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


ALONE = """
import pickle, sys
from functools import partial
from tandem.cleaning import decide
from tandem.engines import create

with open(sys.argv[1], "rb") as file:
    task = pickle.load(file)
engine = create("scan", task)
engine.start()
engine.load()
data = task.dataset
engine.prepare(partial(decide, data.target, data.features, cleaning=task.cleaning))
engine.cross_validate()
engine.refit(task.grid[0])
assert not {"pyspark", "py4j"} & sys.modules.keys()
"""


def test_scan_never_imports_pyspark(tmp_path: Path) -> None:
    """The engine by itself: MLflow, which records its run, imports pyspark's types."""
    synthetic(tmp_path, rows=300, seed=1)
    pickled = tmp_path / "task"
    pickled.write_bytes(pickle.dumps(files_task(tmp_path)))
    done = python(ALONE, str(pickled))
    assert done.returncode == 0, done.stderr


COUNTING = """
import pickle, sys
from tandem.scan import in_order

with open(sys.argv[1], "rb") as file:
    work, stretch = pickle.load(file)
(found,) = in_order(work, [stretch])
assert any(missing for missing, _, _ in found.values())
slow = {"pandas", "sklearn", "mlflow", "psutil", "pydantic", "pydantic_core"}
assert not slow & sys.modules.keys()
"""


def test_a_worker_imports_no_pandas(tmp_path: Path) -> None:
    """It would take longer than the worker's share of many a scan."""
    synthetic(tmp_path, rows=300, seed=1)
    dataset = files_task(tmp_path).dataset
    reader = Reader(dataset)
    work = GroupCounts(reader, dataset.columns), reader.footers().stretches[0]
    pickled = tmp_path / "work"
    pickled.write_bytes(pickle.dumps(work))
    done = python(COUNTING, str(pickled))
    assert done.returncode == 0, done.stderr


def test_a_reader_is_created_where_it_is_unpickled(tmp_path: Path) -> None:
    synthetic(tmp_path, rows=300, seed=1, files=2)
    dataset = files_task(tmp_path).dataset
    reader = Reader(dataset)
    groups = reader.footers().stretches

    def read(by: Reader) -> list[tuple[int, str]]:
        pieces = [piece for call in by.pieces(groups, dataset.columns, 1) for piece in call()]
        return [
            (piece.first_row, str(pa.table(dict(piece.columns)).to_pydict())) for piece in pieces
        ]

    assert read(pickle.loads(pickle.dumps(reader))) == read(reader)  # noqa: S301 - our own


def groups_of(*rows: int) -> tuple[Stretch, ...]:
    return tuple(Stretch(File("a", 0, 0), i, (n,), 0) for i, n in enumerate(rows))


@pytest.mark.parametrize("slices", [1, 2, 3, 7, 100])
def test_ranges_are_all_row_groups_in_order(slices: int) -> None:
    groups = groups_of(5, 1, 1, 900, 3, 50, 50, 50, 1, 1)
    cut = ranges(groups, slices)
    assert [group for part in cut for group in part] == [*groups]
    assert all(cut)
    assert len(cut) <= slices


def test_ranges_hold_about_equally_many_rows() -> None:
    parts = ranges(groups_of(*[10] * 12, *[40] * 3), 4)
    assert [sum(group.rows for group in part) for part in parts] == [60, 60, 40, 80]
    assert [len(part) for part in ranges(groups_of(*[7] * 12), 4)] == [3, 3, 3, 3]
