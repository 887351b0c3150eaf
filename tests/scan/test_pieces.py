"""Pieces of row groups: every cell once, whoever decodes, with however many readers."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tandem.errors import DataError
from tandem.records import Column, File, Kind
from tandem.scan.cuts import Cuts, Stretch, cuts_of, stretches_of
from tandem.scan.pieces import Call, Piece, Pieces

ROWS, GROUP, PIECE, FILES = 900, 350, 100, 3
NAMES = tuple(f"x{j}" for j in range(5))
PIECEWISE = Cuts(PIECE, page=0)
COLUMNS = [Column(f"c{i}", name, Kind.NUMERIC) for i, name in enumerate(NAMES)]


@pytest.fixture(params=[1, 10**9], ids=["many readers", "one reader"])
def reader_cells(request: pytest.FixtureRequest) -> int:
    """A small file as if it were large, or not."""
    cells: int = request.param
    return cells


@pytest.fixture(
    params=[(0, ROWS), (GROUP, 0), (GROUP // 2, GROUP)], ids=["piecewise", "at once", "alone"]
)
def cuts(request: pytest.FixtureRequest) -> Cuts:
    """Row groups as if they were large, or not, or as if there were many for every thread."""
    page, share = request.param
    return Cuts(PIECE, share, page)


def files(folder: Path) -> tuple[list[pa.Table], list[Stretch]]:
    """Tables, and the stretches of the files that hold them."""
    rng, tables, stretches = np.random.default_rng(0), [], []
    for number in range(FILES):
        path = folder / f"{number}.parquet"
        tables.append(pa.table({name: rng.normal(size=ROWS) for name in (*NAMES, "unused")}))
        pq.write_table(tables[-1], path, row_group_size=GROUP)
        sizes = [GROUP, GROUP, ROWS - 2 * GROUP]
        stretches += stretches_of(File(str(path), ROWS, number * ROWS), sizes)
    return tables, stretches


def pieces_of(stretches: Sequence[Stretch], cuts: Cuts = PIECEWISE, cells: int = 10**9) -> Pieces:
    return Pieces(lambda file: pq.ParquetFile(file.path), stretches, COLUMNS, cuts, cells)


def called(call: Call) -> list[Piece] | Exception:
    try:
        return [*call()]
    except (DataError, InterruptedError) as error:
        return error


@pytest.mark.parametrize("threads", [1, 3])
def test_every_cell_is_decoded_once(
    tmp_path: Path, threads: int, reader_cells: int, cuts: Cuts
) -> None:
    tables, stretches = files(tmp_path)
    decoding = pieces_of(stretches, cuts, reader_cells)
    with ThreadPoolExecutor(threads) as pool:
        found = [*pool.map(called, decoding)]
    assert decoding.counts == ((1, 1, 1) if cuts.share == GROUP else (4, 4, 2)) * FILES
    pieces = [piece for some in found if isinstance(some, list) for piece in some]
    assert [piece.rows for piece in pieces] == [100, 100, 100, 50, 100, 100, 100, 50, 100, 100] * 3
    decoded = [pa.table(dict(piece.columns)) for piece in pieces]
    assert pa.concat_tables(decoded) == pa.concat_tables(tables).select(NAMES)
    firsts = np.cumsum([0, *(table.num_rows for table in decoded)])
    assert [piece.first_row for piece in pieces] == firsts[:-1].tolist()


@pytest.mark.parametrize("threads", [1, 3])
def test_a_row_group_that_cannot_be_read_is_named_once(
    tmp_path: Path, threads: int, reader_cells: int, cuts: Cuts
) -> None:
    """The pieces before it are whole; those after it are not waited for."""
    _, stretches = files(tmp_path)
    second = tmp_path / "1.parquet"
    chunk = pq.read_metadata(second).row_group(1).column(3)
    content = bytearray(second.read_bytes())
    begin = chunk.dictionary_page_offset or chunk.data_page_offset
    content[begin : begin + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    second.write_bytes(content)
    with ThreadPoolExecutor(threads) as pool:
        found = [*pool.map(called, pieces_of(stretches, cuts, reader_cells))]
    whole = 3 + 1 if cuts.share == GROUP else 10 + 4
    assert all(isinstance(some, list) for some in found[:whole])
    assert isinstance(found[whole], DataError)
    assert str(found[whole]).startswith(f"{second}: row group 1 cannot be read")
    assert all(isinstance(some, InterruptedError) for some in found[whole + 1 :])


def test_small_row_groups_are_decoded_together(tmp_path: Path) -> None:
    """But none with half of a larger one; of texts that are stored as codes each has its own."""
    sizes = [30, 0, 30, 40, 1, 350, 60, 39]
    rng, path, rows = np.random.default_rng(0), tmp_path / "t.parquet", sum(sizes)
    table = pa.table({"x": rng.normal(size=rows), "t": rng.choice(["a", "b", "c", None], rows)})
    with pq.ParquetWriter(path, table.schema) as writer:
        for end, size in zip(np.cumsum(sizes).tolist(), sizes, strict=True):
            writer.write_table(table.slice(end - size, size))
    stretch = Stretch(File(str(path), rows, 0), 0, tuple(sizes), 0)
    columns = [Column("x", "x", Kind.NUMERIC), Column("t", "t", Kind.CATEGORICAL)]

    def opened(file: File) -> pq.ParquetFile:
        return pq.ParquetFile(file.path, read_dictionary=["t"])

    decoded = [one for call in Pieces(opened, [stretch], columns, Cuts(PIECE)) for one in call()]
    assert [piece.rows for piece in decoded] == [100, 1, 100, 100, 100, 50, 99]
    found = pa.concat_tables(pa.table(dict(piece.columns)) for piece in decoded)
    assert found.cast(table.schema) == table


def test_long_texts_are_decoded_piece_by_piece(tmp_path: Path) -> None:
    rows, path = 350, tmp_path / "t.parquet"
    table = pa.table({"t": [f"{row:0100000}" for row in range(rows)]})
    pq.write_table(table, path, use_dictionary=False, compression="none", write_batch_size=8)
    (stretch,) = stretches_of(File(str(path), rows, 0), [rows], short=False)
    columns = [Column("t", "t", Kind.CATEGORICAL)]

    def opened(file: File) -> pq.ParquetFile:
        return pq.ParquetFile(file.path, pre_buffer=False, buffer_size=65_536)

    del table
    before = pa.total_allocated_bytes()
    decoding = Pieces(opened, [stretch], columns, Cuts(PIECE))
    pieces = [*next(decoding)()]
    assert pa.total_allocated_bytes() - before < rows * 100_000 / 2
    pieces += [piece for call in decoding for piece in call()]
    assert [piece.rows for piece in pieces] == [100, 100, 100, 50]


def test_of_row_groups_that_are_decoded_together_the_bad_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({name: np.arange(50.0) for name in NAMES}), path, row_group_size=20)
    stretch = Stretch(File(str(path), 60, 0), 0, (20, 20, 20), 0)
    (found,) = map(called, pieces_of([stretch]))
    assert str(found).startswith(f"{path}: row group 2 cannot be read (10 rows read where 20")


def test_rows_that_are_not_there_are_missed(tmp_path: Path, reader_cells: int, cuts: Cuts) -> None:
    _, stretches = files(tmp_path)
    pq.write_table(pq.read_table(tmp_path / "0.parquet").slice(0, 320), tmp_path / "0.parquet")
    decoding = [*pieces_of(stretches, cuts, reader_cells)]
    error = next(one for one in map(called, decoding) if isinstance(one, DataError))
    missed = "320 rows read where 350" if cuts.page else "20 rows read where 50"
    assert f"{missed} were expected" in str(error)


def test_who_waits_for_an_earlier_piece_need_not_when_all_are_stopped(tmp_path: Path) -> None:
    _, stretches = files(tmp_path)
    decoding = pieces_of(stretches)
    _, second = next(decoding), next(decoding)
    found: list[list[Piece] | Exception] = []
    waiting = threading.Thread(target=lambda: found.append(called(second)))
    waiting.start()
    waiting.join(timeout=0.2)
    assert waiting.is_alive()
    decoding.stop()
    waiting.join(timeout=10)
    assert isinstance(found[0], InterruptedError)


@pytest.mark.parametrize(("cells", "opened"), [(1, 5), (10**9, 1), (2000, 3)])
def test_small_files_are_opened_less_often(tmp_path: Path, cells: int, opened: int) -> None:
    _, stretches = files(tmp_path)
    counted: list[str] = []

    def opening(file: File) -> pq.ParquetFile:
        counted.append(file.path)
        return pq.ParquetFile(file.path)

    for call in Pieces(opening, stretches, COLUMNS, PIECEWISE, cells):
        called(call)
    assert len(counted) == opened * FILES


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([100], [(0, (100,))]),
        ([0, 5, 0, 95, 0], [(1, (5, 0, 95))]),
        ([10] * 8, [(i, (10,)) for i in range(8)]),
        ([1] * 17, [(3 * i, (1,) * 3) for i in range(5)] + [(15, (1, 1))]),
        ([800_000] * 60, [(3 * i, (800_000,) * 3) for i in range(20)]),
        ([], []),
    ],
)
def test_stretches_hold_every_row_once(
    sizes: list[int], expected: list[tuple[int, tuple[int, ...]]]
) -> None:
    found = [*stretches_of(File("a", sum(sizes), 7), sizes)]
    assert [(one.first, one.sizes) for one in found] == expected
    ends = np.cumsum([0, *(one.rows for one in found)]).tolist()
    assert [one.first_row for one in found] == [7 + end for end in ends[:-1]]
    assert ends[-1] == sum(sizes)


@pytest.mark.parametrize(
    ("rows", "columns", "groups", "threads", "each"),
    [
        (100_000, 30, 8, 2, 100_000),  # four for each of two
        (100_000, 30, 7, 2, 16_384),  # too few: every piece of one is for another thread
        (100_000, 90, 8, 2, 16_384),  # they are large
        (100_000, 90, 1, 1, 100_000),  # nobody else holds one
        (250_000, 30, 8, 2, 250_000),
        (250_000, 30, 7, 2, 16_384),
        (300_000, 1, 20, 1, 16_384),  # larger than two pages
    ],
)
def test_a_thread_takes_a_row_group_alone_where_there_are_enough(
    rows: int, columns: int, groups: int, threads: int, each: int
) -> None:
    stretches = [Stretch(File("a", 0, 0), i, (rows,), i * rows) for i in range(groups)]
    cuts = cuts_of(stretches, columns, 16_384, threads)
    runs = [run for stretch in stretches for run in cuts.runs(stretch)]
    assert [run.each for run in runs] == [each] * groups
    assert [run.first for run in runs] == [rows * i for i in range(groups)]
    assert {run.at_once for run in runs} == {rows < 200_000 or each == rows}
