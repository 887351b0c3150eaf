"""From the user's words to files, columns and a fingerprint; every refusal names its cause."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tandem.dataset.files import find_files
from tandem.dataset.opening import content_digest, open_dataset
from tandem.errors import ConfigurationError, DataError
from tandem.records import Column, Dataset, Kind
from tandem.settings import Files


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names(path: object) -> list[str]:
    return [file.name for file in find_files(str(path))]


def put(folder: Path, *tables: dict[str, pa.Array | list[object]]) -> None:
    for number, columns in enumerate(tables):
        pq.write_table(pa.table(columns), folder / f"{number}.parquet")


def opened(
    path: object,
    target: str | None = "y",
    include: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
) -> Dataset:
    keys = {"include": include, "exclude": exclude}
    return open_dataset(Files(name="mine", path=str(path), target=target, **keys))


def test_files_of_a_folder_are_found_at_any_depth_in_order(data: Path) -> None:
    touch(data, "b.parquet", "a.parquet", "sub/c.parquet", "B.PARQUET")
    assert names(data) == ["B.PARQUET", "a.parquet", "b.parquet", "c.parquet"]
    assert all(file.is_absolute() for file in find_files(str(data)))


def test_a_single_file_and_a_pattern_are_found(data: Path) -> None:
    touch(data, "a1.csv", "a2.csv", "b.csv", "sub/a3.csv", "notes.txt")
    assert names(data / "b.csv") == ["b.csv"]
    assert names(data / "a*.csv") == ["a1.csv", "a2.csv"]
    assert names(data / "a[2-9].csv") == ["a2.csv"]
    assert names(data / "**" / "a*.csv") == ["a1.csv", "a2.csv", "a3.csv"]


def test_a_name_that_looks_like_a_pattern_is_taken_as_it_is(data: Path) -> None:
    touch(data, "a[1].csv", "a1.csv", "b*/c.csv", "bb/d.csv")
    assert names(data / "a[1].csv") == ["a[1].csv"]
    assert names(data / "b*") == ["c.csv"]


def test_relative_paths_and_the_home_folder_are_understood(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(data, "a.csv")
    monkeypatch.chdir(data)
    monkeypatch.setenv("HOME", str(data))
    assert find_files("a.csv") == find_files("~/a.csv") == (data / "a.csv",)


def test_marked_files_are_no_data(data: Path) -> None:
    touch(data, "a.parquet", "_SUCCESS", "_metadata", ".a.parquet.crc")
    assert names(data) == ["a.parquet"]


@pytest.mark.parametrize("marked", [(), ("_SUCCESS", ".hidden.csv")])
def test_a_folder_without_data_is_refused(data: Path, marked: tuple[str, ...]) -> None:
    touch(data, *marked)
    with pytest.raises(DataError, match=f"{data}: no data file"):
        find_files(str(data))


@pytest.mark.parametrize("path", ["none.csv", "none/*.csv", "none"])
def test_a_path_that_leads_nowhere_is_refused_by_its_name(data: Path, path: str) -> None:
    with pytest.raises(DataError, match="none"):
        find_files(str(data / path))


def test_no_path_is_refused_by_its_key() -> None:
    with pytest.raises(ConfigurationError, match=r"dataset\.path"):
        find_files("")


@pytest.mark.parametrize(
    ("found", "kinds"),
    [
        (("a.csv", "b.parquet"), r"\.csv, \.parquet: .* -> name them by a pattern"),
        (("a.txt",), r"\.txt: .* -> write it as one of these first"),
    ],
)
def test_files_of_another_or_of_two_kinds_are_refused(
    data: Path, found: tuple[str, ...], kinds: str
) -> None:
    touch(data, *found)
    with pytest.raises(DataError, match=rf"{data}: files of kind {kinds}"):
        find_files(str(data))


def test_the_target_comes_first_then_the_features_in_the_order_of_the_file(data: Path) -> None:
    put(data, {"a": ["x"], "y": [1], "b": [2.0], "id": [7], "flag": [True]})
    dataset = opened(data, exclude=("id",))
    assert dataset.target == Column("c0", "y", Kind.NUMERIC)
    assert dataset.features == (
        Column("c1", "a", Kind.CATEGORICAL),
        Column("c2", "b", Kind.NUMERIC),
        Column("c3", "flag", Kind.CATEGORICAL),
    )


def test_every_type_of_number_and_text_is_read(data: Path) -> None:
    types = {
        Kind.NUMERIC: [pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.decimal128(9, 2)],
        Kind.CATEGORICAL: [pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.bool_()],
    }
    columns: dict[str, pa.Array] = {"y": pa.array([1.0])}
    for kind in (kind for kinds in types.values() for kind in kinds):
        columns[str(kind)] = pa.nulls(1, kind)
    put(data, columns)
    assert [column.kind for column in opened(data).features] == [
        kind for kind, members in types.items() for _ in members
    ]


def test_row_ids_run_on_from_file_to_file(data: Path) -> None:
    put(data, {"y": [1.0, 2.0], "x": [1, 2]}, {"y": [3.0], "x": [3]}, {"x": [4], "y": [5.0]})
    dataset = opened(data)
    assert [Path(file.path).name for file in dataset.files] == [
        *("0.parquet", "1.parquet", "2.parquet")
    ]
    assert [(file.rows, file.first_row) for file in dataset.files] == [(2, 0), (1, 2), (1, 3)]
    assert dataset.rows == 4


def test_names_with_dots_spaces_and_backticks_are_names(data: Path) -> None:
    odd = ["a.b", "c d", "e`f", "*", "y.z", "\u20ac"]
    put(data, {name: [1.0] for name in ["y", *odd]})
    assert [column.name for column in opened(data).features] == odd
    assert opened(data, target="a.b", exclude=("e`f",)).target.name == "a.b"


def test_csv_is_read_as_if_it_were_parquet(data: Path) -> None:
    (data / "a.csv").write_text("x,y,s\n1,2,a\n3,4,\n", encoding="utf-8")
    dataset = opened(data / "*.csv")
    assert [(c.name, c.kind) for c in dataset.columns] == [
        ("y", Kind.NUMERIC),
        ("x", Kind.NUMERIC),
        ("s", Kind.CATEGORICAL),
    ]
    assert dataset.rows == 2
    assert pq.read_table(dataset.files[0].path)["s"].to_pylist() == ["a", None]


def test_an_absent_target_is_refused_with_the_nearest_name(data: Path) -> None:
    put(data, {"price": [1.0], "size": [2.0]})
    with pytest.raises(DataError, match=r"'prise'; did you mean 'price'\?.*price, size"):
        opened(data, target="prise")
    with pytest.raises(DataError, match=r"'zzz' -> one of price, size"):
        opened(data, target="zzz")


def test_of_very_many_columns_a_message_names_some(data: Path) -> None:
    put(data, {f"x{number}": [1.0] for number in range(1000)})
    with pytest.raises(DataError, match=r"-> one of x0, x1, .*, x19 and 980 more$"):
        opened(data, target="zzz")


@pytest.mark.parametrize("target", [None, ""])
def test_no_target_is_refused_by_its_key(data: Path, target: str | None) -> None:
    put(data, {"price": [1.0], "size": [2.0]})
    with pytest.raises(ConfigurationError, match=r"dataset\.target.*price, size"):
        opened(data, target=target)


@pytest.mark.parametrize("cell", ["text", True])
def test_a_target_that_is_no_number_is_refused(data: Path, cell: object) -> None:
    put(data, {"y": [cell], "x": [1.0]})
    with pytest.raises(DataError, match=r"dataset\.target: column 'y' holds (string|bool)"):
        opened(data)


def test_an_unknown_excluded_column_is_refused_with_the_nearest_name(data: Path) -> None:
    put(data, {"y": [1.0], "size": [2.0]})
    with pytest.raises(DataError, match=r"dataset\.exclude: .*'sise'; did you mean 'size'"):
        opened(data, exclude=("sise",))


def test_a_dataset_without_features_is_refused(data: Path) -> None:
    put(data, {"y": [1.0], "size": [2.0]})
    with pytest.raises(DataError, match=r"no feature is left beside the target 'y' -> leave fewer"):
        opened(data, exclude=("size",))
    put(data, {"size": [2.0]})
    with pytest.raises(DataError, match=r"no feature is left beside the target 'size' -> a regr"):
        opened(data, target="size")


@pytest.mark.parametrize(
    ("include", "exclude", "wanted"),
    [
        ((), ("x*",), ["a", "X2", "q?"]),
        (("x*",), (), ["x1", "x2"]),
        (("x?", "a"), ("x2",), ["x1", "a"]),
        (("[ax]1", "a"), (), ["x1", "a"]),
        (("*",), ("x[12]",), ["a", "X2", "q?"]),
        (("q?",), (), ["q?"]),
        ((), ("q?", "*2"), ["x1", "a"]),
    ],
)
def test_patterns_stand_for_columns(
    data: Path, include: tuple[str, ...], exclude: tuple[str, ...], wanted: list[str]
) -> None:
    """Capitals count; the target is no feature, whatever stands for it."""
    put(data, {name: [1.0] for name in ("x1", "y", "a", "x2", "X2", "q?")})
    found = opened(data, include=include, exclude=exclude)
    assert [column.name for column in found.features] == wanted


def test_a_name_that_looks_like_a_pattern_is_a_name(data: Path) -> None:
    put(data, {name: [1.0] for name in ("y", "x1", "x*")})
    assert [column.name for column in opened(data, exclude=("x*",)).features] == ["x1"]


@pytest.mark.parametrize("key", ["include", "exclude"])
def test_a_pattern_of_nothing_is_refused(data: Path, key: str) -> None:
    put(data, {"y": [1.0], "size": [2.0]})
    with pytest.raises(DataError, match=rf"dataset\.{key}: there is no column 'z\*' -> some of"):
        opened(data, **{key: ("z*",)})


@pytest.mark.parametrize(
    "cell",
    [
        [1],
        {"a": 1},
        b"a",
    ],
)
def test_a_column_of_another_kind_is_refused_unless_excluded(data: Path, cell: object) -> None:
    put(data, {"y": [1.0], "when": [cell], "x": [1.0]})
    with pytest.raises(DataError, match=r"column 'when' holds .*dataset\.exclude=\[when\]"):
        opened(data)
    assert opened(data, exclude=("when",)).rows == 1


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**62])
def test_an_integer_above_2_to_53_is_refused_unless_excluded(data: Path, value: int) -> None:
    put(data, {"y": [1.0], "a.id": [1], "x": [1.0]}, {"y": [1.0], "a.id": [value], "x": [1.0]})
    with pytest.raises(DataError, match=rf"1\.parquet: column 'a\.id': {value}: above 2\^53"):
        opened(data)
    assert opened(data, exclude=("a.id",)).rows == 2


def test_an_unsigned_integer_above_2_to_63_is_refused(data: Path) -> None:
    put(data, {"y": [1.0], "x": pa.array([2**63 + 5], pa.uint64())})
    with pytest.raises(DataError, match=str(2**63 + 5)):
        opened(data)


def test_integers_up_to_2_to_53_are_exact(data: Path) -> None:
    put(data, {"y": [1.0, 2.0], "x": [2**53, -(2**53)]})
    assert opened(data).rows == 2


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"y": [1.0]}, "column 'x' is in only one"),
        ({"y": [1.0], "x": [1.0], "z": [1.0]}, "column 'z' is in only one"),
        ({"y": [1.0], "x": ["a"]}, "column 'x' is string, in .*0.parquet it is double"),
    ],
)
def test_a_file_with_another_schema_is_refused_by_its_column(
    data: Path, second: dict[str, list[object]], message: str
) -> None:
    put(data, {"y": [1.0], "x": [1.0]}, second)
    with pytest.raises(DataError, match=rf"1\.parquet: {message}"):
        opened(data)


def test_two_columns_of_one_name_are_refused(data: Path) -> None:
    table = pa.table([[1.0], [2.0], [3.0]], names=["y", "x", "x"])
    pq.write_table(table, data / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: two columns are named 'x'"):
        opened(data)


def test_files_without_rows_are_refused_and_an_empty_one_among_them_is_not(data: Path) -> None:
    empty: dict[str, pa.Array | list[object]] = {"y": pa.array([], pa.float64())}
    empty["x"] = pa.array([], pa.float64())
    put(data, empty)
    with pytest.raises(DataError, match="no row"):
        opened(data)
    put(data, empty, {"y": [1.0], "x": [1.0]})
    assert [file.rows for file in opened(data).files] == [0, 1]


@pytest.mark.parametrize("content", [b"", b"PAR1 this is none PAR1"])
def test_a_broken_file_is_refused_by_its_name(data: Path, content: bytes) -> None:
    (data / "a.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.parquet: not a readable Parquet file"):
        opened(data)


def test_the_fingerprint_changes_with_a_byte_and_with_nothing_else(data: Path) -> None:
    file = data / "a.csv"
    file.write_text("x,y\n1,2\n3,4\n", encoding="utf-8")
    first = opened(data).fingerprint
    assert len(first) == 64
    os.utime(file, (0, 0))
    assert opened(file).fingerprint == first
    file = file.rename(data / "b.csv")
    assert opened(data).fingerprint == first
    file.write_text("x,y\n1,2\n3,5\n", encoding="utf-8")
    assert opened(data).fingerprint != first


def test_the_digest_knows_where_a_file_ends_and_which_is_first(data: Path) -> None:
    contents = [(b"ab", b"c"), (b"a", b"bc"), (b"c", b"ab"), (b"abc", b"")]
    digests = set()
    for pair in contents:
        files = [data / "0", data / "1"]
        for file, content in zip(files, pair, strict=True):
            file.write_bytes(content)
        digests.add(content_digest(files))
    assert len(digests) == len(contents)
