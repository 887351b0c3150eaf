"""A column of text that looks like something else is told of, or refused; never left unsaid."""

import shlex
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from tandem.dataset import csv_reader
from tandem.dataset.csv_reader import override
from tandem.dataset.opening import open_dataset
from tandem.errors import ConfigurationError, DataError
from tandem.records import Dataset, Kind
from tandem.settings import Files, Spelling
from tests.shell import tandem


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / "cache"))


def number(row: int) -> str:
    return f"{row * 37 % 53 + 0.25:g}"


def write(folder: Path, cell: Callable[[int], str], target: bool = False, rows: int = 60) -> Path:  # noqa: FBT001, FBT002 - a switch
    """Rows of a, c, y; `cell` makes the column a, or the target."""
    lines = [
        f"{number(row)},{row % 7},{cell(row)}" if target else f"{cell(row)},{row % 7},{number(row)}"
        for row in range(rows)
    ]
    (folder / "t.csv").write_text("a,c,y\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return folder / "t.csv"


def opened(
    path: Path,
    text: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    missing: tuple[str, ...] = ("", "NA"),
) -> Dataset:
    return open_dataset(
        Files(missing, text, name="mine", path=str(path), target="y", exclude=exclude)
    )


def every(step: int, mark: str) -> Callable[[int], str]:
    return lambda row: mark if row % step == 1 else number(row)


@pytest.mark.parametrize("step", [2, 3, 4, 5, 30])
@pytest.mark.parametrize("mark", ["?", "-", "None", "#N/A", ".", "n.a."])
def test_numbers_with_marks_are_refused_up_to_half_of_the_cells(
    tmp_path: Path, step: int, mark: str
) -> None:
    path = write(tmp_path, every(step, mark))
    with pytest.raises(DataError) as refused:
        opened(path)
    way = f"""'dataset.missing=["","NA","{mark}"]' if it means missing, or dataset.text=[a]"""
    assert str(refused.value).startswith(f"{path}:3: column 'a': '{mark}': not a number")
    assert way in str(refused.value)


def test_a_refused_column_may_be_text_or_excluded_or_its_marks_listed(tmp_path: Path) -> None:
    path = write(tmp_path, every(4, "?"))
    assert opened(path, text=("a",)).features[0].kind is Kind.CATEGORICAL
    assert [column.name for column in opened(path, exclude=("a",)).features] == ["c"]
    assert opened(path, missing=("", "?")).features[0].kind is Kind.NUMERIC
    assert opened(path, text=("a",)).notes == ()


def test_all_marks_of_a_column_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, lambda row: ["?", "-", number(row), number(row)][row % 4])
    with pytest.raises(DataError, match=r"""\["","NA","\?","-"\]"""):
        opened(path)
    path = write(tmp_path, lambda row: number(row) if row % 2 else f"{row}z")
    with pytest.raises(DataError, match=r":2: .*'0z'.*add it to dataset\.missing"):
        opened(path)


def test_a_mark_that_cannot_be_typed_is_none(tmp_path: Path) -> None:
    """As the end of a file of CP/M, which some tables still have in their last cell."""
    path = write(tmp_path, lambda row: number(row) + "\x1a" * (row == 59))
    with pytest.raises(DataError, match=r"not a number, where others are -> correct it, or data"):
        opened(path)


@pytest.mark.parametrize(
    ("cell", "form", "example"),
    [
        (lambda row: "$" + number(row), "numbers with a currency sign", "$0.25"),
        (lambda row: number(row) + " \u20ac", "numbers with a currency sign", "0.25 \u20ac"),
        (lambda row: number(row) + "%", "numbers with a percent sign", "0.25%"),
        (lambda row: number(row) + " kg", "numbers with a unit", "0.25 kg"),
        (lambda row: f'"{row},25"', "numbers with a decimal comma", "0,25"),
        (lambda row: f'"{row + 1},234"', "numbers with a decimal comma", "1,234"),
        (lambda row: f"{row % 24}:05", "times", "0:05"),
        (lambda row: number(row) if row % 5 == 1 else "x", "20% numbers among other cells", "x"),
        (lambda row: number(row) if row == 7 else "x", "few numbers among other cells", "x"),
    ],
)
def test_text_that_looks_like_numbers_or_times_is_told_of(
    tmp_path: Path, cell: Callable[[int], str], form: str, example: str
) -> None:
    path = write(tmp_path, cell)
    levels = len({cell(row) for row in range(60)})
    for _ in range(2):  # converted, then found in the cache
        (note,) = opened(path).notes
        assert note.startswith(f"{path}:2: column 'a': '{example}': the column holds {form}")
        assert f"read as a category with {levels} levels -> " in note
        assert note.endswith("dataset.exclude=[a], or dataset.text=[a] if it is text")
    assert opened(path, text=("a",)).notes == ()
    assert opened(path, exclude=("a",)).notes == ()


@pytest.mark.parametrize(
    "cell",
    [
        lambda row: f"k{row % 4}",
        lambda row: f"N{row}UA",
        lambda row: f"10.0.0.{row}",
        lambda row: "yes" if row % 2 else "no",
        lambda row: number(row) if row == 7 else "xyz"[row % 3],
        lambda _: "",
        number,
    ],
)
def test_of_other_columns_nothing_is_said(tmp_path: Path, cell: Callable[[int], str]) -> None:
    assert opened(write(tmp_path, cell)).notes == ()


def test_one_word_beside_numbers_may_mean_missing(tmp_path: Path) -> None:
    path = write(tmp_path, lambda row: number(row) if row == 7 else "unknown")
    (note,) = opened(path).notes
    assert """'dataset.missing=["","NA","unknown"]' if it means missing""" in note
    assert opened(path, missing=("unknown",)).features[0].kind == "numeric"


def test_a_target_that_only_looks_like_numbers_is_refused_with_a_value(tmp_path: Path) -> None:
    path = write(tmp_path, lambda row: "$" + number(row), target=True)
    with pytest.raises(DataError, match=r":2: column 'y': '\$0\.25': the target holds numbers wi"):
        opened(path)


def test_many_levels_are_not_counted(tmp_path: Path) -> None:
    (note,) = opened(write(tmp_path, lambda row: f"{row} kg", rows=2000)).notes
    assert "more than 1,000 levels" in note


def test_the_line_is_that_of_the_file(tmp_path: Path) -> None:
    text = 'a,b,y\n1,x,1\n\n\n2,"x\ny",2\n3,z,{y}\n{a},z,4\n' + "5,z,5\n" * 9
    path = tmp_path / "t.csv"
    for cells, place in (
        ({"y": "oops", "a": "4"}, ":7: column 'y': 'oops': not a number"),
        ({"y": "3", "a": "?"}, r":8: column 'a': '\?': not a number"),
        ({"y": "3", "a": "-inf"}, ":8: column 'a': -inf: a number must be finite"),
        ({"y": "3,4", "a": "4"}, ":7: .*Expected 3 columns, got 4"),
    ):
        path.write_text(text.format(**cells), encoding="utf-8")
        with pytest.raises(DataError, match=place):
            opened(path)


def test_a_cell_beyond_what_the_type_was_decided_from_is_told_in_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK_BYTES", 64)
    path = write(tmp_path, lambda row: "?" if row == 50 else number(row))
    with pytest.raises(DataError, match=r""":52: column 'a': '\?': not .*\["","NA","\?"\]"""):
        opened(path)


def test_what_is_said_of_a_late_column_names_its_own_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK_BYTES", 64)
    path = write(tmp_path, lambda _: "")
    late = path.with_name("u.csv")
    late.write_text("a,c,y\n" + ",1,1\n" * 50 + "5 kg,1,1\n", encoding="utf-8")
    (note,) = opened(tmp_path).notes
    assert note.startswith(f"{late}:52: column 'a': '5 kg'")


def test_an_unknown_column_of_text_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dataset\.text: .*'aa'; did you mean 'a'\? -> .*a, c, y"):
        opened(write(tmp_path, number), text=("aa",))


def test_keys_about_csv_are_refused_for_parquet(tmp_path: Path) -> None:
    path = opened(write(tmp_path, number)).files[0].path
    for key, spelling in (
        ("missing", Spelling(missing=("-999",))),
        ("multiline", Spelling(multiline=True)),
    ):
        with pytest.raises(ConfigurationError, match=rf"dataset\.{key}: .*CSV.*Parquet -> leave"):
            open_dataset(Files(*astuple(spelling), name="mine", path=path, target="y"))


@pytest.mark.parametrize(
    "items", [["a"], ["", "NA", "?", "-"], ["Price (USD)", 'a "b"', "it's", "c,d"], ["null", "1"]]
)
def test_the_words_that_are_shown_are_understood(items: list[str]) -> None:
    (word,) = shlex.split(override("text", items))
    parsed = OverridesParser.create().parse_override(word)
    assert parsed.key_or_group == "dataset.text"
    assert [str(getattr(item, "text", item)) for item in parsed.value()] == items  # type: ignore[union-attr] # a list


def test_the_command_shows_words_that_work_and_what_it_read_otherwise(place: Path) -> None:
    lines = [f"{every(4, '?')(row)},{row} kg,{number(row)}" for row in range(60)]
    (place / "t.csv").write_text("\n".join(["a,c,y", *lines]), encoding="utf-8")
    table = ("engine=scan", "dataset=files", "dataset.path=t.csv", "dataset.target=y", "folds.k=2")
    run = tandem(*table)
    assert run.returncode == 3
    words = shlex.split(run.stderr.split("or ")[1].split(" if it means")[0])
    run = tandem(*table, *words)
    assert run.returncode == 0, run.stderr
    assert "t.csv:2: column 'c': '0 kg': the column holds numbers with a unit" in run.stderr
