"""Parquet as others write it: every type, the index of pandas, odd names, damaged pages."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose

from tandem.dataset.opening import open_dataset
from tandem.dataset.parquet import as_pandas, has_checksums, read_columns, read_footer
from tandem.dataset.samples import example, sample
from tandem.errors import DataError
from tandem.records import Dataset, Task
from tandem.results import Result
from tandem.scan.row_groups import Reader
from tandem.settings import Files
from tests.shell import runs, tandem
from tests.tasks import drive, make_task

ROWS = 60
NUMBER = np.arange(ROWS)
A, C = ((NUMBER * 37) % 53) + 0.25, (NUMBER * 11) % 29 * 1.0
Y = 3 * A - 2 * C + 1
FRAME = pd.DataFrame({"a": A, "c": C, "y": Y})
MIXED = FRAME.sample(frac=1, random_state=1)
DECIMALS = (pa.decimal32(9, 2), pa.decimal64(18, 3), pa.decimal128(30, 2), pa.decimal256(50, 2))
# No penalty, so that the coefficients are those that made the target.
EXACT = ("model.reg_param=[0]", "model.elastic_net_param=[0]")
RIDGE = ("model.reg_param=[0.1]", "model.elastic_net_param=[0]")

engines = pytest.mark.engines("scan", "sequential")


def options(path: Path, *overrides: str) -> tuple[str, ...]:
    return ("dataset=files", f"dataset.path='{path}'", "dataset.target=y", "folds.k=2", *overrides)


def judged(engine: str, path: Path, *overrides: str) -> Result:
    """A run, and all that is read for a person after it."""
    task = make_task(*options(path, *EXACT, *overrides))
    result = drive(engine, task)
    used = [*result.model.coefficients]
    target = task.dataset.target.name
    assert sample(task.dataset, [target, *used]).column_names == [target, *used]
    assert [*example(task.dataset, used)] == used
    return result


def slopes(result: Result) -> dict[str, float]:
    return {name: round(slope, 6) for name, slope in result.model.coefficients.items()}


def opened(path: Path, target: str = "y", *exclude: str) -> Dataset:
    return open_dataset(Files(name="mine", path=str(path), target=target, exclude=exclude))


# ---- the index of pandas


@engines
def test_an_index_without_a_name_is_left_out_and_said(tmp_path: Path, engine: str) -> None:
    MIXED.to_parquet(tmp_path / "t.parquet")
    assert "__index_level_0__" in read_footer(tmp_path / "t.parquet").schema.names
    result = judged(engine, tmp_path)
    assert slopes(result) == {"a": 3, "c": -2}
    (line,) = result.task.dataset.notes
    assert line.startswith("__index_level_0__: row labels that pandas saved")


@engines
def test_an_index_with_a_name_is_a_column(tmp_path: Path, engine: str) -> None:
    MIXED.set_index("c").to_parquet(tmp_path / "t.parquet")
    result = judged(engine, tmp_path)
    assert slopes(result) == {"a": 3, "c": -2}
    (line,) = result.task.dataset.notes
    assert line.startswith("column 'c' was the index of the pandas frame")
    assert line.endswith("dataset.exclude=[c] if it only labels rows")


@engines
def test_the_target_may_have_been_the_index(tmp_path: Path, engine: str) -> None:
    FRAME.set_index("y").to_parquet(tmp_path / "t.parquet")
    result = judged(engine, tmp_path)
    assert slopes(result) == {"a": 3, "c": -2}
    assert result.task.dataset.notes == ()


@engines
def test_an_index_of_several_levels_is_taken_level_by_level(tmp_path: Path, engine: str) -> None:
    levels = [NUMBER % 4, FRAME["c"], [f"row {i}" for i in NUMBER]]
    index = pd.MultiIndex.from_arrays(levels, names=[None, "c", None])
    FRAME[["a", "y"]].set_index(index).to_parquet(tmp_path / "t.parquet")
    result = judged(engine, tmp_path)
    assert slopes(result) == {"a": 3, "c": -2}
    left_out, named = result.task.dataset.notes
    assert left_out.startswith("__index_level_0__, __index_level_2__: row labels")
    assert named.startswith("column 'c'")


@engines
def test_files_of_different_index_are_one_table(tmp_path: Path, engine: str) -> None:
    FRAME[:20].to_parquet(tmp_path / "0.parquet")  # a range: nothing on disk
    MIXED[20:40].to_parquet(tmp_path / "1.parquet")
    MIXED[40:].set_axis([f"row {i}" for i in range(20)]).to_parquet(tmp_path / "2.parquet")
    result = judged(engine, tmp_path)
    assert slopes(result) == {"a": 3, "c": -2}
    assert len(result.task.dataset.notes) == 1


def test_a_range_is_nothing_on_disk(tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "t.parquet")
    assert opened(tmp_path).notes == ()


def test_an_index_may_be_excluded_by_its_name_and_be_the_target(tmp_path: Path) -> None:
    MIXED.to_parquet(tmp_path / "t.parquet")
    assert opened(tmp_path, "y", "__index_level_0__").notes == ()
    chosen = opened(tmp_path, "__index_level_0__")
    assert [column.name for column in chosen.columns] == ["__index_level_0__", "a", "c", "y"]
    assert chosen.notes == ()


@pytest.mark.parametrize("noted", [b"{", b"[]", b'{"index_columns": null}'])
def test_what_others_write_in_place_of_the_notes_of_pandas_is_no_matter(
    tmp_path: Path, noted: bytes
) -> None:
    table = pa.table(dict(FRAME)).replace_schema_metadata({b"pandas": noted})
    pq.write_table(table, tmp_path / "t.parquet")
    assert opened(tmp_path).notes == ()


# ---- names


@engines
def test_a_dot_in_a_name_is_no_way_into_a_struct(tmp_path: Path, engine: str) -> None:
    struct = pa.array([{"x": None, "a": "text"}] * ROWS)
    table = pa.table({"s": struct, "s.x": A, "c": C, "y": Y})
    pq.write_table(table, tmp_path / "t.parquet")
    result = judged(engine, tmp_path, "dataset.exclude=[s]")
    assert slopes(result) == {"s.x": 3, "c": -2}
    assert {d.missing for d in result.plan.decisions} == {0}


def test_the_extremes_of_a_dotted_name_are_not_those_of_a_struct(tmp_path: Path) -> None:
    struct = pa.array([{"x": 2**60}] * ROWS)
    pq.write_table(pa.table({"s": struct, "s.x": NUMBER, "y": Y}), tmp_path / "t.parquet")
    assert opened(tmp_path, "y", "s").rows == ROWS


def test_a_column_without_a_name_is_refused_by_its_place(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": A, "": C, "y": Y}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"column 2 has no name: .*dataset\.exclude=\[\"\"\]"):
        opened(tmp_path)
    assert [column.name for column in opened(tmp_path, "y", "").features] == ["a"]


def test_a_folder_that_is_called_as_a_column_gives_none(tmp_path: Path) -> None:
    folder = tmp_path / "a=5"
    folder.mkdir()
    FRAME.to_parquet(folder / "t.parquet")
    assert slopes(judged("sequential", folder)) == {"a": 3, "c": -2}


@engines
def test_the_first_file_may_be_empty(tmp_path: Path, engine: str) -> None:
    FRAME[:0].to_parquet(tmp_path / "0.parquet", index=False)
    FRAME.to_parquet(tmp_path / "1.parquet", index=False)
    assert slopes(judged(engine, tmp_path)) == {"a": 3, "c": -2}


# ---- types


def every_type() -> pa.Table:
    """A column of every type that is read, with gaps in some, called as its type."""
    rng = np.random.default_rng(0)
    whole = [int(n) for n in rng.integers(0, 9, ROWS)]
    integers = [pa.int8(), pa.int16(), pa.int32(), pa.int64()]
    integers += [pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
    columns = {str(kind): pa.array(rng.permutation(whole), kind) for kind in integers}
    for kind in (pa.float16(), pa.float32(), pa.float64()):
        columns[str(kind)] = pa.array(rng.normal(size=ROWS).astype(kind.to_pandas_dtype()), kind)
    for kind in DECIMALS:
        cents = [Decimal(int(n)).scaleb(-2) for n in rng.integers(-999, 999, ROWS)]
        columns[str(kind)] = pa.array([None, *cents[1:]], kind)
    texts = [None if n == 3 else f"level {n}" for n in rng.integers(0, 4, ROWS)]
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        columns[str(kind)] = pa.array(rng.permutation(texts), kind)
    columns["bool"] = pa.array([n == 1 if n else None for n in rng.integers(0, 3, ROWS)])
    for codes in (pa.int8(), pa.uint64()):
        packed = pa.array(rng.permutation(texts)).dictionary_encode()
        columns[f"dictionary {codes}"] = packed.cast(pa.dictionary(codes, pa.string()))
    return pa.table({**columns, "y": rng.normal(size=ROWS)})


@engines
def test_every_type_goes_through_a_run_and_its_model(place: Path, engine: str) -> None:
    """And the table carries an index that pandas saved, which a line says is left out."""
    table = every_type()
    noted = pa.Table.from_pandas(MIXED).schema.metadata
    table = table.append_column("__index_level_0__", pa.array(MIXED.index))
    pq.write_table(table.replace_schema_metadata(noted), place / "t.parquet")
    done = tandem(f"engine={engine}", *options(place / "t.parquet", *RIDGE))
    assert done.returncode == 0, done.stderr
    assert "__index_level_0__: row labels that pandas saved" in done.stderr
    (run,) = runs("run")
    assert run.data.metrics["data/rows_used"] == ROWS - 1  # the decimals miss their first
    model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/{engine}-t")
    readable = table.drop_columns(["__index_level_0__", "dictionary uint64"])  # not by pandas
    raw = readable.to_pandas()
    raw["dictionary uint64"] = table["dictionary uint64"].to_pylist()
    assert_allclose(model.predict(raw), model.predict(as_pandas(table)), rtol=1e-12)


def test_every_type_has_the_same_answer_in_both_engines(tmp_path: Path) -> None:
    pq.write_table(every_type(), tmp_path / "t.parquet")
    task = make_task(*options(tmp_path, *RIDGE))
    scan, sequential = drive("scan", task), drive("sequential", task)
    assert_allclose(scan.scores.rmse, sequential.scores.rmse, rtol=1e-9)
    assert scan.ledger == sequential.ledger


def test_decimals_are_read_to_the_nearest_double(tmp_path: Path) -> None:
    """Arrow's own conversion is off by a rounding for one in seven of these."""
    cents = [Decimal(n).scaleb(-2) for n in range(1000)]
    for kind in DECIMALS:
        pq.write_table(pa.table({"x": pa.array([*cents, None], kind)}), tmp_path / "t.parquet")
        found = as_pandas(read_columns(tmp_path / "t.parquet", ["x"]))["x"].tolist()
        assert found[:-1] == [float(cell) for cell in cents]
        assert np.isnan(found[-1])


# ---- damaged data


def stored(path: Path, **how: str | int | bool) -> list[int]:
    """Write a table in two row groups; the positions of all bytes in its pages."""
    rng = np.random.default_rng(1)
    text = [f"level {n}" if n else None for n in rng.integers(0, 4, 400)]
    columns = {
        "number": rng.normal(size=400),
        "whole": rng.integers(0, 9, 400),
        "text": pa.array(text),
        "flag": rng.random(400) < 0.5,
        "y": rng.normal(size=400),
    }
    pq.write_table(pa.table(columns), path, row_group_size=200, **how)
    footer = read_footer(path)
    bytes_of_pages: list[int] = []
    for group in range(footer.num_row_groups):
        for column in range(footer.num_columns):
            chunk = footer.row_group(group).column(column)
            begin = chunk.dictionary_page_offset or chunk.data_page_offset
            bytes_of_pages += range(begin, begin + chunk.total_compressed_size)
    return bytes_of_pages


def flip(path: Path, position: int, bits: int = 255) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= bits
    path.write_bytes(content)


@pytest.mark.parametrize(("version", "codec"), [("1.0", "snappy"), ("2.0", "none")])
def test_a_flipped_byte_changes_no_answer(tmp_path: Path, version: str, codec: str) -> None:
    """It is refused, or it is one that says nothing."""
    path = tmp_path / "t.parquet"
    how = {"write_page_checksum": True, "data_page_version": version, "compression": codec}
    positions = stored(path, **how)
    task = make_task(*options(tmp_path, *RIDGE))
    whole = path.read_bytes()
    answers = {engine: answer(engine, task) for engine in ("scan", "sequential")}
    rng, refused = np.random.default_rng(2), 0
    for position in rng.choice(positions, 60, replace=False).tolist():
        path.write_bytes(whole)
        flip(path, position, int(2 ** rng.integers(8)))
        for engine, expected in answers.items():
            found = answer(engine, task)
            if isinstance(found, str):
                assert found.startswith(f"{path}: row group ")
                refused += 1
            else:
                assert found == expected, f"{engine}: byte {position}"
    assert refused > 100


def answer(engine: str, task: Task) -> tuple[object, ...] | str:
    """All that a run finds, to the last bit, or why it does not."""
    try:
        found = drive(engine, task)
    except DataError as error:
        return str(error)
    return found.ledger, found.scores.rmse.tolist(), found.model


READERS: dict[str, Callable[[Path, Dataset], object]] = {
    "the extremes of a column": lambda path, _: opened(path),
    "the sample for the checks": lambda _, dataset: sample(dataset, ["y", "x"]),
    "the input example": lambda _, dataset: example(dataset, ["x"]),
    "the sample of a scan": lambda _, dataset: sampled(dataset),
}


@pytest.mark.parametrize("reader", READERS)
def test_whoever_reads_refuses_a_damaged_page(tmp_path: Path, reader: str) -> None:
    path = tmp_path / "t.parquet"
    table = pa.table({"x": NUMBER, "y": Y})
    how = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    pq.write_table(table, path, write_page_checksum=True, **how)
    dataset = opened(path)
    READERS[reader](path, dataset)
    chunk = read_footer(path).row_group(0).column(0)
    flip(path, chunk.data_page_offset + chunk.total_compressed_size - 8, 1)
    with pytest.raises(DataError, match=r"t\.parquet: row group 0 cannot be read \(.*CRC"):
        READERS[reader](path, dataset)


def sampled(dataset: Dataset) -> pa.Table:
    reader = Reader(dataset)
    return reader.sample(reader.footers().stretches[0], dataset.features)


@engines
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_text_that_is_none_is_refused_by_its_column(
    tmp_path: Path, engine: str, kind: pa.DataType
) -> None:
    letters = [b"a", b"b", b"\xff", *[b"c"] * (ROWS - 3)]
    text = pa.array(letters, pa.binary()).cast(kind, safe=False)
    pq.write_table(pa.table({"a": A, "b": text, "y": Y}), tmp_path / "t.parquet")
    task = make_task(*options(tmp_path, *RIDGE))
    with pytest.raises(DataError, match=r"row group 0 cannot be read \(column 'b': .*UTF8"):
        drive(engine, task)


def test_a_damaged_page_ends_the_command_with_one_line(place: Path) -> None:
    path = place / "t.parquet"
    positions = stored(path, write_page_checksum=True)
    flip(path, positions[-1])
    done = tandem("engine=sequential", *options(path, *RIDGE))
    assert done.returncode == DataError.status
    assert done.stderr.startswith(f"tandem: {path}: row group 1 cannot be read (")
    assert done.stderr.count("\n") == 1
    assert [run.info.status for run in runs("run")] == ["FAILED"]


UNITED: dict[str, list[pa.Array]] = {
    "whole numbers, then fractions": [pa.array([1, 2, 3] * 20), pa.array([0.5, 1.5, None] * 20)],
    "narrow, then wide": [pa.array([1, 2, 3] * 20, pa.int8()), pa.array([1, 2**40, 3] * 20)],
    "unsigned, then float32": [
        pa.array([1, 2, 3] * 20, pa.uint32()),
        pa.array([0.5, 2, 3] * 20, pa.float32()),
    ],
    "nothing, then numbers": [pa.nulls(60), pa.array([1.0, 2.5, 3.0] * 20)],
    "numbers, then nothing": [pa.array([1.0, 2.5, 3.0] * 20), pa.nulls(60)],
    "nothing, then text": [pa.nulls(60), pa.array(["p", "q", "q"] * 20)],
    "codes of two widths": [
        pa.array(["p", "q", "q"] * 20).cast(pa.dictionary(pa.int8(), pa.string())),
        pa.array(["q", "r", "s"] * 20).cast(pa.dictionary(pa.int16(), pa.string())),
    ],
    "codes, then text": [
        pa.array(["p", "q", "q"] * 20).dictionary_encode(),
        pa.array(["q", "r", None] * 20, pa.large_string()),
    ],
    "text, then codes": [
        pa.array(["p", "q", "q"] * 20, pa.string()),
        pa.array(["q", "r", "s"] * 20).dictionary_encode(),
    ],
}


@pytest.mark.parametrize("name", UNITED)
def test_files_of_several_types_are_one_table(tmp_path: Path, engine: str, name: str) -> None:
    """As one file of it, in a type that holds both; and with the columns in another order."""
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(2, 120))
    parts, one = tmp_path / "parts", tmp_path / "one"
    parts.mkdir()
    one.mkdir()
    for number, cells in enumerate(UNITED[name]):
        at = slice(60 * number, 60 * (number + 1))
        columns = {"x": cells, "z": z[at], "y": y[at]}
        order = ["x", "z", "y"] if number else ["y", "x", "z"]
        pq.write_table(pa.table({n: columns[n] for n in order}), parts / f"{number}.parquet")
    whole = pa.array([cell for cells in UNITED[name] for cell in cells.to_pylist()])
    pq.write_table(pa.table({"y": y, "x": whole, "z": z}), one / "0.parquet")
    words = ("cleaning.drop_column_above=0.9", "model.reg_param=[0.1]")
    ridge = ("model.elastic_net_param=[0]",)
    found, expected = (
        drive(engine, make_task(*options(folder, *words, *ridge))) for folder in (parts, one)
    )
    assert_allclose(found.scores.rmse, expected.scores.rmse, rtol=1e-12)
    assert found.model.levels == expected.model.levels
    ours, theirs = ([*r.model.coefficients.values()] for r in (found, expected))
    assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    assert found.ledger == expected.ledger


def test_types_that_no_type_holds_are_refused_by_both_files(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": ["a"] * 9, "y": [1.0] * 9}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"x": [1.5] * 9, "y": [1.0] * 9}), tmp_path / "1.parquet")
    with pytest.raises(DataError, match=r"1.parquet: column 'x' is double, in .* it is string"):
        make_task(*options(tmp_path))


def test_a_column_of_nothing_is_dropped(tmp_path: Path, engine: str) -> None:
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(2, 60))
    pq.write_table(pa.table({"e": pa.nulls(60), "z": z, "y": y}), tmp_path / "0.parquet")
    found = drive(engine, make_task(*options(tmp_path, "model.reg_param=[0.1]")))
    assert {d.column.name: d.action.value for d in found.plan.decisions}["e"] == "drop column"
    assert [*found.model.coefficients] == ["z"]


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("rows", [1, 200_000])
@pytest.mark.parametrize("dictionary", [True, False])
def test_a_file_is_known_to_carry_checksums(
    tmp_path: Path, *, written: bool, rows: int, dictionary: bool
) -> None:
    file = tmp_path / "t.parquet"
    table = pa.table({"x": np.arange(rows) / 3})
    pq.write_table(table, file, write_page_checksum=written, use_dictionary=dictionary)
    assert has_checksums(file) is written


def test_a_file_without_rows_carries_no_checksums(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": pa.array([], pa.float64())}), tmp_path / "t.parquet")
    assert not has_checksums(tmp_path / "t.parquet")
