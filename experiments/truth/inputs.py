"""Odd tables and what each says: made with the csv module and by pyarrow, never read here."""

import csv
import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Rows = list[list[str]]
Columns = dict[str, list[Any]]
HEADER = ["a", "b", "c", "y"]
NUMBERS = ("a", "c", "y")
ROWS = 60


@dataclass(frozen=True)
class Case:
    """`files`: name -> bytes; `says`: the table as a careful reader has it; None: a missing cell.

    `says` is None where there is no one answer: then a run must refuse it, or tell of it. `unseen`:
    nothing in the files can tell that they are damaged.
    """

    kind: str
    files: dict[str, bytes]
    says: Columns | None
    unseen: bool = False


def table(rng: random.Random) -> Rows:
    """Rounded numbers, a category, whole numbers, and a target: their sum, with noise."""
    rows = []
    for _ in range(ROWS):
        a, c = round(rng.gauss(0, 5), 2), rng.randint(-20, 60)
        b = rng.choice(["red", "green", "blue", "pale blue"])
        y = round(2 * a - 0.3 * c + 4 * len(b) + rng.gauss(0, 3), 3)
        rows.append([repr(a), b, str(c), repr(y)])
    return rows


def said(rows: Rows, header: list[str] = HEADER, missing: tuple[str, ...] = ("",)) -> Columns:
    """The cells as they are meant."""
    columns: Columns = {}
    for j, name in enumerate(header):
        cells = [row[j] for row in rows]
        kept = [None if cell in missing else cell for cell in cells]
        columns[name] = [
            float(cell) if name in NUMBERS and cell is not None else cell for cell in kept
        ]
    return columns


def text(rows: Rows, header: list[str] = HEADER, **options: Any) -> bytes:
    """As Python's csv writes it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=options.pop("end", "\n"), **options)
    writer.writerows([header, *rows])
    return out.getvalue().encode()


def plain(rows: Rows, header: list[str] = HEADER, sep: str = ",", end: str = "\n") -> bytes:
    """Cells side by side, as they stand: nothing is quoted."""
    return "".join(sep.join(row) + end for row in [header, *rows]).encode()


def with_cell(rows: Rows, at: int, column: int, cell: str) -> Rows:
    """`rows` with one other cell."""
    changed = [row.copy() for row in rows]
    changed[at][column] = cell
    return changed


def one(path: str, data: bytes) -> dict[str, bytes]:
    return {path: data}


def csv_cases(rng: random.Random) -> Iterator[Case]:
    """One of every kind."""
    rows = table(rng)
    at, column = rng.randrange(ROWS), rng.choice([0, 2, 3])
    says = said(rows)
    shapes = {
        "every cell quoted": text(rows, quoting=csv.QUOTE_ALL),
        "text quoted": text(rows, quoting=csv.QUOTE_NONNUMERIC),
        "CR LF": text(rows, end="\r\n"),
        "a byte order mark": b"\xef\xbb\xbf" + text(rows),
        "no newline at the end": text(rows).rstrip(b"\n"),
        "blank lines": text(rows).replace(b"\n", b"\n\n"),
        "columns in another order": text(
            [[r[3], r[0], r[2], r[1]] for r in rows], ["y", "a", "c", "b"]
        ),
    }
    for kind, data in shapes.items():
        yield Case(kind, one("t.csv", data), says)
    spelled = {
        "plus signs": lambda x: x if x.startswith("-") else "+" + x,
        "exponents": lambda x: f"{float(x):.17e}",
        "no zero before the point": lambda x: x.replace("0.", ".", 1) if x.startswith("0.") else x,
        "leading zeros": lambda x: "00" + x if not x.startswith("-") else x,
        "blanks around numbers": lambda x: f" {x} ",
        "tabs around numbers": lambda x: f"\t{x}",
    }
    for kind, change in spelled.items():
        yield Case(kind, one("t.csv", plain([[change(r[0]), *r[1:]] for r in rows])), says)
    for mark in ("", "NA", "N/A", "null", "NaN"):
        gaps = [[mark if rng.random() < 0.2 else r[0], *r[1:]] for r in rows]
        yield Case(f"missing as '{mark}'", one("t.csv", plain(gaps)), said(gaps, missing=(mark,)))
    yield from odd_cells(rng, rows, at, column)
    yield from odd_columns(rng, rows)
    yield from odd_files(rng, rows, at)


def odd_cells(rng: random.Random, rows: Rows, at: int, column: int) -> Iterator[Case]:
    """One cell that is no plain number, in a column of numbers; or no plain text."""
    cells = [
        *('"1.5"2', "NAN", "nan(1)", "-nan", "inf", "-Infinity", "1e400", "0x10", "1_000", "1d5"),
        *("1,000", "1 000", "1.2.3", "--1", "1e", "e5", "\u0661\u0662", "\u221212", "1\u00a0000"),
        *("$5", "5%", "5 kg", "5,5", "?", "-", "None", "none", "n/a", "missing", "#N/A", "true"),
        *("9007199254740993", "1e-400", "1\x002", "'1'", "(5)", "5-", "1/2", "2020-01-01"),
    ]
    cell = rng.choice(cells)
    alone = with_cell(rows, at, column, cell)
    # Among fractions a number of 16 digits is one that float64 has to within its rounding.
    says = said(alone) if cell == "9007199254740993" else None
    yield Case("an odd cell among numbers", one("t.csv", plain(alone)), says)
    quoted = [[f'"{x}"' for x in row] for row in alone] if '"' not in cell else alone
    yield Case("an odd quoted cell among numbers", one("t.csv", plain(quoted)), says)
    words = ['say "hi"', "a,b", "two\nlines", " red", "red ", "Red", "r\u00e9d", "\U0001f600", "''"]
    word = rng.choice(words)
    strange = with_cell(rows, at, 1, word)
    yield Case("an odd text, quoted as it should be", one("t.csv", text(strange)), said(strange))
    bare = with_cell(rows, at, 1, rng.choice(['r"ed', 'red"', '5" pipe']))
    yield Case("a quote within a text that is not quoted", one("t.csv", plain(bare)), said(bare))
    broken = ['"red"x', '"red', '""red', "re\x00d"]
    yield Case(
        "a broken text", one("t.csv", plain(with_cell(rows, at, 1, rng.choice(broken)))), None
    )


def odd_columns(rng: random.Random, rows: Rows) -> Iterator[Case]:
    """A whole column that is no plain numbers."""
    forms: dict[str, Callable[[str], str]] = {
        "dollars": lambda x: f"${x}",
        "percent": lambda x: f"{x}%",
        "a unit": lambda x: f"{x} kg",
        "decimal commas": lambda x: '"' + x.replace(".", ",") + '"',
        "thousands": lambda x: '"' + f"{1000 + abs(float(x)):,.2f}" + '"',
        "dates": lambda x: f"2020-01-{1 + int(abs(float(x))) % 28:02}",
        "times": lambda x: f"12:{int(abs(float(x))) % 60:02}",
    }
    kind = rng.choice([*forms])
    yield Case(
        f"a column of {kind}",
        one("t.csv", plain([[forms[kind](r[0]), *r[1:]] for r in rows])),
        None,
    )
    share = rng.choice([0.05, 0.2, 0.4, 0.6, 0.9])
    mark = rng.choice(["?", "-", ".", "None", "unknown", "#N/A", "-999x"])
    marked = [[mark if rng.random() < share else r[0], *r[1:]] for r in rows]
    if any(row[0] == mark for row in marked):
        yield Case("a mark for missing that is not known", one("t.csv", plain(marked)), None)
    late = [["" if k < ROWS - 5 else r[0], *r[1:]] for k, r in enumerate(rows)]
    yield Case("numbers that come late", one("t.csv", plain(late)), said(late))
    text_late = with_cell(rows, ROWS - 1, 0, "oops")
    yield Case("text in the last row of numbers", one("t.csv", plain(text_late)), None)


def odd_files(rng: random.Random, rows: Rows, at: int) -> Iterator[Case]:
    """Rows, headers and files that do not fit."""
    lines = plain(rows).split(b"\n")
    longer, shorter = [*lines], [*lines]
    longer[at + 1] += b",7"
    shorter[at + 1] = shorter[at + 1].rsplit(b",", 1)[0]
    yield Case("a cell too many", one("t.csv", b"\n".join(longer)), None)
    yield Case("a cell too few", one("t.csv", b"\n".join(shorter)), None)
    yield Case(
        "a comma at the end of every row",
        one("t.csv", b",\n".join([lines[0] + b"\x00"[:0], *lines[1:-1], b""])),
        None,
    )
    yield Case(
        "the header once more", one("t.csv", b"\n".join([*lines[:at], lines[0], *lines[at:]])), None
    )
    yield Case("two names alike", one("t.csv", plain(rows, ["a", "b", "a", "y"])), None)
    yield Case("a name left empty", one("t.csv", plain(rows, ["a", "", "c", "y"])), None)
    yield Case("no header", one("t.csv", b"\n".join(lines[1:])), None)
    separator = rng.choice([";", "\t", "|"])
    yield Case("another delimiter", one("t.csv", plain(rows, sep=separator)), None)
    encoding = rng.choice(["latin-1", "utf-16", "cp1252"])
    foreign = with_cell(rows, at, 1, "r\u00e9d")
    yield Case("another encoding", one("t.csv", plain(foreign).decode().encode(encoding)), None)
    cut = len(plain(rows)) - rng.randint(1, 9)
    yield Case("cut off", one("t.csv", plain(rows)[:cut]), None)
    half = ROWS // 2
    parts = {"0.csv": plain(rows[:half]), "1.csv": plain(rows[half:])}
    yield Case("two parts", parts, said(rows))
    other = ["y", "a", "c", "b"]
    second = plain([[r[3], r[0], r[2], r[1]] for r in rows[half:]], other)
    yield Case("two parts, columns in another order", {**parts, "1.csv": second}, said(rows))
    fewer = plain([r[:1] + r[2:] for r in rows[half:]], ["a", "c", "y"])
    yield Case("two parts, a column in one", {**parts, "1.csv": fewer}, None)


def parquet_cases(rng: random.Random) -> Iterator[Case]:
    """The same table as others store it, and damaged."""
    rows = [
        [x if rng.random() > 0.1 or j == 3 else "" for j, x in enumerate(r)] for r in table(rng)
    ]
    says = said(rows)
    whole = arrow(says)
    options: list[dict[str, Any]] = [
        {"compression": rng.choice(["none", "snappy", "gzip", "zstd", "lz4", "brotli"])},
        {"data_page_version": "2.0"},
        {"use_dictionary": False},
        {"write_statistics": False},
        {"row_group_size": rng.choice([1, 7, 59])},
        {"version": "1.0"},
        {"store_schema": False},
        {"use_dictionary": False, "column_encoding": {"b": "DELTA_BYTE_ARRAY"}},
        {"use_dictionary": False, "column_encoding": {"a": "BYTE_STREAM_SPLIT"}},
        {"write_page_checksum": True},
    ]
    for chosen in options:
        name = next(iter(chosen))
        yield Case(f"Parquet, {name}", one("t.parquet", stored(whole, **chosen)), says)
    kinds = {
        "float32": ("c", pa.float32()),
        "int16": ("c", pa.int16()),
        "decimal": ("c", pa.decimal128(9, 2)),
        "categories": ("b", pa.dictionary(pa.int8(), pa.string())),
        "large text": ("b", pa.large_string()),
    }
    for kind, (column, of) in kinds.items():
        typed = whole.set_column(
            whole.schema.get_field_index(column), column, whole[column].cast(of)
        )
        yield Case(f"Parquet, {kind}", one("t.parquet", stored(typed)), says)
    half = {
        "0.parquet": stored(whole.slice(0, 30)),
        "1.parquet": stored(whole.slice(30).select(HEADER[::-1])),
    }
    yield Case("Parquet, two parts in another order", half, says)
    extra = whole.append_column("A", whole["c"])
    yield Case("Parquet, A beside a", one("t.parquet", stored(extra)), {**says, "A": says["c"]})
    index = whole.append_column("__index_level_0__", pa.array(range(ROWS)))
    yield Case("Parquet, a saved index", one("t.parquet", stored(index)), says)
    for sums in (True, False):
        data = bytearray(stored(whole, write_page_checksum=sums))
        bit = rng.randrange(8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
        kind = f"Parquet, one bit changed, {'with' if sums else 'no'} checksums"
        yield Case(kind, one("t.parquet", bytes(data)), says, unseen=not sums)
    cut = stored(whole)
    yield Case("Parquet, cut off", one("t.parquet", cut[: rng.randrange(len(cut))]), None)
    beyond = rng.choice([float("inf"), 1e200])
    odd = whole.set_column(0, "a", pa.array([beyond, *says["a"][1:]], pa.float64()))
    yield Case("Parquet, a number that is too large", one("t.parquet", stored(odd)), None)


def arrow(columns: Columns) -> pa.Table:
    """The columns in Arrow's types."""
    kinds = {name: pa.float64() if name != "b" else pa.string() for name in columns}
    return pa.table({name: pa.array(cells, kinds[name]) for name, cells in columns.items()})


def stored(data: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(data, out, **options)
    return out.getvalue()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """The path that a user would give."""
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder / next(iter(files)) if len(files) == 1 else folder
