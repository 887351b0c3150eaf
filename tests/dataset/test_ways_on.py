"""What a refusal names can be typed as it stands, and leads on."""

import re
import shlex
from pathlib import Path

import pyarrow as pa
import pytest

from tandem.commands.run import measure
from tandem.config import compose, words
from tandem.errors import DataError
from tandem.results import Result
from tests.dataset.test_odd_tables import ROWS, frame

pytestmark = pytest.mark.usefixtures("own_cache")


def found(path: Path, *typed: str, target: str = "y") -> Result:
    """As the command line has it."""
    task = ("dataset=files", f"dataset.path={path}", f"dataset.target={target}", "engine=scan")
    return measure(compose(*words([*task, *typed])).settings, say=False).result


def named(path: Path, key: str, *typed: str) -> str:
    """The word that the refusal names for `key`."""
    with pytest.raises(DataError) as refused:
        found(path, *typed)
    way = re.search(rf"'dataset\.{key}=.*?'|dataset\.{key}=\S+\b\]?", str(refused.value))
    assert way, refused.value
    return shlex.split(way[0])[0]


def test_all_columns_of_lists_are_named_at_once_beside_those_excluded(tmp_path: Path) -> None:
    lists = [[row] for row in range(ROWS)]
    table = frame().assign(begin=lists, other=1.0, **{"the end": lists})
    table.to_parquet(tmp_path / "t.parquet")
    way = named(tmp_path / "t.parquet", "exclude", "dataset.exclude=[other]")
    assert way == 'dataset.exclude=["other","begin","the end"]'
    assert [*found(tmp_path / "t.parquet", way).model.coefficients] == ["a", "c"]


def test_columns_named_as_text_are_kept(tmp_path: Path) -> None:
    table = frame().assign(p=range(ROWS), q=range(ROWS)).astype({"p": str, "q": str})
    table.loc[3:12, "p"] = table.loc[3:12, "q"] = [f"x{k}" for k in range(10)]
    table.to_csv(tmp_path / "t.csv", index=False)
    first = named(tmp_path / "t.csv", "text")
    assert first == "dataset.text=[p]"
    second = named(tmp_path / "t.csv", "text", first)
    assert second == "dataset.text=[p,q]"
    assert {"p", "q"} <= {*found(tmp_path / "t.csv", second).model.levels}


@pytest.mark.parametrize("cell", ["inf", "-Inf"])
def test_infinite_numbers_may_mean_missing(tmp_path: Path, cell: str) -> None:
    table = frame().astype({"a": object})
    table.loc[4, "a"] = cell
    table.to_csv(tmp_path / "t.csv", index=False)
    way = named(tmp_path / "t.csv", "missing")
    assert found(tmp_path / "t.csv", way).ledger.rows_dropped_missing == 1


@pytest.mark.parametrize("name", ["t.tsv", "t.TSV", "t.tsv.gz"])
def test_a_file_of_tabs_is_read(tmp_path: Path, name: str) -> None:
    frame().to_csv(tmp_path / name, index=False, sep="\t")
    assert found(tmp_path / name).ledger.rows_used == ROWS


def test_other_marks_in_a_file_of_tabs_are_told_of(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "t.tsv", index=False, sep=";")
    with pytest.raises(DataError, match=r"parted by semicolons -> dataset\.delimiter=';'"):
        found(tmp_path / "t.tsv")
    assert found(tmp_path / "t.tsv", "dataset.delimiter=;").ledger.rows_used == ROWS


def test_blanks_between_the_cells_are_told_of(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "t.csv", index=False, sep=" ")
    with pytest.raises(DataError, match=r"parted by blanks -> dataset\.delimiter=' '"):
        found(tmp_path / "t.csv")
    assert found(tmp_path / "t.csv", "dataset.delimiter=' '").ledger.rows_used == ROWS


@pytest.mark.parametrize("title", ["# downloaded yesterday\n", "150,4,setosa\n"])
def test_a_title_above_the_header_is_told_of(tmp_path: Path, title: str) -> None:
    whole = frame().assign(b=0, c=1).to_csv(index=False)
    (tmp_path / "t.csv").write_text(title + whole)
    with pytest.raises(DataError, match=r"t\.csv:2: .* -> are the lines above .* a title"):
        found(tmp_path / "t.csv")


@pytest.mark.parametrize("packed", ["gz", "bz2", "zst"])
def test_a_packed_file_is_the_table_in_it(tmp_path: Path, packed: str) -> None:
    plain, other = tmp_path / "t.csv", tmp_path / f"T.csv.{packed}"
    frame().to_csv(plain, index=False)
    pack(plain.read_bytes(), other)
    one, two = found(plain), found(other)
    assert two.model == one.model
    assert two.task.dataset.name == "T"
    pack(plain.read_bytes().replace(b"\n", b"\n\n", 3) + b"1\n", other)
    with pytest.raises(DataError, match=rf"T.csv.{packed}:{ROWS + 5}: .*Expected"):
        found(other)
    other.write_bytes(other.read_bytes()[:-9])
    with pytest.raises(DataError, match=rf"T.csv.{packed}: cannot be read"):
        found(other)


def pack(content: bytes, path: Path) -> None:
    codecs = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
    with pa.CompressedOutputStream(str(path), codecs[path.suffix]) as out:
        out.write(content)


def test_a_file_without_a_header_is_told_of(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "t.csv", index=False, header=False)
    target = (tmp_path / "t.csv").read_text().partition("\n")[0].split(",")[-1]
    dataset = found(tmp_path / "t.csv", target=target).task.dataset
    assert any("has the file no header? -> " in note for note in dataset.notes)


def test_years_and_words_are_names(tmp_path: Path) -> None:
    names = frame().set_axis(["1999", "inf", "y"], axis=1)
    names.to_csv(tmp_path / "t.csv", index=False)
    assert found(tmp_path / "t.csv").task.dataset.notes == ()


def test_rows_that_are_all_bad_are_counted(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y\n" + "1,2,3\n" * 9)
    with pytest.raises(DataError, match="hold no row but 9 bad ones"):
        found(tmp_path / "t.csv", "dataset.on_bad_row=quarantine")
