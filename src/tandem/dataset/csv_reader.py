"""CSV files as record batches, parsed strictly; every complaint names line, column and value."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from tandem.dataset.csv_dates import NO_TEXT, read_dates, word_for
from tandem.dataset.csv_records import line_of
from tandem.dataset.overrides import override
from tandem.dataset.schema import LARGEST, TOO_LARGE
from tandem.errors import DataError
from tandem.settings import Spelling

_BLOCK_BYTES = 1 << 22
_HEADER_BYTES = 1 << 14  # are read for the names alone, where no row is longer
_EXACT_INTEGER = 2.0**53
_SHOWN = 60  # characters of a cell
_INFINITE = ("inf", "-inf", "Inf", "-Inf")  # as pandas and R write them
# As the parser has it; what is infinite, or spelled as no number, is refused later by its value.
NUMBER = r"(?i)^\s*[-+]?(\d+\.?\d*(e[-+]?\d+)?|\.\d+(e[-+]?\d+)?|inf(inity)?|nan)\s*$"


def not_text(spelling: Spelling) -> str:
    """What is said of bytes that are no text."""
    return f"not {spelling.encoding} -> name its encoding, as in dataset.encoding=latin-1"


def names_of(file: Path, spelling: Spelling) -> list[str]:
    """The names in the header. Raises DataError where it is in another encoding."""
    parsing = _parsing(spelling, lambda _row: "skip")
    try:
        reader = pv.open_csv(file, _reading(spelling, _HEADER_BYTES), parsing)
    except (pa.ArrowInvalid, UnicodeDecodeError):  # a row may be longer
        reader = open_csv(file, spelling, None, skip=parsing.invalid_row_handler)
    try:
        return [*reader.schema.names]
    except UnicodeDecodeError as error:
        place, rule = line_of(file, 0, spelling.delimiter), not_text(spelling)
        raise DataError(f"{file}:{place}: the header is {rule}") from error


def open_csv(
    file: Path,
    spelling: Spelling,
    types: dict[str, pa.DataType] | None,
    only: Sequence[str] | None = None,
    skip: Callable[[pv.InvalidRow], str] | None = None,
) -> pv.CSVStreamingReader:
    """A reader of all columns, or `only` some; what `types` leaves out is guessed by the parser.

    `skip` is asked of every row that has more or fewer cells than the header. Raises DataError
    where the first block does not fit.
    """
    try:
        return pv.open_csv(
            file,
            _reading(spelling, _BLOCK_BYTES),
            _parsing(spelling, skip),
            convert_options=pv.ConvertOptions(
                column_types=types,
                include_columns=only,
                null_values=list(spelling.missing),
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                check_utf8=True,
            ),
        )
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: it is {not_text(spelling)}") from error
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise _located(file, error, spelling, typed=types is not None) from error


def _reading(spelling: Spelling, block: int) -> pv.ReadOptions:
    return pv.ReadOptions(block_size=block, use_threads=False, encoding=spelling.encoding)


def _parsing(spelling: Spelling, skip: Callable[[pv.InvalidRow], str] | None) -> pv.ParseOptions:
    return pv.ParseOptions(
        newlines_in_values=True, delimiter=spelling.delimiter, invalid_row_handler=skip
    )


def typed_batches(
    file: Path, types: dict[str, pa.DataType], spelling: Spelling
) -> Iterator[pa.RecordBatch]:
    """The rows of a file, which has the columns of `types`; in the order of `types`.

    Raises DataError where it has others, or at the first cell that does not fit.
    """
    check_header(file, types, spelling)
    plain = pa.types.is_floating if spelling.plain_numbers else lambda _: False
    spelled = {name: kind if plain(kind) else pa.string() for name, kind in types.items()}
    row = 0
    for read in read_csv(file, spelling, spelled):
        batch = read.select([*types])
        if spelled != types:
            batch = _converted(file, batch, types, spelling, row)
        _check_numbers(file, batch, row, spelling)
        row += len(batch)
        yield batch


def check_header(file: Path, types: Mapping[str, pa.DataType], spelling: Spelling) -> None:
    """Raise DataError where a file has not the columns of `types`, each once."""
    names = names_of(file, spelling)
    if sorted(names) != sorted(types):
        odd = sorted({*names} ^ {*types}) or ["a column that stands twice"]
        raise DataError(f"{file}: its header differs from the first file's in {odd} -> align them")


def read_csv(
    file: Path,
    spelling: Spelling,
    types: dict[str, pa.DataType],
    skip: Callable[[pv.InvalidRow], str] | None = None,
    only: Sequence[str] | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows, as `open_csv` has them. Raises DataError at what does not fit."""
    reader = open_csv(file, spelling, types, only, skip)
    while True:
        try:
            yield reader.read_next_batch()
        except StopIteration:
            return
        except pa.ArrowInvalid as error:
            raise _located(file, error, spelling, typed=True) from error


def plainly(cells: pa.StringArray, spelling: Spelling) -> pa.StringArray:
    """Numbers as a parser takes them, where they are spelled as `spelling` says; else as it is."""
    if spelling.plain_numbers:
        return cells
    point, group = re.escape(spelling.decimal), re.escape(spelling.thousands or "")
    digits = rf"(\d{{1,3}}({group}\d{{3}})+|\d+)" if group else r"\d+"
    number = rf"[-+]?({digits}({point}\d*)?|{point}\d+)([eE][-+]?\d+)?"
    unit = "|".join(map(re.escape, spelling.units))
    around = rf"\s*({unit})?\s*" if unit else r"\s*"
    # The sign may stand before the unit: -$5.
    pattern = rf"^\s*(?P<sign>[-+]?){around}(?P<number>{number}){around}$"
    fits = pc.match_substring_regex(cells, pattern)
    bare = pc.replace_substring_regex(cells, rf"^\s*([-+]?){around}", r"\1")
    bare = pc.replace_substring_regex(bare, rf"{around}$", "")
    if spelling.thousands:
        bare = pc.replace_substring(bare, spelling.thousands, "")
    bare = pc.replace_substring(bare, spelling.decimal, ".")
    return pc.if_else(fits, bare, cells)


def parsed(
    name: str, cells: pa.StringArray, kind: pa.DataType, spelling: Spelling
) -> tuple[pa.Array, pa.BooleanArray]:
    """The numbers or dates of column `name`; which of its cells are none, null for missing ones."""
    if not pa.types.is_floating(kind):
        return read_dates(cells, kind, spelling.dates.get(name, ""))
    plain = plainly(cells, spelling)
    fits = pc.match_substring_regex(plain, NUMBER)
    numbers = pc.cast(pc.utf8_trim_whitespace(pc.if_else(fits, plain, NO_TEXT)), pa.float64())
    return numbers, pc.invert(fits)


def _converted(
    file: Path,
    batch: pa.RecordBatch,
    types: dict[str, pa.DataType],
    spelling: Spelling,
    first_row: int,
) -> pa.RecordBatch:
    """Texts as what `types` says. Raises DataError at the first cell that is none."""
    columns = []
    for name, cells in zip(batch.schema.names, batch.columns, strict=True):
        if cells.type == types[name]:
            columns.append(cells)
            continue
        values, odd = parsed(name, cells, types[name], spelling)
        if pc.any(odd).as_py():
            row = pc.indices_nonzero(odd)[0].as_py()
            cell = cells[row].as_py()
            line = line_of(file, first_row + row + 1, spelling.delimiter)
            rule = misfit(name, [cell], spelling, wanted(name, types[name], spelling, cell))
            raise DataError(f"{file}:{line}: column '{name}': {shown(cell)}: {rule}")
        columns.append(values)
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema([*types.items()]))


def _check_numbers(file: Path, batch: pa.RecordBatch, first_row: int, spelling: Spelling) -> None:
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if not pa.types.is_floating(field.type):
            continue
        for odd, rule in odd_numbers(field.name, column, spelling):
            row = pc.index(odd, True).as_py()
            line = line_of(file, first_row + row + 1, spelling.delimiter)
            value = f"{column[row].as_py():g}"
            raise DataError(f"{file}:{line}: column '{field.name}': {value}: {rule}")


def odd_numbers(
    name: str, column: pa.DoubleArray, spelling: Spelling
) -> Iterator[tuple[pa.BooleanArray, str]]:
    """The cells of a column that are spelled as numbers but can be none, with the rule; if any.

    They are not finite, their squares are infinite, or float64 may have rounded them.
    """
    if (pc.sum(pc.abs(column)).as_py() or 0.0) < _EXACT_INTEGER:
        return  # none is so large, or no number: the sum would not be one either
    finite = pc.is_finite(column)
    if pc.all(finite).as_py() is False:
        step = override("missing", [*spelling.missing, *_INFINITE])
        rule = f"a number must be finite -> correct it, or {step} if it means missing"
        yield pc.invert(finite), rule
        column = pc.if_else(finite, column, None)
    size = pc.abs(column)
    largest = pc.max(size).as_py() or 0.0
    if largest > LARGEST:
        yield pc.greater(size, LARGEST), TOO_LARGE
    if largest >= _EXACT_INTEGER and pc.all(pc.equal(pc.round(column), column)).as_py():
        step = override("text", [*spelling.text, name])
        rounded = pc.greater_equal(size, _EXACT_INTEGER)
        yield rounded, f"from 2^53 on digits are lost -> {step} if it is a name"


def _located(file: Path, error: Exception, spelling: Spelling, *, typed: bool) -> DataError:
    """The parser's complaint as one line: file, line where known, column, value, rule, step."""
    text = " ".join(str(error).split())
    row = re.search(r"Row #(\d+): ?", text)
    number = int(row.group(1)) - 1 if row else 0
    place = f"{file}:{line_of(file, number, spelling.delimiter)}" if row else str(file)
    text = re.sub(r"Row #\d+: ?", "", text)
    if (column := re.search(r"In CSV column #(\d+)", text)) and typed:
        name = names_of(file, spelling)[int(column.group(1))]
        if cell := re.search(r"to double: invalid value '(.*)'$", str(error), re.DOTALL):
            rule = misfit(name, [cell.group(1)], spelling)
            return DataError(f"{place}: column '{name}': {shown(cell.group(1))}: {rule}")
        if "invalid UTF8 data" in text:
            rule = not_text(spelling)
            return DataError(f"{place}: column '{name}': the text is {rule}")
        text = text.replace(column.group(), f"column '{name}'")
    if "straddling object" in text:
        text = f"a row is longer than the {_BLOCK_BYTES:,} bytes that are read at once"
    return DataError(
        f"{place}: {text} -> correct the file: every row must fit the header, every cell its "
        "column; dataset.on_bad_row=quarantine leaves the others out"
    )


def shown(cell: str) -> str:
    """A cell in quotes, shortened where it is long."""
    return f"'{cell}'" if len(cell) <= _SHOWN else f"'{cell[: _SHOWN - 3]}...'"


def wanted(name: str, kind: pa.DataType, spelling: Spelling, cell: str) -> str:
    """What the `cell` of a column of type `kind` should have been."""
    if name in spelling.dates:
        return f"date as {spelling.dates[name]}"
    return word_for(kind, cell) or "number"


def misfit(column: str, marks: Sequence[str], spelling: Spelling, what: str = "number") -> str:
    """What is said of a cell that is none in a column of numbers, or `what`; `marks`: these cells.

    The keys that it names hold what they held before, so that they can be typed as they are.
    """
    short = marks and all(len(mark) <= _SHOWN for mark in marks)
    step = (
        override("missing", [*spelling.missing, *marks]) if short else "add it to dataset.missing"
    )
    # What cannot be typed is nobody's mark.
    missing = f"or {step} if it means missing, " if "".join(marks).isprintable() else ""
    return (
        f"not a {what}, where others are -> correct it, {missing}or "
        f"{override('text', [*spelling.text, column])} if the column is text, or "
        "dataset.on_bad_row=quarantine to leave such rows out"
    )
