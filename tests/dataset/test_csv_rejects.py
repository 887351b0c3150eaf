"""Bad rows of CSV files: left out, counted and listed, or refused with their number."""

import json
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pyarrow.parquet as pq
import pytest

from tandem.dataset import csv, csv_reader, csv_rejects
from tandem.dataset.csv import Converted, to_parquet
from tandem.dataset.opening import content_digest
from tandem.errors import DataError, RejectedError
from tandem.settings import OnBadRow, Spelling
from tests.shell import runs, tandem

pytestmark = pytest.mark.usefixtures("own_cache")

LEAVING_OUT = Spelling(("", "NA"), on_bad_row=OnBadRow.QUARANTINE)
STRICT = replace(LEAVING_OUT, on_bad_row=OnBadRow.REJECT)
BAD = {  # a row of number, text, number; the column that is told of, and a part of the rule
    "1,a": (None, "2 cells, where the header has 3"),
    "1,a,2,3": (None, "4 cells, where the header has 3"),
    "?,a,2": ("x", "not a number"),
    "1,a,x": ("z", "not a number"),
    "-inf,a,2": ("x", "must be finite"),
    "1e400,a,2": ("x", "must be finite"),
    "1e151,a,2": ("x", "squares are infinite"),
    "1,\xff,2": ("y", "not utf-8"),
    "?,\xff,?": ("y", "not utf-8"),  # what is no text comes first
}
GOOD = {"1.5,a,2": 1, "NA,b,3": 1, '-2,"two\nlines",7': 2, "0.25,,NA": 1, '4,"a ""b"", c",1': 1}


def read(folder: Path, *texts: bytes, spelling: Spelling = LEAVING_OUT) -> Converted:
    files = [folder / f"{number}.csv" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_bytes(text)
    return to_parquet(files, content_digest(files), spelling)


@pytest.mark.parametrize("block", [64, 1 << 22])
@pytest.mark.parametrize("seed", range(12))
def test_bad_rows_are_left_out_and_told_by_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, block: int
) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK_BYTES", block)
    random, line = np.random.default_rng(seed), 2
    lines, wanted, good = ["x,y,z"], [], []
    for _ in range(int(random.choice([20, 200]))):
        if random.random() < 0.1:
            lines.append("")
            line += 1
        if random.random() < 0.15:
            row = str(random.choice([*BAD]))
            wanted.append((line, *BAD[row]))
        else:
            row = str(random.choice([*GOOD]))
            good.append(row)
        lines.append(row)
        line += GOOD.get(row, 1)
    bad = ("\n".join(lines) + "\n").encode("latin-1")
    found = read(tmp_path, bad)
    assert found.rejected == len(wanted)
    for reject, (at, column, rule) in zip(found.rejects, wanted, strict=False):
        assert (reject.line, reject.column) == (at, column)
        assert rule in reject.rule
    assert len(found.rejects) == min(len(wanted), csv_rejects.LISTED)
    (tmp_path / "tidy").mkdir()
    tidy = "\n".join(["x,y,z", *good]) + "\n"
    right = read(tmp_path / "tidy", tidy.encode(), spelling=STRICT)
    assert pq.read_table(found.files[0]).equals(pq.read_table(right.files[0]))


def test_numbers_are_those_of_the_strict_reader(tmp_path: Path) -> None:
    """To the last bit, however they are spelled."""
    random = np.random.default_rng(0)
    numbers = random.normal(size=5000) * 10.0 ** random.integers(-20, 20, 5000)
    cells = [f"{x!r}" for x in numbers.tolist()]
    text = "\n".join(["x", *cells, " 7 ", "+1", ".5", "1e-320"]) + "\n"
    strict = read(tmp_path, text.encode(), spelling=STRICT)
    left = read(tmp_path, (text + "oh\n").encode())
    assert left.rejected == 1
    assert pq.read_table(strict.files[0]).equals(pq.read_table(left.files[0]))


def test_integers_that_float64_rounds_are_bad(tmp_path: Path) -> None:
    found = read(tmp_path, b"x,y\n1,1\n9007199254740993,1\n3,1\n")
    assert [(reject.line, reject.value) for reject in found.rejects] == [(3, "'9007199254740993'")]


def test_rows_of_several_files_are_counted_together(tmp_path: Path) -> None:
    found = read(tmp_path, b"x,y\n1,2\n?,2\n3,4\n", b"y,x\n1\n2,3\n")
    assert [(Path(r.file).name, r.line) for r in found.rejects] == [("0.csv", 3), ("1.csv", 2)]
    tables = [pq.read_table(file).to_pydict() for file in found.files]
    assert tables == [{"x": [1, 3], "y": [2, 4]}, {"x": [3], "y": [2]}]


def test_more_than_allowed_are_refused(tmp_path: Path) -> None:
    text = b"x,y\n" + b"1,2\n" * 50 + b"?,2\n" * 4
    assert read(tmp_path, text, spelling=replace(LEAVING_OUT, max_bad_rows=4)).rejected == 4
    with pytest.raises(DataError, match=r"0.csv:52: column 'x': '\?': .*more than 3 rows are bad"):
        read(tmp_path, text, spelling=replace(LEAVING_OUT, max_bad_rows=3))


@pytest.mark.parametrize("text", [b'x,y\n1,"2\n3,4\n', b'x,y\n"1"5,2\n', b"x,y\n1,\x002\n"])
def test_where_rows_end_must_be_known(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(DataError):
        read(tmp_path, text)


def test_a_refusal_counts_and_lists_all_bad_rows(tmp_path: Path) -> None:
    text = b"x,y\n" + b"1,2\n" * 50 + b"1\n" * 3 + b"?,2\n" * 30
    with pytest.raises(RejectedError, match=r"0.csv:52: .*\(the first of 33 bad rows\)") as told:
        read(tmp_path, text, spelling=STRICT)
    listed = [json.loads(line) for line in told.value.listed.splitlines()]
    assert [reject["line"] for reject in listed] == [*range(52, 72)]


def test_what_is_kept_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read(tmp_path, b"x,y\n1,2\n?,2\n3,4\n")
    monkeypatch.setattr(csv, "_build", None)
    assert read(tmp_path, b"x,y\n1,2\n?,2\n3,4\n") == first


@pytest.fixture
def table(place: Path) -> Path:
    random = np.random.default_rng(1)
    rows = [f"{random.random()},{random.choice(['a', 'b'])},{random.random()}" for _ in range(300)]
    rows[9], rows[20], rows[30] = "?,a,1", "1,a", "1,a,"
    (place / "t.csv").write_text("\n".join(["x,c,y", *rows]) + "\n", encoding="utf-8")
    return place / "t.csv"


FILES = ("dataset=files", "dataset.path=t.csv", "dataset.target=y", "folds.k=2")


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("name", ["scan", "sequential"])
def test_the_ledger_counts_them(name: str) -> None:
    done = tandem(*FILES, f"engine={name}", "dataset.on_bad_row=quarantine")
    assert done.returncode == 0, done.stderr
    assert "rows      300; used 297; dropped 1 without target" in done.stdout
    assert "left out 2 bad" in done.stdout
    assert "2 bad rows are left out; the first: " in done.stderr
    (run,) = runs("run")
    assert run.data.metrics["data/rows"] == 300
    assert run.data.metrics["data/rows_rejected"] == 2
    listed = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/data/rejects.jsonl")
    assert [json.loads(line)["line"] for line in listed.splitlines()] == [11, 22]


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(("command", "kind"), [("run", "run"), ("compare", "comparison")])
def test_a_refused_table_leaves_a_failed_run_that_lists_them(command: str, kind: str) -> None:
    done = tandem(*FILES, f"command={command}")
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    assert "t.csv:22: " in done.stderr
    assert "dataset.on_bad_row=quarantine" in done.stderr
    (run,) = runs(kind)
    assert run.info.status == "FAILED"
    assert run.data.tags["failure.class"] == "RejectedError"
    listed = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/data/rejects.jsonl")
    assert [json.loads(line)["line"] for line in listed.splitlines()] == [11, 22]
