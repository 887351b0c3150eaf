"""What a column of a CSV file is: numbers, or text; and what its user should know of that."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tandem.dataset.csv_dates import TIME, declared_kind, formats_of, iso, kind_of, word_for
from tandem.dataset.csv_reader import (
    NUMBER,
    misfit,
    names_of,
    plainly,
    read_csv,
    shown,
)
from tandem.dataset.csv_rejects import texts
from tandem.dataset.files import unpacked
from tandem.dataset.overrides import override
from tandem.errors import DataError, nearest, several
from tandem.settings import OnBadRow, Spelling

_MOST = 0.5  # from such a share of its cells on they tell what a column is
_FEW = 0.02  # from so many numbers on among the cells of a column of text, it is told of; and
# from the first on where all other cells are the same
_HEADER_BYTES = 1 << 20
_MARKS = 5  # more spellings than this are no spellings of "missing"

_DIGITS = r"[-+]?(\d{1,3}([.,' \x{a0}\x{202f}]\d{3})+|\d+)([.,]\d+)?"
_SIGN = r"([$\x{20ac}\x{a3}\x{a5}\x{20b9}]|USD|EUR|GBP|CHF|JPY)"
_UNIT = r"[\pL\x{b0}][\pL\x{b0}/0-9]*"
_DAY = r"(\d{4}([-/.])\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))"
_MONTH = r"(\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4})"
_TIME = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp]\.?[Mm]\.?)?"
_DATES = "dates"
# First come first served.
_FORMS = {
    _DATES: rf"^\s*({_DAY}|{_MONTH})([T ]+{_TIME}.*)?\s*$",
    "times": rf"^\s*{_TIME}\s*$",
    "numbers with a currency sign": rf"^\s*([-+]?{_SIGN}\s?{_DIGITS}|{_DIGITS}\s?{_SIGN})\s*$",
    "numbers with a percent sign": rf"^\s*{_DIGITS}\s?%\s*$",
    "numbers with a decimal comma or with separators of thousands": rf"^\s*{_DIGITS}\s*$",
    "numbers with a unit": rf"^\s*{_DIGITS}\s?{_UNIT}\s*$",
}
# Parts of a header of one column that tell that cells are not parted by commas.
_DELIMITERS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas", " ": "blanks"}


@dataclass(frozen=True, slots=True)
class Remark:
    """What is to be told of a column of text: the line and the cell that first gave cause to.

    `form`: what its cells look like; None where most are numbers, or `what` else, which is refused,
    as dates are of which it is not told how they are written: `ways` are those that fit. `marks`:
    the other cells, where they are few enough to be spellings of "missing"; `levels`: in words.
    """

    column: str
    file: int
    row: int
    cell: str
    form: str | None
    marks: tuple[str, ...] = ()
    line: int = 0
    levels: str = ""
    what: str = "number"
    ways: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the column can only be used when more is said of it."""
        return self.form in (None, _DATES)

    def told(self, file: Path, spelling: Spelling, *, target: bool) -> str:
        """One line for the user; `file` holds the cell, `spelling` is what is said so far."""
        place = f"{file}:{self.line}: column '{self.column}': {shown(self.cell)}"
        if self.form is None:
            return f"{place}: {misfit(self.column, self.marks, spelling, self.what)}"
        if target:
            return f"{place}: the target holds {self.form} -> {_keys(self.form, self.cell)}"
        step = _keys(self.form, self.cell)
        if self.form == _DATES:
            ways = [*self.ways][:2]
            step = " or ".join(_dates_as(self.column, way, spelling) for way in ways)
            if not ways:
                example = _dates_as(self.column, "%d.%m.%Y", spelling)
                step = f"{example} with its own format, in the words of strptime"
            found = "the column holds dates, and not as 2020-01-31"
        else:
            found = f"the column holds {self.form}, read as a category with {self.levels}"
        if self.marks:
            step = f"{override('missing', [*spelling.missing, *self.marks])} if it means missing"
        return (
            f"{place}: {found} -> {step}, {override('exclude', [self.column])}, or "
            f"{override('text', [*spelling.text, self.column])} if it is text"
        )


def _dates_as(column: str, way: str, spelling: Spelling) -> str:
    """The words that say how the dates of one more column are written."""
    listed = ", ".join(
        f'{name}: "{form}"' for name, form in {**spelling.dates, column: way}.items()
    )
    return shlex.quote(f"dataset.dates={{{listed}}}")


def _keys(form: str, cell: str) -> str:
    """What makes numbers of cells of this form."""
    around = " ".join(re.findall(r"[^\d.,' +-]+", cell))
    if "separators" in form:
        return "dataset.decimal=',' or dataset.thousands=','"
    if any(word in form for word in ("currency", "percent", "unit")):
        return override("units", [around])
    return "write plain numbers" if "numbers" in form else "write what matters of them as numbers"


def are_dates(cells: Sequence[str]) -> bool:
    """Whether all of some cells look like dates."""
    return bool(cells) and all(re.match(_FORMS["dates"], cell) for cell in cells)


def column_types(
    files: Sequence[Path], spelling: Spelling
) -> tuple[dict[str, pa.DataType], list[Remark]]:
    """float64, dates or text for every column of the header, in its order; remarks on text.

    Raises DataError where the header lacks a name of `spelling.text` or `spelling.dates`, has one
    twice, or an empty one.
    """
    _check_delimiter(files[0], spelling)
    names = names_of(files[0], spelling)
    _check_header(files[0], names)
    asked = [*(("text", n) for n in spelling.text), *(("dates", n) for n in spelling.dates)]
    for key, name in asked:
        if name not in names:
            raise DataError(
                f"dataset.{key}: there is no column '{name}'{nearest(name, names)}"
                f" -> some of {several(names)}"
            )
    first = next(_texts(files[0], names, spelling), None)
    types: dict[str, pa.DataType] = dict.fromkeys(names, pa.string())
    remarks = []
    for name in names:
        if name in spelling.text:
            continue
        if name in spelling.dates:
            types[name] = declared_kind(spelling.dates[name])
            continue
        if first is not None and first.column(name).null_count < len(first):
            found = _type_of(name, first.column(name), 0, 0, spelling)
        else:
            found = _type_of_late_values(files, name, spelling)
        types[name], remark = found
        remarks += [remark] if remark else []
    return types, remarks


def _type_of_late_values(
    files: Sequence[Path], name: str, spelling: Spelling
) -> tuple[pa.DataType, Remark | None]:
    for number, file in enumerate(files):
        row = 0
        for batch in _texts(file, [name], spelling):
            if batch.column(0).null_count < len(batch):
                return _type_of(name, batch.column(0), number, row, spelling)
            row += len(batch)
    return pa.float64(), None


def _texts(file: Path, names: Sequence[str], spelling: Spelling) -> Iterator[pa.RecordBatch]:
    """Columns as text, of the rows that could be read."""
    if spelling.on_bad_row == OnBadRow.QUARANTINE:
        return (batch for batch, _ in texts(file, names, spelling, []))
    return read_csv(file, spelling, dict.fromkeys(names, pa.string()), only=names)


def _check_delimiter(file: Path, spelling: Spelling) -> None:
    with unpacked(file) as data:
        begin = data.read(_HEADER_BYTES).decode(spelling.encoding, errors="replace")
    header, row = [*begin.split("\n", 2), ""][:2]
    odd = [mark for mark in _DELIMITERS if mark in header]
    if odd == [" "] and header.count(" ") != row.count(" "):
        odd = []  # a name of several words
    if odd and spelling.delimiter not in header:
        key = "tab" if odd[0] == "\t" else f"'{odd[0]}'"
        raise DataError(
            f"{file}:1: the cells seem to be parted by {_DELIMITERS[odd[0]]} -> "
            f"dataset.delimiter={key}"
        )


def _check_header(file: Path, names: Sequence[str]) -> None:
    for position, name in enumerate(names, 1):
        if not name.strip() and position > 1:  # the first may be row labels
            raise DataError(f"{file}: line 1: column {position} has no name -> name it")
        if names.count(name) > 1:
            raise DataError(f"{file}: line 1: two columns are named '{name}' -> rename one of them")


def _type_of(
    column: str, spelled: pa.StringArray, file: int, first_row: int, spelling: Spelling
) -> tuple[pa.DataType, Remark | None]:
    """The type, judged by the cells `spelled` from `first_row` on, of which one is there.

    Numbers are a column of numbers, dates as ISO writes them one of dates. Where at least half are,
    the others are spellings of a missing cell, or mistakes: their rows are bad, or the remark
    refuses the column, should it be used.
    """
    cells = plainly(spelled, spelling)
    present = len(cells) - cells.null_count
    numbers = _matches(cells, NUMBER)
    found = pc.sum(numbers).as_py()
    enough = _MOST * present if spelling.on_bad_row == OnBadRow.QUARANTINE else present
    if found >= enough:
        return pa.float64(), None
    kind, dates = kind_of(spelled) or (None, 0)
    if kind is not None and dates >= (present if kind == TIME else enough):
        return kind, None
    if kind is not None and kind != TIME and dates >= _MOST * present:
        odd = pc.and_(pc.invert(iso(spelled, kind)), pc.is_valid(spelled))
        remark = _remark(column, file, first_row, spelled, odd)
        what = word_for(kind, remark.cell)
        return pa.string(), replace(remark, marks=_marks(spelled, odd), what=what)
    cause, form, marks = _form(cells, numbers, found / present)
    if cause is None:
        return pa.string(), None
    ways = (*formats_of(cells.filter(cause)),) if form == _DATES else ()
    remark = _remark(column, file, first_row, cells, cause)
    return pa.string(), replace(remark, form=form, marks=marks, ways=ways)


def _remark(
    column: str, file: int, first_row: int, cells: pa.StringArray, cause: pa.BooleanArray
) -> Remark:
    row = pc.indices_nonzero(cause)[0].as_py()  # pc.index would import pandas
    return Remark(column, file, first_row + row, cells[row].as_py(), None)


def _marks(cells: pa.StringArray, odd: pa.BooleanArray) -> tuple[str, ...]:
    marks = cells.filter(odd).unique()
    return tuple(marks.to_pylist()) if len(marks) <= _MARKS else ()


def _form(
    cells: pa.StringArray, numbers: pa.BooleanArray, share: float
) -> tuple[pa.BooleanArray | None, str | None, tuple[str, ...]]:
    """The cells that give cause for a remark, None for none; its form and its marks."""
    odd = pc.and_(pc.invert(numbers), pc.is_valid(cells))
    if share >= _MOST:
        return odd, None, _marks(cells, odd)
    present = len(cells) - cells.null_count
    for form, pattern in _FORMS.items():
        like = _matches(cells, pattern)
        if pc.sum(like).as_py() >= _MOST * present:
            return like, form, ()
    marks = cells.filter(odd).unique()
    alone = (marks[0].as_py(),) if share > 0 and len(marks) == 1 else ()
    few = f"{share:.0%}" if share >= _FEW else "few"
    told = odd if alone or share >= _FEW else None
    return told, f"{few} numbers among other cells", alone


def _matches(cells: pa.StringArray, pattern: str) -> pa.BooleanArray:
    # false and nothing is false; fill_null would import pandas
    return pc.and_kleene(pc.is_valid(cells), pc.match_substring_regex(cells, pattern))
