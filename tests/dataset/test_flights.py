"""The flights and the rows drawn from them."""

import inspect
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tandem.dataset.flights import flights_folder, sample

SIZE, GROUP = 1000, 100
TABLE = pa.table({"id": range(SIZE), "text": [f"row {i}" for i in range(SIZE)]})
COUNTS = [1, 99, 100, 101, 999, 1000, 1001, 1100, 2550]

every_count = pytest.mark.parametrize("rows", COUNTS)
drawn_without = pytest.mark.parametrize("rows", [n for n in COUNTS if n <= SIZE])
drawn_with = pytest.mark.parametrize("rows", [n for n in COUNTS if n > SIZE])


def ids(rows: int, seed: int = 0) -> list[int]:
    return [i for batch in sample(TABLE, rows, seed, GROUP) for i in batch["id"].to_pylist()]


@every_count
def test_exactly_the_rows_asked_for_are_drawn_from_the_table(rows: int) -> None:
    drawn = pa.Table.from_batches(sample(TABLE, rows, 0, GROUP))
    assert drawn.num_rows == rows
    assert drawn == TABLE.take(drawn["id"])


@drawn_without
def test_up_to_the_size_no_row_is_drawn_twice_and_the_order_stays(rows: int) -> None:
    drawn = ids(rows)
    assert drawn == sorted({*drawn})


@drawn_with
def test_beyond_the_size_rows_are_drawn_with_replacement(rows: int) -> None:
    # The number of different rows; without replacement every row of the table would be among them.
    expected = SIZE * (1 - (1 - 1 / SIZE) ** rows)
    assert len({*ids(rows)}) == pytest.approx(expected, abs=5 * np.sqrt(SIZE) / 2)


@every_count
def test_the_same_seed_draws_the_same_rows_and_another_draws_others(rows: int) -> None:
    assert ids(rows, seed=7) == ids(rows, seed=7)
    assert (ids(rows, seed=7) == ids(rows, seed=8)) == (rows == SIZE)


def test_row_groups_of_one_draw_differ() -> None:
    drawn = ids(1100)
    assert drawn[:GROUP] != drawn[GROUP : 2 * GROUP]


@every_count
def test_no_batch_is_larger_than_a_row_group(rows: int) -> None:
    chunked = pa.concat_tables([TABLE.slice(0, 300), TABLE.slice(300)])
    sizes = [batch.num_rows for batch in sample(chunked, rows, 0, GROUP)]
    assert max(sizes) <= GROUP
    assert sum(sizes) == rows


def test_rows_are_drawn_batch_by_batch_whatever_their_number() -> None:
    endless = sample(TABLE, 10**15, 0, GROUP)
    assert next(endless).num_rows == GROUP
    assert inspect.isgenerator(endless)


def test_all_flights_are_there_with_their_documented_gaps() -> None:
    table = pq.read_table(flights_folder(None, 0))
    assert table.num_rows == 336_776
    missing = {name: table[name].null_count / table.num_rows for name in table.column_names}
    assert missing["speed"] == pytest.approx(0.997, abs=0.0005)
    assert missing["wind_gust"] == pytest.approx(0.76, abs=0.005)
    assert missing["dep_delay"] == 8_255 / 336_776
    assert missing["distance"] == 0
    assert len({*table.column_names}) == len(table.column_names)
    # A join that found nothing would leave these empty.
    assert missing["temp"] < 0.05
    assert missing["plane_year"] < 0.2


def test_a_sample_is_prepared_once_for_its_size_and_seed() -> None:
    first = flights_folder(500, 3)
    before = {path: path.stat().st_mtime_ns for path in Path(first).iterdir()}
    assert pq.read_table(first).num_rows == 500
    assert flights_folder(500, 3) == first
    assert {path: path.stat().st_mtime_ns for path in Path(first).iterdir()} == before
    assert not pq.read_table(flights_folder(500, 4)).equals(pq.read_table(first))
