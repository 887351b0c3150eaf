"""Dates, times of day and durations: every engine reads the same numbers off them, bit for bit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tandem import dates, oracle
from tandem.config import compose
from tandem.dataset import as_pandas, read_off, type_read_off
from tandem.model import from_json, predict, to_json
from tandem.oracle_dates import in_utc
from tandem.oracle_dates import read_off as read_off_slowly
from tandem.parts import WAVES, Part
from tandem.records import Column, Dataset, File, Kind, Source, Task
from tests.engines.test_answers import check, protocol
from tests.tasks import drive, make_task

DAY = 86_400_000_000  # microseconds
MOMENTS = [
    *(-1, 0, 1, 999_999, 59 * DAY, 11_016 * DAY + 1),  # about 1970; the leap day of 2000
    *(-719_162 * DAY, 2_932_897 * DAY - 1),  # year 1, the end of 9999
    *(-141_427 * DAY, -141_427 * DAY - 1, -141_428 * DAY - 1),  # where calendars changed, in 1582
    *(-25_509 * DAY + 5, 47_540 * DAY + 12 * 3_600_000_000),  # 1900 and 2100 have no leap day
    None,
]
NANOSECONDS = [-1, 0, 1, 999, 1000, -999, -1000, -1001, 1_700_000_000_123_456_789, None, -(2**62)]


def whole(values: list[int | None], kind: pa.DataType, by: int = 1) -> pa.Array:
    numbers = pa.array([None if value is None else value // by for value in values], pa.int64())
    narrow = pa.types.is_date32(kind) or pa.types.is_time32(kind)
    return numbers.cast(pa.int32() if narrow else pa.int64()).cast(kind)


def every_kind() -> dict[str, pa.Array]:
    rng = np.random.default_rng(0)
    moments = [*MOMENTS, *rng.integers(-719_162 * DAY, 2_932_897 * DAY, 200).tolist()]
    near = [*NANOSECONDS, *rng.integers(-(2**62), 2**62, 200).tolist()]
    times = rng.integers(0, DAY, 200).tolist()
    return {
        "day": whole(moments, pa.date32(), DAY),
        "day in ms": whole(moments, pa.date32(), DAY).cast(pa.date64()),
        "ms": whole(moments, pa.timestamp("ms"), 1000),
        "us": whole(moments, pa.timestamp("us")),
        "berlin": whole(moments, pa.timestamp("us", "Europe/Berlin")),
        "ns": whole(near, pa.timestamp("ns")),
        "new york": whole(near, pa.timestamp("ns", "America/New_York")),
        "time in ms": whole([*times, None], pa.time32("ms"), 1000),
        "time": whole([*times, None], pa.time64("us")),
        "time in ns": whole([1, *times, None], pa.time64("ns")),
        "duration in s": whole(moments, pa.duration("s"), 10**6),
        "duration": whole(moments, pa.duration("us")),
        "duration in ns": whole(near, pa.duration("ns")),
    }


def columns(name: str, kind: pa.DataType) -> list[Column]:
    seconds = pa.types.is_time(kind) or pa.types.is_duration(kind)
    of_no_date = {Part.SECONDS, Part.LOG}
    parts = [Part.SECONDS] if seconds else [part for part in Part if part not in of_no_date]
    return [
        Column(f"c{i}", f"{name}.{part}", Kind.NUMERIC, Source(name, part))
        for i, part in enumerate(parts)
    ]


def by_arrow(cells: pa.Array, wanted: list[Column]) -> np.ndarray[Any, Any]:
    return np.array([read_off(cells, c).to_numpy(zero_copy_only=False) for c in wanted], float)


def by_pandas(table: pd.DataFrame, wanted: list[Column]) -> np.ndarray[Any, Any]:
    found = dates.read_off(table, {c.id: c.source for c in wanted if c.source})
    return np.array([found[c.id].to_numpy(float) for c in wanted])


@pytest.mark.parametrize("name", [*every_kind()])
def test_arrow_pandas_and_python_read_the_same_bits(name: str) -> None:
    cells = every_kind()[name]
    wanted, table = columns(name, cells.type), pa.table({name: cells})
    arrow = by_arrow(cells, wanted)
    assert np.isfinite(arrow).any(axis=1).all()
    assert_array_equal(by_pandas(as_pandas(table), wanted), arrow)
    objects = in_utc(table)[name].to_pylist()
    assert_array_equal(
        by_pandas(pd.DataFrame({name: pd.Series(objects, dtype=object)}), wanted), arrow
    )
    slow = [
        [np.nan if x is None else read_off_slowly(x, c.source.part) for x in objects]
        for c in wanted
        if c.source
    ]
    assert_array_equal(slow, arrow)
    for column in wanted:
        assert type_read_off(cells.type, column) == read_off(cells, column).type


@pytest.mark.slow
@pytest.mark.usefixtures("one_session")
def test_spark_reads_the_same_bits_whatever_its_zone(tmp_path: Path) -> None:
    from tandem.spark import start_session
    from tandem.spark.frames import read_frame

    session = start_session(compose().settings.spark, "dates")
    session.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        for number, (name, cells) in enumerate(every_kind().items()):
            old = pa.types.is_timestamp(cells.type) and cells.type.unit == "us"
            for int96 in {False, old}:
                path = tmp_path / f"{number}{int96}.parquet"
                pq.write_table(pa.table({name: cells}), path, use_deprecated_int96_timestamps=int96)
                wanted = columns(name, cells.type)
                file = File(str(path), len(cells), 0)
                dataset = Dataset("", (file,), wanted[0], (*wanted[1:],), "")
                rows = sorted(read_frame(session, dataset).collect(), key=lambda row: row[0])
                found = np.array([row[1:] for row in rows], float).T
                assert_array_equal(found, by_arrow(cells, wanted))
    finally:
        session.conf.unset("spark.sql.session.timeZone")


def test_waves_are_sines_and_cosines() -> None:
    months = pd.Series(pd.date_range("2021-01-01", periods=12, freq="MS"))
    source = Source("m", Part.MONTH_COSINE)
    (found,) = dates.read_off(pd.DataFrame({"m": months}), {"x": source}).values()
    assert_allclose(found, np.cos(np.arange(1, 13) / 12 * 2 * np.pi), atol=1e-15)
    assert {len(turns) for _, turns in WAVES.values()} == {7, 12, 24}


def rows(folder: Path, *, int96: bool = False) -> pd.DataFrame:
    """400 rows of two files: a target that follows from dates, in several types, with gaps."""
    rng = np.random.default_rng(1)
    when = pd.Timestamp("2019-11-03") + pd.to_timedelta(rng.integers(0, 10**8, 400), unit="s")
    day = when.normalize()[rng.permutation(400)]
    took = pd.to_timedelta(rng.integers(0, 10**10, 400), unit="us")
    y = when.month + 3.0 * when.hour - 2.0 * (day.day_of_week == 6) + took.total_seconds() / 1e3
    frame = pd.DataFrame({"when": when, "y": y + rng.normal(size=400)})
    frame["zoned"], frame["took"], frame["day"] = when[rng.permutation(400)], took, day
    for name, share in (("when", 0.03), ("day", 0.2)):
        frame.loc[rng.random(400) < share, name] = pd.NaT
    table = pa.Table.from_pandas(frame, preserve_index=False)
    zoned = table["zoned"].cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us", "Europe/Berlin"))
    table = table.set_column(2, "zoned", zoned)
    table = table.set_column(4, "day", table["day"].cast(pa.timestamp("ms")).cast(pa.date32()))
    frame["zoned"] = frame["zoned"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    folder.mkdir(exist_ok=True)
    old = {"use_deprecated_int96_timestamps": int96}
    pq.write_table(table.slice(0, 150), folder / "0.parquet", row_group_size=64, **old)
    pq.write_table(table.slice(150), folder / "1.parquet", **old)
    return frame


def task_of(folder: Path, *overrides: str) -> Task:
    return make_task(
        "dataset=files", f"dataset.path={folder}", "dataset.target=y", *overrides, *protocol()
    )


def names(task: Task) -> Iterator[str]:
    return (column.name for column in task.dataset.features)


@pytest.mark.parametrize("keys", [(), ("cleaning.dates=[month,hour]", "cleaning.cyclic=true")])
def test_every_engine_finds_what_the_oracle_finds(
    tmp_path: Path, engine: str, keys: tuple[str, ...]
) -> None:
    frame = rows(tmp_path / "data", int96=bool(keys))
    task = task_of(tmp_path / "data", *keys, "model.reg_param=[0.01]")
    result, truth = drive(engine, task), oracle.cross_validate(task)
    check(result, truth)
    model = from_json(to_json(result.model))
    raw = frame.drop(columns="y")
    raw.loc[0] = pd.NaT
    texts = raw.assign(when=raw["when"].astype(str).where(raw["when"].notna()))
    texts["zoned"] = [None if pd.isna(cell) else cell.isoformat() for cell in raw["zoned"]]
    found = predict(model, raw)
    assert_array_equal(predict(model, texts), found)
    best, read = result.scores.best, oracle.read_rows(task.dataset)
    read[0] = dict.fromkeys(read[0])
    wanted = [oracle.predict(truth, best, task.dataset.features, row) for row in read]
    assert_allclose(found, wanted, rtol=1e-5)


def test_a_date_without_a_time_has_no_hour_and_the_zone_is_told(tmp_path: Path) -> None:
    rows(tmp_path / "data")
    task = task_of(tmp_path / "data")
    assert "when.hour" in names(task)
    assert "day.hour" not in names(task)
    (note,) = task.dataset.notes
    assert "took in seconds (zoned: converted to UTC) -> cleaning.dates=[...] chooses" in note


def test_a_part_can_be_left_out(tmp_path: Path) -> None:
    rows(tmp_path / "data")
    task = task_of(tmp_path / "data", "dataset.exclude=[zoned,when.year]", "cleaning.dates=[year]")
    assert [*names(task)] == ["took", "day.year"]


def test_dates_can_be_left_out(tmp_path: Path) -> None:
    rows(tmp_path / "data")
    task = task_of(tmp_path / "data", "cleaning.dates=[]")
    assert [*names(task)] == ["took"]
    assert "when, zoned, day: dates are left out" in task.dataset.notes[1]
