"""Dates in CSV files: as ISO writes them, or as the user says; all cells, not a sample, decide."""

import datetime as dt
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tandem.config import compose, words
from tandem.dataset import csv_reader
from tandem.dataset.csv_dates import DATE, TIME, ZONED, iso, read_dates
from tandem.dataset.opening import open_dataset
from tandem.dates import parsed
from tandem.errors import ConfigurationError, DataError, RejectedError
from tandem.records import Dataset
from tandem.settings import Files, OnBadRow

DAY = dt.datetime(2019, 12, 31, 22, 59, 7)  # noqa: DTZ001 - what is written has none
PARTS = ["year", "month", "day_of_week", "day", "hour", "elapsed_days"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / "cache"))


def write(folder: Path, cell: Callable[[int], str], rows: int = 60) -> Path:
    lines = "".join(f'"{cell(row)}",{row % 7},{row * 37 % 53}\n' for row in range(rows))
    (folder / "t.csv").write_text(f"t,c,y\n{lines}", encoding="utf-8")
    return folder / "t.csv"


def opened(path: Path, **keys: Any) -> Dataset:
    return open_dataset(Files(name="mine", path=str(path), target="y", **keys))


def cells(dataset: Dataset) -> list[Any]:
    found: list[Any] = pq.read_table(dataset.files[0].path).column("t").to_pylist()
    return found


def when(row: int) -> dt.datetime:
    return DAY + dt.timedelta(days=17 * row, seconds=row)


@pytest.mark.parametrize("form", ["%Y-%m-%d %X", "%Y-%m-%dT%X.000000999", " %Y-%m-%d %X "])
def test_iso_moments_are_dates(tmp_path: Path, form: str) -> None:
    dataset = opened(write(tmp_path, lambda row: when(row).strftime(form) if row % 9 else ""))
    assert [c.name for c in dataset.features] == [*(f"t.{part}" for part in PARTS), "c"]
    assert cells(dataset) == [when(row) if row % 9 else None for row in range(60)]
    (note,) = dataset.notes
    assert note.startswith("dates and times are read as numbers: t by year, month, day_of_week, ")


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y-%m-%d 00:00"])
def test_days_have_no_hour(tmp_path: Path, form: str) -> None:
    path = write(tmp_path, lambda row: when(row).strftime(form))
    for _ in range(2):  # converted, then found in the cache
        names = [column.name for column in opened(path).features]
        assert "t.hour" not in names
        assert "t.day" in names


def test_one_moment_after_the_first_block_is_enough_for_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK_BYTES", 256)
    path = write(tmp_path, lambda row: str(when(row) if row == 59 else when(row).date()))
    dataset = opened(path)
    assert "t.hour" in [column.name for column in dataset.features]
    assert cells(dataset)[59] == when(59)


def test_zones_are_converted_to_utc(tmp_path: Path) -> None:
    offsets = ["Z", "+02:00", "-0530", "+14"]
    dataset = opened(write(tmp_path, lambda row: f"{when(row)}{offsets[row % 4]}"))
    hours = [0, 2, -5.5, 14]
    expected = [when(row) - dt.timedelta(hours=hours[row % 4]) for row in range(60)]
    assert [cell.replace(tzinfo=None) for cell in cells(dataset)] == expected
    assert "(t: converted to UTC)" in dataset.notes[0]


@pytest.mark.parametrize(
    ("usual", "odd", "rule"),
    [
        ("{}", "unknown", "not a date, where others are"),
        ("{}", "2021-02-29 00:00:00", "not a date, where others are"),
        ("{}", "0000-01-01", "not a date, where others are"),
        ("{}", "2021-02-28T24:00", "not a date, where others are"),
        ("{}", "2021-02-28 10:00Z", "not a date without a time zone, where others are"),
        ("{}+01:00", "2021-02-28 10:00", "not a date with a time zone, where others are"),
    ],
)
def test_what_is_no_date_is_refused_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, usual: str, odd: str, rule: str
) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK_BYTES", 512)
    for row in (3, 59):  # in the first block, by which the column is judged, and in the last
        path = write(tmp_path, lambda at, row=row: odd if at == row else usual.format(when(at)))  # type: ignore[misc]  # bound now
        with pytest.raises(DataError) as refused:
            opened(path)
        said = str(refused.value)
        assert said.startswith(f"{path}:{row + 2}: column 't': '{odd}': {rule} -> correct it, or")
        assert opened(path, text=("t",)).features[0].kind == "categorical"
        assert cells(opened(path, missing=("", odd)))[row] is None
        left = opened(path, on_bad_row=OnBadRow.QUARANTINE)
        assert (left.rejected, left.rows, left.rejects[0].rule) == (1, 59, rule)
        assert left.rejects[0].line == row + 2


WAYS = ("%d.%m.%Y", "%m/%d/%Y", "%d %b %Y", "%b %d %Y", "%m/%d/%Y %I:%M %p", "%d-%b-%y")


@pytest.mark.parametrize("form", WAYS)
def test_dates_that_are_written_in_another_way_are_refused_with_the_key(
    tmp_path: Path, form: str
) -> None:
    path = write(tmp_path, lambda row: when(row).strftime(form))
    with pytest.raises(DataError, match="the column holds dates, and not as 2020-01-31") as refused:
        opened(path)
    way = re.search(r"'dataset\.dates=.*?'", str(refused.value))
    assert way
    typed = shlex.split(way[0])
    asked = ("dataset=files", f"dataset.path={path}", "dataset.target=y", *typed)
    dataset = open_dataset(compose(*words(asked)).settings.dataset)
    expected = [dt.datetime.strptime(when(row).strftime(form), form) for row in range(60)]  # noqa: DTZ007
    assert cells(dataset) == expected
    source = dataset.features[0].source
    assert source
    assert source.form == form


def test_where_no_common_way_fits_none_is_said_to(tmp_path: Path) -> None:
    path = write(tmp_path, lambda row: when(row).strftime("%d/%m/%Y %H:%M Uhr"))
    with pytest.raises(DataError, match=r"holds dates.* with its own format, in the words of strp"):
        opened(path)


def test_two_ways_that_fit_are_both_named(tmp_path: Path) -> None:
    path = write(tmp_path, lambda row: f"{row % 12 + 1:02}/0{row % 7 + 1}/2020")
    with pytest.raises(DataError, match=r"%m/%d/%Y.*' or '.*%d/%m/%Y"):
        opened(path)


def test_a_cell_that_is_not_as_declared_is_refused_or_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, lambda row: "31.02.2020" if row == 40 else f"{row % 28 + 1}.2.2020")
    dates = {"t": "%d.%m.%Y"}
    with pytest.raises(RejectedError, match=r":42: column 't': '31\.02\.2020': not a date as %d\."):
        opened(path, dates=dates)
    assert opened(path, dates=dates, on_bad_row=OnBadRow.QUARANTINE).rejected == 1


def test_times_of_day_are_seconds(tmp_path: Path) -> None:
    dataset = opened(write(tmp_path, lambda row: f"{row % 24:02}:{row:02}"))
    assert [column.name for column in dataset.features] == ["t", "c"]
    assert cells(dataset)[25] == dt.time(1, 25)
    assert "t in seconds -> dataset.exclude=[t] leaves" in dataset.notes[0]


@pytest.mark.parametrize("key", ["dates={z: '%Y'}", "dates={t: text}", "dates={t: '%d.%m.'}"])
def test_bad_keys_are_refused(tmp_path: Path, key: str) -> None:
    path = write(tmp_path, str)
    typed = words(["dataset=files", f"dataset.path={path}", "dataset.target=y", f"dataset.{key}"])
    with pytest.raises((ConfigurationError, DataError), match=r"^dataset\.dates"):
        open_dataset(compose(*typed).settings.dataset)


def test_dates_of_parquet_need_no_words(tmp_path: Path) -> None:
    pq.write_table(pa.table({"t": [DAY], "y": [1.0]}), tmp_path / "t.parquet")
    with pytest.raises(ConfigurationError, match=r"^dataset\.dates: .* is about CSV files"):
        opened(tmp_path / "t.parquet", dates={"t": "%Y"})


def test_a_day_is_one_where_python_has_it() -> None:
    """Every month from 1 to 13 and day from 0 to 32 of some years, leap years among them."""
    texts = [
        f"{year:04}-{month:02}-{day:02}"
        for year in (0, 1, 4, 100, 1582, 1600, 1900, 2000, 2019, 2020, 2100, 9999)
        for month in range(14)
        for day in range(33)
    ]

    def sound(text: str) -> bool:
        try:
            dt.date.fromisoformat(text)
        except ValueError:
            return False
        return True

    assert iso(pa.array(texts), DATE).to_pylist() == [*map(sound, texts)]
    kept = [text for text in texts if sound(text)]
    found, odd = read_dates(pa.array(kept), DATE, "")
    assert not pc.any(odd).as_py()
    assert found.to_pylist() == [parsed(text, "") for text in kept]


@pytest.mark.parametrize("kind", [DATE, ZONED, TIME])
def test_the_model_reads_a_text_as_the_file_was_read(kind: pa.DataType) -> None:
    rng = np.random.default_rng(0)
    moments = pd.to_datetime(rng.integers(-(10**16), 10**16, 300), unit="us")
    texts = [moment.isoformat(sep=" ", timespec="microseconds") for moment in moments]
    zones = ["Z", "+00:00", "-11:30", "+0545"]
    if kind == ZONED:
        texts = [text + zones[i % 4] for i, text in enumerate(texts)]
    if kind == TIME:
        texts = [text.partition(" ")[2] for text in texts]
    found, odd = read_dates(pa.array(texts), kind, "")
    assert not pc.any(odd).as_py()
    if kind == TIME:
        expected: list[Any] = [dt.time.fromisoformat(text) for text in texts]
    else:
        expected = [parsed(text, "") for text in texts]
    assert found.to_pylist() == expected
