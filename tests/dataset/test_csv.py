"""CSV to Parquet: strictly, once, block by block."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.dataset import csv, csv_reader, csv_writer, parquet
from tandem.dataset.csv import to_parquet
from tandem.dataset.csv_records import Records
from tandem.dataset.opening import content_digest
from tandem.dataset.parquet import write_row_groups
from tandem.errors import DataError
from tandem.settings import Spelling

pytestmark = pytest.mark.usefixtures("own_cache")

NA = Spelling(("", "NA"))


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK_BYTES", 64)


def write(folder: Path, *texts: str | bytes) -> list[Path]:
    files = [folder / f"{number}.csv" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_bytes(text.encode() if isinstance(text, str) else text)
    return files


def converted(folder: Path, *texts: str | bytes, spelling: Spelling = NA) -> list[pa.Table]:
    files = write(folder, *texts)
    done = to_parquet(files, content_digest(files), spelling)
    return [pq.read_table(file) for file in done.files]


def content(folder: Path, text: str | bytes, spelling: Spelling = NA) -> dict[str, list[object]]:
    columns: dict[str, list[object]] = converted(folder, text, spelling=spelling)[0].to_pydict()
    return columns


def types(table: pa.Table) -> dict[str, str]:
    return {field.name: str(field.type) for field in table.schema}


def test_numbers_become_double_dates_moments_and_all_else_text(tmp_path: Path) -> None:
    text = "whole,real,text,flag,day\n1,1.5,a,true,2013-01-01\n2,-1e-3,b,false,2013-01-02\n"
    table = converted(tmp_path, text)[0]
    assert types(table) == {
        "whole": "double",
        "real": "double",
        "text": "string",
        "flag": "string",
        "day": "timestamp[us]",
    }
    assert table.to_pydict() == {
        "whole": [1.0, 2.0],
        "real": [1.5, -0.001],
        "text": ["a", "b"],
        "flag": ["true", "false"],
        "day": [dt.datetime(2013, 1, 1), dt.datetime(2013, 1, 2)],  # noqa: DTZ001 - it has no zone
    }


@pytest.mark.usefixtures("small_blocks")
def test_a_bad_number_in_the_last_row_names_file_row_column_and_value(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"0\.csv:102: .*column.*'oops'"):
        converted(tmp_path, "x,y\n" + "1,2\n" * 100 + "1,oops\n")


@pytest.mark.usefixtures("small_blocks")
def test_a_number_never_becomes_text_because_of_a_later_cell(tmp_path: Path) -> None:
    files = write(tmp_path, "x,y\n" + "1,2\n" * 100, "x,y\n1,2\nlate,2\n")
    with pytest.raises(DataError, match=r"1\.csv:3: .*'late'"):
        to_parquet(files, content_digest(files), NA)


@pytest.mark.parametrize("rows", [1, 100])
@pytest.mark.parametrize("bad", ["1", "1,2,3"])
@pytest.mark.usefixtures("small_blocks")
def test_another_number_of_fields_names_the_row(tmp_path: Path, rows: int, bad: str) -> None:
    with pytest.raises(DataError, match=rf"0\.csv:{rows + 2}: .*Expected 2 columns"):
        converted(tmp_path, "x,y\n" + "1,2\n" * rows + bad + "\n")


@pytest.mark.usefixtures("small_blocks")
def test_nothing_is_kept_of_a_file_with_an_error(tmp_path: Path, own_cache: Path) -> None:
    with pytest.raises(DataError):
        converted(tmp_path, "x,y\n" + "1,2\n" * 100 + "1,oops\n")
    kept = (path for path in own_cache.rglob("*") if path.is_file())
    assert [path for path in kept if "locks" not in path.parts] == []


def test_only_the_listed_spellings_are_missing(tmp_path: Path) -> None:
    text = 'x,y\n1,NA\nNA,""\n,"NA"\n4,null\n'
    assert content(tmp_path, text) == {"x": [1, None, None, 4], "y": [None, None, None, "null"]}
    assert content(tmp_path, text, Spelling(("", "NA", "null")))["y"] == [None] * 4
    assert content(tmp_path, text, Spelling(("",)))["x"] == ["1", "NA", None, "4"]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("late", "kind"), [("7", "double"), ("seven", "string")])
def test_a_column_empty_in_the_first_block_is_typed_by_its_first_values(
    tmp_path: Path, late: str, kind: str
) -> None:
    table = converted(tmp_path, "x,y\n" + ",2\n" * 100 + f"{late},3\n")[0]
    assert types(table) == {"x": kind, "y": "double"}
    assert table["x"].null_count == 100
    assert str(table["x"][100]) == ("7.0" if kind == "double" else "seven")


def test_a_column_empty_in_the_first_file_is_typed_by_the_second(tmp_path: Path) -> None:
    first, second = converted(tmp_path, "x,y\n,2\n", "x,y\na,2\n")
    assert first.schema == second.schema
    assert (first["x"].to_pylist(), second["x"].to_pylist()) == ([None], ["a"])


def test_a_column_that_is_empty_everywhere_is_a_number_that_is_missing(tmp_path: Path) -> None:
    table = converted(tmp_path, "x,y\n,2\n,3\n")[0]
    assert types(table)["x"] == "double"
    assert table["x"].null_count == 2


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfx,y\n1,a\n2,b\n",
        b"x,y\r\n1,a\r\n2,b\r\n",
        b"\xef\xbb\xbfx,y\r\n1,a\r\n2,b",
        b"\n\nx,y\n1,a\n2,b\n",
        b"x,y\n1,a\n\n2,b\n\n\n",
        b"x,y\n1,a\n2,b",
        b'"x","y"\n"1","a"\n"2","b"\n',
        b"x,y\n 1,a\n2 ,b\n",
    ],
    ids=["BOM", "CRLF", "both", "leading", "trailing", "no end", "quotes", "spaces"],
)
def test_what_surrounds_the_cells_does_not_matter(tmp_path: Path, text: bytes) -> None:
    assert content(tmp_path, text) == {"x": [1.0, 2.0], "y": ["a", "b"]}


def test_text_is_kept_as_it_stands(tmp_path: Path) -> None:
    text = 'x,y\n1, a \n2,"b\nc"\n3,"d,""e"""\n4,\U0001f600\n'
    assert content(tmp_path, text)["y"] == [" a ", "b\nc", 'd,"e"', "\U0001f600"]


@pytest.mark.usefixtures("small_blocks")
def test_a_line_break_within_a_cell_is_text_wherever_a_block_ends(tmp_path: Path) -> None:
    text = "x,y\n" + '1,"a\nb"\n' * 100
    assert content(tmp_path, text) == {"x": [1.0] * 100, "y": ["a\nb"] * 100}


def test_names_are_kept_as_they_stand(tmp_path: Path) -> None:
    assert [*content(tmp_path, "a.b,c d,e`f\n1,2,3\n")] == ["a.b", "c d", "e`f"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"x,,y\n1,2,3\n", "line 1: column 2 has no name"),
        (b"x,y,x\n1,2,3\n", "line 1: two columns are named 'x'"),
        (b"x,y\n1,2\ninf,3\n", ":3: column 'x': inf: a number must be finite"),
        (b"x,y\n1,2\n9007199254740994,3\n", r"column 'x': 9.*: from 2\^53 on"),
        (b"x,y\n1,2\n-9007199254740994,3\n", r":3: column 'x': -9.*: from 2\^53 on"),
        (b"x,y\n1,a\n2,\xff\n", ":3: column 'y': the text is not utf-8 -> .*encoding=latin-1"),
        (b"x,y\xff\n1,a\n", ":1: the header is not utf-8 -> .*encoding=latin-1"),
        (b"", "Empty"),
    ],
)
def test_what_no_engine_could_read_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    with pytest.raises(DataError, match=rf"0\.csv.*{message}"):
        converted(tmp_path, text)


def test_every_file_has_the_columns_of_the_first(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1\.csv: its header differs .* in .*\['y', 'z'\]"):
        converted(tmp_path, "x,y\n1,2\n", "x,z\n1,2\n")


def test_no_row_is_lost_behind_a_quote(tmp_path: Path) -> None:
    rows = [f"{row},b{row}" for row in range(12)]
    rows[3], rows[6] = '3,"b3', '6,b6"'
    text = "x,y\n" + "\n".join(rows) + "\n"
    with pytest.raises(DataError, match=r"1\.csv:5: .*look like records.*multiline=true"):
        converted(tmp_path, "x,y\n1,2\n", text)
    meant = converted(tmp_path, text, spelling=Spelling(NA.missing, multiline=True))[0]
    assert meant["y"].to_pylist()[3] == "b3\n4,b4\n5,b5\n6,b6"
    assert meant.num_rows == 9
    with pytest.raises(DataError, match=r"0\.csv:5: the quote that opens here is not closed"):
        converted(tmp_path, text.replace('b6"', "b6"), spelling=Spelling(multiline=True))


def test_another_number_of_rows_than_the_bytes_tell_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        csv, "count_records", lambda *_, **__: Records(3, ended=True)
    )  # the two agree on all texts
    with pytest.raises(DataError, match=r"0\.csv: 3 rows by its line breaks .*, 2 by the parser"):
        converted(tmp_path, "x,y\n1,2\n3,4\n")


@pytest.mark.usefixtures("small_blocks")
def test_a_row_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"0\.csv: a row is longer than the 64 bytes"):
        converted(tmp_path, "x,y\n" + "1,2\n" * 50 + "1," + "a" * 500 + "\n")


def test_a_converted_file_that_is_damaged_is_converted_again(tmp_path: Path) -> None:
    files = write(tmp_path, "x,y\n" + "1,2\n" * 100)
    (path,) = to_parquet(files, content_digest(files), NA).files
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert to_parquet(files, content_digest(files), NA).files == (path,)
    assert pq.read_table(path)["x"].to_pylist() == [1.0] * 100


def test_pages_have_checksums(tmp_path: Path) -> None:
    files = write(tmp_path, "x,y\n" + "1.5,a\n" * 100)
    (path,) = to_parquet(files, content_digest(files), NA).files
    content = path.read_bytes()
    said = set()
    for place in range(4, len(content) // 2):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            pq.read_table(path, page_checksum_verification=True)
        except (OSError, pa.ArrowException) as error:
            said.add("CRC" in str(error))
    assert True in said


def state(folder: Path) -> dict[Path, tuple[int, int]]:
    found = {path: path.stat() for path in folder.rglob("*")}
    return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in found.items()}


def test_a_file_is_converted_once(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write(tmp_path, "x,y\n1,2\n")
    first = to_parquet(files, content_digest(files), NA)
    before = state(own_cache)
    monkeypatch.setattr(csv_writer, "typed_batches", None)  # nothing is parsed again
    assert to_parquet(files, content_digest(files), NA) == first
    assert state(own_cache) == before


def test_other_content_or_other_spellings_are_converted_anew(tmp_path: Path) -> None:
    files = write(tmp_path, "x,y\n1,2\n")
    digest = content_digest(files)
    first = to_parquet(files, digest, NA)
    assert to_parquet(files, digest, Spelling()).files != first.files
    write(tmp_path, "x,y\n1,3\n")
    other = to_parquet(files, content_digest(files), NA)
    assert other.files != first.files
    assert pq.read_table(first.files[0])["y"].to_pylist() == [2.0]
    assert pq.read_table(other.files[0])["y"].to_pylist() == [3.0]


def batches(sizes: list[int]) -> Iterator[pa.RecordBatch]:
    begin = 0
    for size in sizes:
        yield pa.RecordBatch.from_pydict({"id": pa.array(range(begin, begin + size), pa.int64())})
        begin += size


@settings(max_examples=60)
@given(st.lists(st.integers(0, 11), min_size=1, max_size=8))
def test_row_groups_do_not_depend_on_the_batches(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    path, rows = tmp_path_factory.mktemp("groups") / "a.parquet", sum(sizes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ROW_GROUP_ROWS", 4)
        assert write_row_groups(path, batches(sizes)) == rows
    footer = pq.read_metadata(path)
    groups = [footer.row_group(i).num_rows for i in range(footer.num_row_groups)]
    full, rest = divmod(rows, 4)
    assert [size for size in groups if size] == [4] * full + [rest] * (rest > 0)
    assert pq.read_table(path)["id"].to_pylist() == [*range(rows)]


def test_of_several_files_at_once_the_first_complaint_comes_first(tmp_path: Path) -> None:
    good = "x,y\n" + "1,2\n" * 100
    late, early = good + "1,late\n", "x,y\n1,early\n"
    with pytest.raises(DataError, match=r"1\.csv:102: .*'late'"):
        converted(tmp_path, good, late, early, good)
    with pytest.raises(DataError, match=r"3\.csv:2: the quote that opens here"):
        converted(tmp_path, good, late, early, 'x,y\n"1,2\n')


def test_a_file_of_a_header_alone_ends_with_a_line(tmp_path: Path) -> None:
    files = write(tmp_path, "x\n1\n", "x\n", "x\n1")
    assert to_parquet(files, content_digest(files), NA).ended == (True, True, False)


@pytest.mark.usefixtures("small_blocks")
def test_a_complaint_names_the_column_of_its_own_file(tmp_path: Path) -> None:
    late = b"a,b,c\n" + b"1,2,\n" * 40 + b"1,2,\xff\n"
    with pytest.raises(DataError, match=r"0\.csv:42: column 'c': the text is not utf-8"):
        converted(tmp_path, late)
    with pytest.raises(DataError, match=r"1\.csv:2: column 'b': 'oops'"):
        converted(tmp_path, "a,b\n1,2\n", "b,a\noops,1\n")
