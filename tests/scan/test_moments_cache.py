"""The second look: what the cache holds is not read again, and changes no answer."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import tandem
from tandem.manual import configuration_folder
from tandem.records import Task
from tandem.results import Result
from tandem.scan import cache_entries, moments_cache, row_groups
from tandem.scan.cuts import Stretch
from tandem.scan.pieces import Pieces
from tests.tasks import drive, make_task, synthetic, truth_of

pytestmark = pytest.mark.usefixtures("own_cache")

RTOL = 1e-12  # sums of the same numbers in another order
EXACT_GRID = "model.reg_param=[0,0.01,0.5]"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files of the row groups that are scanned, in order of reading."""
    names: list[str] = []
    original = row_groups.Reader.pieces

    def counted(self: row_groups.Reader, groups: Sequence[Stretch], *rest: Any) -> Pieces:
        names.extend(Path(group.file.path).name for group in groups)
        return original(self, groups, *rest)

    monkeypatch.setattr(row_groups.Reader, "pieces", counted)
    return names


def look(folder: Path, *overrides: str, kept: bool = True, engine: str = "scan") -> Result:
    return drive(engine, task_of(folder, *overrides, kept=kept))


def task_of(folder: Path, *overrides: str, kept: bool = True) -> Task:
    words = ("dataset=files", f"dataset.path={folder}", "dataset.target=y", "engine.threads=1")
    return make_task(*words, f"cache.moments={str(kept).lower()}", *overrides)


def identical(left: Result, right: Result) -> None:
    """Bit for bit."""
    assert_array_equal(left.sums.sse, right.sums.sse)
    assert_array_equal(left.sums.sst, right.sums.sst)
    assert left.model == right.model
    assert left.ledger == right.ledger
    assert left.plan == right.plan


def near(left: Result, right: Result) -> None:
    assert_allclose(left.sums.sse, right.sums.sse, rtol=RTOL)
    assert_allclose(left.sums.sst, right.sums.sst, rtol=RTOL)
    assert left.sums.n_test == right.sums.n_test
    assert left.ledger == right.ledger
    assert left.model.levels == right.model.levels
    slopes = [[*result.model.coefficients.values()] for result in (left, right)]
    assert_allclose(*slopes, rtol=1e-11, atol=1e-13)


def numbers(folder: Path, *, rows: int = 20_000, files: int = 3, whole: bool = False) -> None:
    """Files 0.parquet, 1.parquet ...: three numbers with gaps in one, a small category, target."""
    folder.mkdir(exist_ok=True)
    for file in range(files):
        write(folder / f"{file}.parquet", rows, seed=file, whole=whole)


def write(path: Path, rows: int = 20_000, *, seed: int, whole: bool = False, **more: Any) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, rows)) * 9
    y = x[0] - 2 * x[1] + rng.normal(size=rows)
    if whole:
        x, y = np.rint(x), np.rint(y)
    columns = {"a": x[0], "b": x[1], "c": pa.array(x[2], mask=rng.random(rows) < 0.2)}
    table = {**columns, "town": rng.choice(["p", "q", "r\u20ac"], rows), "y": y, **more}
    pq.write_table(pa.table(table), path, row_group_size=-(-rows // 3))


def test_the_second_run_reads_no_row(tmp_path: Path, read: list[str]) -> None:
    numbers(tmp_path / "data")
    first = look(tmp_path / "data")
    assert len(read) == 9
    assert first.ledger.rows_from_cache == 0
    second = look(tmp_path / "data")
    assert len(read) == 9
    assert second.ledger.rows_from_cache == 60_000
    identical(second, first)


@pytest.mark.parametrize("block", [1, 256])
def test_other_folds_and_another_grid_read_no_row(
    tmp_path: Path, read: list[str], block: int
) -> None:
    numbers(tmp_path / "data")
    blocks = f"folds.block={block}"
    look(tmp_path / "data", "folds.k=3", blocks)
    (entry, *_) = (tmp_path / "cache" / "moments").iterdir()
    kept = cache_entries.load(entry.name)
    assert kept is not None
    made = len(kept["gram"])
    assert made >= 12
    del read[:]
    for k in (k for k in range(2, made + 1) if made % k == 0):
        words = (f"folds.k={k}", blocks, EXACT_GRID)
        found = look(tmp_path / "data", *words)
        assert found.ledger.rows_from_cache == 60_000
        assert read == []
        near(found, look(tmp_path / "data", *words, kept=False))
        del read[:]
    look(tmp_path / "data", "folds.k=7", blocks)
    assert len(read) == 9


def test_another_encoding_reads_no_row(tmp_path: Path, read: list[str]) -> None:
    synthetic(tmp_path / "data", rows=3000, seed=2, files=3)
    words = ("model.elastic_net_param=[0]",)
    first = look(tmp_path / "data", *words)
    del read[:]
    found = look(tmp_path / "data", *words, "cleaning.encoding=target")
    assert read == []
    assert found.model.encodings
    assert not first.model.encodings
    near(found, look(tmp_path / "data", *words, "cleaning.encoding=target", kept=False))


def test_whole_numbers_are_the_same_from_the_cache(tmp_path: Path) -> None:
    numbers(tmp_path / "data", whole=True)
    look(tmp_path / "data", "folds.k=3")
    for k in (2, 3, 4, 6, 12):
        kept = look(tmp_path / "data", f"folds.k={k}")
        assert kept.ledger.rows_from_cache == 60_000
        identical(kept, look(tmp_path / "data", f"folds.k={k}", kept=False))


@pytest.mark.parametrize("fit_on", ["train", "all"])
@pytest.mark.parametrize("missing_category", ["keep", "drop"])
def test_a_dirty_table_from_the_cache_is_the_truth(
    tmp_path: Path, read: list[str], fit_on: str, missing_category: str
) -> None:
    """NaN makes the first look count before it scans; the second does neither."""
    synthetic(tmp_path / "data", rows=600, seed=6, files=3)
    protocol = (f"cleaning.fit_on={fit_on}", f"cleaning.missing_category={missing_category}")
    first = look(tmp_path / "data", *protocol)
    del read[:]
    second = look(tmp_path / "data", *protocol)
    assert read == []
    identical(second, first)
    truth = truth_of(task_of(tmp_path / "data", *protocol))
    assert {d.column.name: d.action.value for d in second.plan.decisions} == truth.actions
    n_test = np.array(second.sums.n_test)[:, None]
    assert_allclose(second.sums.sse / n_test, truth.rmse**2, rtol=1e-10)


def test_an_appended_file_is_the_only_one_that_is_read(tmp_path: Path, read: list[str]) -> None:
    numbers(tmp_path / "data", files=2)
    look(tmp_path / "data")
    del read[:]
    write(tmp_path / "data" / "2.parquet", 6000, seed=2)
    grown = look(tmp_path / "data")
    assert read == ["2.parquet"] * 3
    assert grown.ledger.rows_from_cache == 40_000
    shutil.rmtree(tmp_path / "cache")
    identical(grown, look(tmp_path / "data"))


def test_an_appended_file_with_nan_where_there_was_some(tmp_path: Path, read: list[str]) -> None:
    """Its column is imputed already, so that the plan stays."""
    (tmp_path / "data").mkdir()
    for file in range(3):
        d = np.where(np.random.default_rng(file).random(6000) < 0.2, np.nan, 1.0 + np.arange(6000))
        write(tmp_path / "data" / f"{file}.parquet", 6000, seed=file, d=d)
        del read[:]
        found = look(tmp_path / "data")
    assert {*read} == {"2.parquet"}
    near(found, look(tmp_path / "data", kept=False))


def test_an_appended_file_that_changes_the_plan(tmp_path: Path, read: list[str]) -> None:
    numbers(tmp_path / "data", files=2)
    look(tmp_path / "data")
    path = tmp_path / "data" / "2.parquet"
    write(path, seed=2)
    table = pq.read_table(path)
    gaps = pa.array(np.arange(20_000.0), mask=np.arange(20_000) % 2 == 0)
    pq.write_table(table.set_column(0, "a", gaps), path)
    del read[:]
    found = look(tmp_path / "data")
    assert found.ledger.rows_from_cache == 0
    assert {*read} == {"0.parquet", "1.parquet", "2.parquet"}
    near(found, look(tmp_path / "data", kept=False))


def change_a_byte(path: Path) -> None:
    """One bit of a value of column a, with the time of change set back."""
    before = path.stat()
    chunk = pq.read_metadata(path).row_group(0).column(0)
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset + chunk.total_compressed_size - 3] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_changed_byte_is_noticed(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the digest of the content before was remembered."""
    monkeypatch.setattr("tandem.machine.digests._TICK_NS", -(10**18))  # however young the files are
    (tmp_path / "data").mkdir()
    for file in range(2):
        rng = np.random.default_rng(file)
        columns = {name: rng.normal(size=3000) for name in ("a", "b", "y")}
        path = tmp_path / "data" / f"{file}.parquet"
        pq.write_table(pa.table(columns), path, compression="none", use_dictionary=False)
    first = look(tmp_path / "data")
    del read[:]
    change_a_byte(tmp_path / "data" / "1.parquet")
    found = look(tmp_path / "data")
    assert read == ["1.parquet"]
    assert np.all(found.sums.sse[:, 0] != first.sums.sse[:, 0])  # ridge
    near(found, look(tmp_path / "data", kept=False))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda _: b"",
        lambda content: content[:500] + bytes([content[500] ^ 1]) + content[501:],
    ],
)
def test_a_damaged_entry_is_scanned_again_with_a_warning(
    tmp_path: Path,
    read: list[str],
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[bytes], bytes],
) -> None:
    numbers(tmp_path / "data")
    first = look(tmp_path / "data")
    entry = sorted((tmp_path / "cache" / "moments").iterdir())[1]
    entry.write_bytes(damage(entry.read_bytes()))
    del read[:]
    with caplog.at_level(logging.WARNING):
        second = look(tmp_path / "data")
    identical(second, first)
    assert len(read) == 3
    assert second.ledger.rows_from_cache == 40_000
    (record,) = caplog.records
    assert record.getMessage() == f"tandem: {entry}: damaged -> its rows are scanned again"
    del read[:]
    identical(look(tmp_path / "data"), first)
    assert read == []


def test_nothing_is_kept_or_used_where_it_is_turned_off(tmp_path: Path, read: list[str]) -> None:
    numbers(tmp_path / "data")
    look(tmp_path / "data", kept=False)
    assert not (tmp_path / "cache" / "moments").exists()
    look(tmp_path / "data")
    del read[:]
    assert look(tmp_path / "data", kept=False).ledger.rows_from_cache == 0
    assert len(read) == 9


def test_an_entry_that_is_large_for_its_file_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers(tmp_path / "data")
    size = (tmp_path / "data" / "0.parquet").stat().st_size
    monkeypatch.setattr(moments_cache, "_SMALL", 0)
    monkeypatch.setattr(moments_cache, "_SHARE_OF_FILE", 500 / size)
    look(tmp_path / "data")
    assert not (tmp_path / "cache" / "moments").exists()
    monkeypatch.setattr(moments_cache, "_SHARE_OF_FILE", 0.5)
    look(tmp_path / "data")
    assert len([*(tmp_path / "cache" / "moments").iterdir()]) == 3


def test_what_was_not_used_for_long_goes_first(own_cache: Path) -> None:
    for second, key in enumerate("abcd"):
        cache_entries.save(key, {"x": np.zeros(1000)})
        os.utime(cache_entries.path_of(key), (second, second))
    assert cache_entries.load("a") is not None  # a use
    cache_entries.prune(20_000)
    assert sorted(path.name for path in (own_cache / "moments").iterdir()) == ["a", "d"]
    cache_entries.prune(20_000)
    assert cache_entries.load("b") is None
    kept = cache_entries.load("d")
    assert kept is not None
    assert_array_equal(kept["x"], np.zeros(1000))


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    numbers(tmp_path / "data", files=1)
    expected = look(tmp_path / "data")
    (tmp_path / "file").touch()
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        identical(look(tmp_path / "data"), expected)
    assert [record.getMessage() for record in caplog.records] == [
        f"tandem: {tmp_path}/file/moments: Not a directory: sums are not kept"
    ]


@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_any_table_in_micro_folds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fit_on: str
) -> None:
    """Categories and their pairs too, in more micro-folds than such a table would get."""
    monkeypatch.setattr(moments_cache, "micro_fold_count", lambda k, *_: 12 * k)
    synthetic(tmp_path / "data", rows=2000, seed=1, files=3)
    look(tmp_path / "data", "folds.k=3")
    for k in (2, 3, 9, 36):
        words = (f"folds.k={k}", f"cleaning.fit_on={fit_on}", EXACT_GRID)
        found = look(tmp_path / "data", *words)
        assert found.ledger.rows_from_cache == 2000
        near(found, look(tmp_path / "data", *words, kept=False))


TOGETHER = """
import sys
from tests.scan.test_moments_cache import look

found = look(sys.argv[1])
print(found.sums.sse.tobytes().hex())
"""


def python(code: str, *arguments: str) -> "subprocess.Popen[str]":
    sources = [str(Path(moments_cache.__file__).parents[2]), str(Path(__file__).parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sources)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once(tmp_path: Path, read: list[str]) -> None:
    numbers(tmp_path / "data", rows=3000, files=20)
    both = [python(TOGETHER, str(tmp_path / "data")) for _ in range(2)]
    printed = {process.communicate(timeout=300)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    found = look(tmp_path / "data")
    assert read == []
    assert printed == {found.sums.sse.tobytes().hex()}
    names = {path.name for path in (tmp_path / "cache" / "moments").iterdir()}
    assert len(names) == 20  # and no half of one


def test_a_second_look_at_flights_takes_less_than_a_second() -> None:
    words = ("engine=scan", "dataset=flights", "cache.moments=true")
    first = drive("scan", make_task(*words))
    second = drive("scan", make_task(*words, "model.reg_param=[0.3,0.03,0.003]"))
    assert second.ledger.rows_from_cache == first.ledger.rows_in == 336_776
    assert sum(second.times[f"time/{stage}_s"] for stage in ("load", "clean", "train")) < 1


@pytest.mark.slow
def test_a_comparison_never_uses_it_and_a_run_says_that_it_did(place: Path) -> None:
    numbers(place / "data", rows=500)
    words = ("dataset=files", "dataset.path=data", "dataset.target=y", "cache.moments=true")
    for arguments in (("engine=scan",), ("compare", "compare.engines=[scan]"), ("engine=scan",)):
        command = [sys.executable, "-m", "tandem", *arguments, *words]
        assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    client = mlflow.MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    (experiment,) = client.search_experiments(filter_string="name = 'tandem'")
    runs = client.search_runs([experiment.experiment_id], "tags.kind = 'run'")
    of_comparison = ["mlflow.parentRunId" in run.data.tags for run in reversed(runs)]
    assert of_comparison == [False, True, False]
    kept = [run.data.metrics["data/rows_from_cache"] for run in reversed(runs)]
    assert kept == [0, 0, 1500]
    assert "1,500 rows were not read" in runs[0].data.tags["mlflow.note.content"]


@pytest.mark.slow
@pytest.mark.usefixtures("one_session")
def test_distributed_scan_is_the_same_bit_for_bit(tmp_path: Path) -> None:
    """Each engine goes on from what the other kept, with one more file."""
    for engines in (("scan", "distributed_scan"), ("distributed_scan", "scan")):
        data = tmp_path / engines[0]
        numbers(data, rows=9000, files=2)
        first, second = (look(data, "folds.k=4", engine=engine) for engine in engines)
        identical(first, second)
        assert second.ledger.rows_from_cache == 18_000
        write(data / "2.parquet", seed=2)
        grown = look(data, "folds.k=2", engine=engines[1])
        assert grown.ledger.rows_from_cache == 18_000
        shutil.rmtree(tmp_path / "cache")
        identical(grown, look(data, "folds.k=2", engine=engines[0]))
        shutil.rmtree(tmp_path / "cache")


def test_another_layout_of_the_row_vector_never_uses_what_is_kept(tmp_path: Path) -> None:
    """One constant of it is changed, in a copy of the sources."""
    numbers(tmp_path / "data", rows=1000, files=1)
    sources = Path(tandem.__file__).parent
    copy = tmp_path / "src" / "tandem"
    shutil.copytree(sources, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(configuration_folder(), tmp_path / "conf")
    assert rows_from_cache(tmp_path) == 0
    assert rows_from_cache(tmp_path) == 1000
    file = copy / "moments" / "row_vector.py"
    text = file.read_text("utf-8")
    assert text.count("form.width - 1") + text.count("self.width - 1") > 0
    file.write_text(text.replace("self.width - 1", "self.width + (-1)"), encoding="utf-8")
    assert rows_from_cache(tmp_path) == 0


def rows_from_cache(folder: Path) -> int:
    """Of a look at folder/data by the sources in folder/src."""
    program = (
        "from tests.scan.test_moments_cache import look; from pathlib import Path; import sys;"
        "print(look(Path(sys.argv[1])).ledger.rows_from_cache)"
    )
    path = f"{folder / 'src'}{os.pathsep}{Path(__file__).parents[2]}"
    done = subprocess.run(
        [sys.executable, "-c", program, folder / "data"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)
