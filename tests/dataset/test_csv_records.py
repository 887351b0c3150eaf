"""Records counted by bytes: as a slow machine counts them, as the parser reads them, or refused."""

import csv
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pv
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tandem.dataset.csv_records import count_records, line_of
from tandem.errors import DataError

BOM = b"\xef\xbb\xbf"
HEADER = b"a,b\n"


def count(folder: Path, text: bytes, *, multiline: bool = False, **sizes: int) -> int:
    (folder / "t.csv").write_bytes(text)
    return count_records(folder / "t.csv", multiline=multiline, **sizes).number


def slow(text: bytes) -> tuple[list[int], bool]:
    """Byte by byte: where records begin, and whether every quoted cell ends where it should."""
    begins: list[int] = []
    state, whole, fresh = "begin", True, True
    for place, byte in enumerate(text):
        end, quote = byte in b"\r\n", byte == ord('"')
        if fresh and not end:
            begins.append(place)
        if state == "quoted":
            state = "quote" if quote else state
        elif (state == "quote" and quote) or (quote and state == "begin"):
            state = "quoted"
        elif end or byte == ord(","):
            state = "begin"
        else:
            whole &= state != "quote"
            state = "text"
        fresh = end and state == "begin"
    return begins, whole and state != "quoted"


def parsed_rows(text: bytes) -> int | None:
    """None where the parser refuses."""
    try:
        reader = pv.open_csv(
            io.BytesIO(text), parse_options=pv.ParseOptions(newlines_in_values=True)
        )
        return sum(batch.num_rows for batch in reader)
    except pa.ArrowInvalid:
        return None


cells = st.sampled_from(["x", "", '"x"', '"a""b"', '"a,b"', '"a\nb"', 'x"y', '"""x"', ' "x"'])
lines = st.builds(lambda a, b, end: f"{a},{b}{end}", cells, cells, st.sampled_from("\n\r"))
texts = st.text('",\r\nx', max_size=30) | st.lists(lines, max_size=6).map("".join)


@settings(max_examples=400)
@given(texts, st.sampled_from([1, 2, 3, 7, 64]), st.sampled_from([b"", BOM]))
@example('1,"ab"c\n2,d', 64, b"")
@example('1,ab"c\n2," d', 64, b"")
@example('1,""\r\n\r\n"",""""\r', 1, BOM)
def test_records_are_those_of_a_slow_machine_and_of_the_parser(
    tmp_path_factory: pytest.TempPathFactory, body: str, block: int, bom: bytes
) -> None:
    text = HEADER + body.encode()
    begins, whole = slow(text)
    file = tmp_path_factory.mktemp("csv") / "t.csv"
    file.write_bytes(bom + text)
    if not whole:
        with pytest.raises(DataError, match=r"t\.csv:\d+: .*quote"):
            count_records(file, multiline=True, block=block)
        return
    assert count_records(file, multiline=True, block=block).number == len(begins) - 1
    assert parsed_rows(text) in {len(begins) - 1, None}
    for record, place in enumerate(begins):
        before = text[:place].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        assert line_of(file, record, block=block) == before.count(b"\n") + 1


@settings(max_examples=100)
@given(st.lists(st.tuples(st.text('",\r\nx', max_size=5), st.just("x")), max_size=6))
def test_what_a_csv_writer_wrote_is_counted(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("a", "b"), *rows])
    folder = tmp_path_factory.mktemp("csv")
    assert count(folder, text.getvalue().encode(), multiline=True) == len(rows)


UNCLOSED = "the quote that opens here is not closed"
RECORDS = "lines that look like records -> .*dataset.multiline=true"
TEXT = "text follows the quote that closes"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("block", [7, 1 << 18])
@pytest.mark.parametrize(
    ("body", "line", "rule"),
    [
        (b'1,a\n2,b\n3,"r\n4,d\n5,e\n', 4, UNCLOSED),
        (b'1,a\n\n"r,b\n', 4, UNCLOSED),
        (b'1,"a\n', 2, UNCLOSED),
        (b'1,"', 2, UNCLOSED),
        (b'1,"a""', 2, UNCLOSED),
        (b'1,a\n2,"r\n3,c\n4,d\n5,e"\n6,f\n', 3, RECORDS),
        (b'1,a\n2,"r\n3,c"\n', 3, RECORDS),
        (b'1,a\n2,"r\n\n3,c"\n', 3, RECORDS),
        (b'"1,a\n2",b\n', 2, RECORDS),
        (b'1,"a\nb"\n2,"r\n3,c\n"\n', 4, RECORDS),
        (b'1,"r""\n2,c\n3,"""\n', 2, RECORDS),
        (b'1,a\n2,"r\n3,"c"\n', 3, "quote"),
        (b'1,"a"b\n', 2, TEXT),
        (b'1,""b\n', 2, TEXT),
        (b'1,"say \\"hi\\" to"\n', 2, TEXT),
    ],
)
def test_a_quote_that_swallows_is_refused_with_the_line_where_it_opens(  # noqa: PLR0917 - a table
    tmp_path: Path,
    body: bytes,
    line: int,
    rule: str,
    block: int,
    end: bytes,
) -> None:
    with pytest.raises(DataError, match=rf"t\.csv:{line}: .*{rule}"):
        count(tmp_path, (HEADER + body).replace(b"\n", end), block=block)


def test_a_quote_in_the_header_may_swallow_too(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"t\.csv:1: .*{RECORDS}"):
        count(tmp_path, b'a,"b\n1,2\n3,4"\n5,6\n')
    with pytest.raises(DataError, match=rf"t\.csv:1: {UNCLOSED}"):
        count(tmp_path, b'"a,b\n1,2\n')
    assert count(tmp_path, b'"a\n1","b,c"\n1,2\n') == 1


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b'1,"dear all\nI am well\n"\n2,b\n', 2),
        (b'1,"dear all\nI, Bob, am well\n"\n2,b\n', 2),
        (b'"dear all\n\nBob",1\n', 1),
        (b'1,"He said ""no, no""\nand left"\n', 1),
        (b'1,5" pipe\n2,6" pipe\n', 2),
    ],
)
def test_cells_of_several_lines_are_cells(tmp_path: Path, body: bytes, rows: int) -> None:
    assert count(tmp_path, HEADER + body) == rows


def test_lines_that_look_like_records_are_a_cell_if_it_is_meant_so(tmp_path: Path) -> None:
    text = HEADER + b'1,"r\n2,c\n3,d"\n4,e\n'
    assert count(tmp_path, text, multiline=True) == 2
    with pytest.raises(DataError, match=UNCLOSED):
        count(tmp_path, HEADER + b'1,"r\n2,c\n', multiline=True)


def test_of_one_column_every_line_looks_like_a_record(tmp_path: Path) -> None:
    assert count(tmp_path, b'a\n1\n\n""\n"2"\n') == 3
    with pytest.raises(DataError, match=rf":2: .*{RECORDS}"):
        count(tmp_path, b'a\n"1\n2"\n')
    assert count(tmp_path, b'a\n"1\n2"\n', multiline=True) == 1


def test_a_cell_is_found_over_many_blocks_but_not_over_any_number(tmp_path: Path) -> None:
    text = HEADER + b'1,"' + b"x\n" * 100 + b'"\n2,b\n'
    assert count(tmp_path, text, block=16, most=1000) == 2
    text = HEADER + b'1,"' + b"x\n" * 10000 + b'"\n2,b\n'
    with pytest.raises(DataError, match=rf":2: {UNCLOSED} in the 1,0\d\d bytes"):
        count(tmp_path, text, block=16, most=1000)
