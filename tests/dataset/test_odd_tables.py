"""Tables as people have them: what is left out, not read or of no use is said."""

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tandem.commands.run import Answered, measure
from tandem.config.composed import compose
from tandem.errors import DataError

ROWS = 60

pytestmark = pytest.mark.usefixtures("own_cache")


def frame() -> pd.DataFrame:
    """y = 3 a - 2 c + noise."""
    rng = np.random.default_rng(0)
    a, c = rng.normal(size=(2, ROWS))
    return pd.DataFrame({"a": a, "c": c, "y": 3 * a - 2 * c + 0.1 * rng.normal(size=ROWS)})


def found(path: Path, *words: str) -> Answered:
    task = ("dataset=files", f"dataset.path='{path}'", "dataset.target=y", "engine=scan", *words)
    return measure(compose(*task).settings, say=False)


def lines(path: Path, *words: str) -> str:
    return "\n".join(found(path, *words).result.remarks)


@pytest.mark.parametrize("labels", [range(ROWS), [f"row {i}" for i in range(ROWS)]])
def test_row_labels_without_a_name_are_left_out_with_a_line(tmp_path: Path, labels: object) -> None:
    table = frame().set_axis(labels)
    table.to_csv(tmp_path / "t.csv")  # as pandas and R write them
    answer = found(tmp_path / "t.csv")
    assert [*answer.result.model.coefficients] == ["a", "c"]
    assert "column 1 has no name: row labels" in answer.result.remarks[0]
    assert "column 1" not in lines(tmp_path / "t.csv", "dataset.exclude=['']")


def test_a_column_without_a_name_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,,y\n1,2,3\n4,5,6\n")
    with pytest.raises(DataError, match="column 2 has no name -> name it"):
        found(tmp_path / "t.csv")


def test_a_file_that_is_named_is_read_whatever_its_name(tmp_path: Path) -> None:
    file = tmp_path / "data" / "_t.csv"
    file.parent.mkdir()
    frame().to_csv(file, index=False)
    assert found(file).result.ledger.rows_used == ROWS
    with pytest.raises(DataError, match="no data file here"):
        found(file.parent)


@pytest.mark.parametrize(("mark", "what"), [("\t", "tabs"), (";", "semicolons"), ("|", "bars")])
def test_cells_that_are_not_parted_by_commas_are_told_of(
    tmp_path: Path, mark: str, what: str
) -> None:
    frame().to_csv(tmp_path / "t.csv", index=False, sep=mark)
    with pytest.raises(DataError, match=rf"t\.csv:1: .* parted by {what} -> dataset.delimiter="):
        found(tmp_path / "t.csv")


def test_keys_of_folders_that_are_not_read_are_told_of(tmp_path: Path) -> None:
    for year in (2020, 2021):
        place = tmp_path / "run=3" / f"year={year}"
        place.mkdir(parents=True)
        frame().to_parquet(place / "t.parquet")
    assert "year: names of folders are not read as columns" in lines(tmp_path / "run=3")
    assert "run" not in lines(tmp_path / "run=3").partition(":")[0]
    assert "folders" not in lines(tmp_path / "run=3" / "year=2020" / "t.parquet")


@pytest.mark.parametrize("column", ["a", "y"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_numbers_whose_squares_are_infinite_are_refused_by_name(
    tmp_path: Path, column: str, kind: str
) -> None:
    table = frame()
    table.loc[4, column] = -1e200
    path = tmp_path / f"t.{kind}"
    if kind == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)
    place = r":6" if kind == "csv" else ""
    with pytest.raises(DataError, match=rf"t\.{kind}{place}: column '{column}': .*1e\+200: beyond"):
        found(path)
    table.loc[4, column] = 1e140
    table.to_parquet(tmp_path / "fine.parquet")
    assert np.isfinite(found(tmp_path / "fine.parquet").result.scores.rmse).all()


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY", "PLAIN"])
def test_texts_are_read_however_they_are_stored(tmp_path: Path, encoding: str) -> None:
    table = pa.table(frame().assign(town=[f"town {i % 7}" for i in range(ROWS)]))
    how = {"use_dictionary": False, "column_encoding": {"town": encoding}}
    pq.write_table(table, tmp_path / "t.parquet", **how)
    pq.write_table(table, tmp_path / "usual.parquet")
    odd, usual = (found(tmp_path / f"{name}.parquet").result for name in ("t", "usual"))
    assert odd.model == usual.model
    assert odd.scores.rmse.tolist() == usual.scores.rmse.tolist()


def test_one_row_is_too_few_with_a_step_that_helps(tmp_path: Path) -> None:
    frame().head(1).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="nothing can be held out -> more rows"):
        found(tmp_path / "t.csv")


def test_features_that_tell_rows_apart_and_no_more_are_told_of(tmp_path: Path) -> None:
    numbered = frame().assign(id=[f"u{i:03}" for i in range(ROWS)], n=range(7, ROWS + 7))
    numbered.to_csv(tmp_path / "t.csv", index=False)
    said = lines(tmp_path / "t.csv")
    assert "id has 60 distinct values in 60 rows: it tells rows apart and no more" in said
    assert "n counts the rows: is it a feature?" in said
    assert "dataset.exclude=[id]" in said
    assert "a counts" not in said


def test_an_error_that_is_rounding_is_not_said_to_differ_between_folds(tmp_path: Path) -> None:
    exact = frame().round(2)
    exact["y"] = 3 * exact["a"] - 2 * exact["c"]
    exact.to_csv(tmp_path / "t.csv", index=False)
    assert "differs between folds" not in lines(tmp_path / "t.csv", "model.reg_param=[0]")


def test_parts_of_a_csv_table_are_read_by_the_names_of_their_columns(tmp_path: Path) -> None:
    table = frame()
    table.to_csv(tmp_path / "whole.csv", index=False)
    whole = found(tmp_path / "whole.csv").result
    parts = tmp_path / "parts"
    parts.mkdir()
    table[:30].to_csv(parts / "0.csv", index=False)
    table[30:][["y", "c", "a"]].to_csv(parts / "1.csv", index=False)
    np.testing.assert_allclose(found(parts).result.scores.rmse, whole.scores.rmse, rtol=1e-12)


def test_a_nul_byte_is_refused_by_its_line(tmp_path: Path) -> None:
    text = frame().assign(b="red").to_csv(index=False).encode().split(b"\n")
    text[8] = text[8].replace(b"red", b"r\0d")
    (tmp_path / "t.csv").write_bytes(b"\n".join(text))
    with pytest.raises(DataError, match=r"t.csv:9: a NUL byte"):
        found(tmp_path / "t.csv")


def test_a_file_that_may_have_been_cut_off_is_told_of(tmp_path: Path) -> None:
    text = frame().to_csv(index=False)
    (tmp_path / "t.csv").write_text(text)
    assert "cut off" not in lines(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text(text[:-3])
    assert "t.csv: the last line does not end with a line break: was the file cut off?" in lines(
        tmp_path / "t.csv"
    )


def test_a_few_numbers_among_texts_are_told_of(tmp_path: Path) -> None:
    table = frame()
    table["a"] = table["a"].astype(str)
    table.loc[4:, "a"] = "unknown"
    table.to_csv(tmp_path / "t.csv", index=False)
    assert "column 'a': 'unknown': the column holds 7% numbers" in lines(tmp_path / "t.csv")


@pytest.mark.parametrize("name", ["a", "y"])
def test_numbers_whose_squares_vanish_are_refused(tmp_path: Path, name: str) -> None:
    table = frame()
    table[name] *= 1e-170
    table.to_parquet(tmp_path / "t.parquet", index=False)
    with pytest.raises(DataError, match=rf"column '{name}': -?\d.*e-1.*below 1e-150 vanish"):
        found(tmp_path / "t.parquet")


def test_decimals_that_float64_would_round_are_refused(tmp_path: Path) -> None:
    """1.2e9 +- 1e-4, but not plain prices of ten places."""
    table = frame()
    for offset, refused in ((1_200_000_000, True), (1_200_000, False)):
        scale = Decimal("0.0001") if refused else Decimal(1000)
        cells = [offset + scale * round(Decimal(x), 6) for x in table["a"]]
        columns = {"a": pa.array(cells, pa.decimal128(38, 10)), "y": table["y"]}
        pq.write_table(pa.table(columns), tmp_path / "t.parquet")
        if refused:
            with pytest.raises(DataError, match=r"column 'a': .*float64 has too few digits"):
                found(tmp_path / "t.parquet")
        else:
            assert found(tmp_path / "t.parquet").result.scores.r2.max() > 0.5


SPELLED: dict[str, tuple[Callable[[str], str], tuple[str, ...]]] = {
    "decimal commas": (lambda x: x.replace(".", ","), ("dataset.decimal=','",)),
    "dollars": (lambda x: f"${x}", ("dataset.units=[$]",)),
    "minus before the sign": (
        lambda x: f"-${x[1:]}" if x.startswith("-") else f"${x}",
        ("dataset.units=[$]",),
    ),
    "percent": (lambda x: f"{x} %", ("dataset.units=['%']",)),
    "two units": (lambda x: f"{x} kg" if "1" in x else f"{x}kgs", ("dataset.units=[kgs,kg]",)),
    "thousands": (lambda x: f"{float(x):,.6f}", ("dataset.thousands=','",)),
    "the German way": (
        lambda x: f"{float(x):,.6f}".translate({44: ".", 46: ","}) + " EUR",
        ("dataset.thousands='.'", "dataset.decimal=','", "dataset.units=[EUR]"),
    ),
}


@pytest.mark.parametrize("name", SPELLED)
def test_numbers_are_read_as_they_are_spelled(tmp_path: Path, name: str) -> None:
    change, words = SPELLED[name]
    table = frame()
    table["a"] = (table["a"] * 4000).round(6)
    table.to_csv(tmp_path / "plain.csv", index=False)
    spelled = table.astype({"a": object, "y": object})
    for column in ("a", "y"):
        spelled[column] = [change(f"{x!r}") for x in table[column].tolist()]
    table["y"] = table["y"].round(6) if "thousands" in str(words) else table["y"]
    spelled.to_csv(tmp_path / "spelled.csv", index=False)
    table.to_csv(tmp_path / "plain.csv", index=False)
    found_plain = found(tmp_path / "plain.csv").result
    read = found(tmp_path / "spelled.csv", *words).result
    assert read.scores.rmse.tobytes() == found_plain.scores.rmse.tobytes()
    try:
        told = lines(tmp_path / "spelled.csv")
    except DataError as error:
        told = str(error)
    assert re.search(rf"{re.escape(words[-1].split('=')[0])}|dataset.missing", told)


@pytest.mark.parametrize("cell", ["1,5", "1,2345", "12,34,567", "$5", "5 lb", "1.234,5", "", "--5"])
def test_a_cell_that_is_spelled_in_another_way_is_refused(tmp_path: Path, cell: str) -> None:
    table = frame().astype({"a": object})
    table["a"] = [f"{1000 * k:,} kg" for k in range(ROWS)]
    table.loc[7, "a"] = cell
    table.to_csv(tmp_path / "t.csv", index=False)
    words = ("dataset.thousands=','", "dataset.units=[kg]")
    if not cell:
        assert found(tmp_path / "t.csv", *words).result.ledger.rows_dropped_missing == 1
        return
    with pytest.raises(DataError, match=rf"t.csv:9: column 'a': '{re.escape(cell)}': not a number"):
        found(tmp_path / "t.csv", *words)


@pytest.mark.parametrize(("key", "mark"), [("tab", "\t"), ("';'", ";"), ("'|'", "|")])
def test_cells_may_be_parted_by_another_mark(tmp_path: Path, key: str, mark: str) -> None:
    """Quotes, line breaks and commas within cells as ever."""
    table = frame().assign(b=[f'say "{k % 3}", {mark} or\nnot' for k in range(ROWS)])
    table.to_csv(tmp_path / "comma.csv", index=False)
    table.to_csv(tmp_path / "other.csv", index=False, sep=mark)
    with pytest.raises(DataError, match=rf"dataset.delimiter={re.escape(key)}"):
        found(tmp_path / "other.csv")
    answers = [
        found(tmp_path / "comma.csv"),
        found(tmp_path / "other.csv", f"dataset.delimiter={key}"),
    ]
    first, second = (answer.result for answer in answers)
    assert first.scores.rmse.tobytes() == second.scores.rmse.tobytes()
    assert first.model.levels == second.model.levels
    broken = table.to_csv(index=False, sep=mark).replace('"say', 'x"say', 1)
    (tmp_path / "broken.csv").write_text(broken.replace('""0""', '"0"', 1))
    with pytest.raises(DataError, match=r"broken.csv:"):
        found(tmp_path / "broken.csv", f"dataset.delimiter={key}")


def test_another_encoding_is_read_where_it_is_named(tmp_path: Path) -> None:
    table = frame().rename(columns={"c": "größe"}).assign(b=["rot", "grün", "é"] * 20)
    table.to_csv(tmp_path / "utf8.csv", index=False)
    table.to_csv(tmp_path / "latin.csv", index=False, encoding="latin-1")
    with pytest.raises(DataError, match=r"the header is not utf-8 -> .*encoding=latin-1"):
        found(tmp_path / "latin.csv")
    first = found(tmp_path / "utf8.csv").result
    second = found(tmp_path / "latin.csv", "dataset.encoding=latin-1").result
    assert first.scores.rmse.tobytes() == second.scores.rmse.tobytes()
    assert first.model.levels == second.model.levels
    assert [*first.model.coefficients] == [*second.model.coefficients]
