"""What the columns of Parquet files are: one schema for all, names, types, saved indexes."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tandem.dataset.chosen import matching, type_of
from tandem.dataset.overrides import override
from tandem.dataset.parquet import places, read_columns, united
from tandem.errors import DataError
from tandem.parts import Part
from tandem.records import Column, Kind, Source

_EXACT_INTEGER = 2**53
# Squares of numbers beyond, summed over rows, leave the range of float64; below they vanish.
LARGEST, SMALLEST = 1e150, 1e-150
_SHOWS = 1e-10  # of the range of a column: rounding that is larger shows
TOO_LARGE = (
    "beyond 1e150 squares are infinite -> divide the column by a power of ten, or exclude it"
)
# What pandas calls an index without a name in the file.
_NAMELESS_INDEX = re.compile(r"__index_level_\d+__")

_KINDS = {"number": Kind.NUMERIC, "text": Kind.CATEGORICAL, "boolean": Kind.CATEGORICAL}


def saved_index(schemas: Iterable[pa.Schema], target: str | None) -> list[str]:
    """Names of the columns, in any of the files, that hold an index without a name."""
    names = {name for schema in schemas for name in schema.names if name != target}
    return sorted(filter(_NAMELESS_INDEX.fullmatch, names))


def folder_keys(path: str, files: Iterable[Path], names: Sequence[str]) -> Iterator[str]:
    """A line on keys of folders below `path` (`year=2020/`) that are no column, thus not read."""
    place = Path(path).expanduser().absolute()
    parts = (file.relative_to(place).parts[:-1] for file in files if file.is_relative_to(place))
    found = {part.partition("=")[0] for some in parts for part in some if "=" in part}
    if told := sorted(found.difference(names)):
        yield (
            f"{', '.join(told)}: names of folders are not read as columns -> write them into the "
            "files if they are features"
        )


def without(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    """`schema` less the columns `names`."""
    return pa.schema([field for field in schema if field.name not in names], schema.metadata)


def left_out(saved: Sequence[str], exclude: Sequence[str]) -> Iterator[str]:
    """A line on the columns `saved` that are left out, unless the user excludes them."""
    if "" in saved and "" not in exclude:
        yield (
            "column 1 has no name: row labels, as R and pandas write them, are no feature -> name "
            "it if it is one"
        )
    if told := [name for name in saved if name and name not in exclude]:
        yield (
            f"{', '.join(told)}: row labels that pandas saved without a name are no feature "
            "-> name the index before saving if it is one"
        )


def named_index(schema: pa.Schema, features: Sequence[str]) -> Iterator[str]:
    """A line for every feature that was the index, with a name, of the pandas frame."""
    try:
        noted = schema.pandas_metadata
    except ValueError:  # another program wrote there what it liked
        noted = None
    kept = noted.get("index_columns") if isinstance(noted, dict) else None
    for name in features:
        if name in (kept or ()):
            yield (
                f"column '{name}' was the index of the pandas frame: it is a feature as the others "
                f"-> dataset.exclude=[{name}] if it only labels rows"
            )


def one_schema(schemas: dict[Path, pa.Schema]) -> pa.Schema:
    """The columns of the first file, in types that hold those of all files.

    Raises DataError where another file has other names, or types that no type holds.
    """
    for file, found in schemas.items():
        twice = [name for name, times in Counter(found.names).items() if times > 1]
        if twice:
            raise DataError(f"{file}: two columns are named '{twice[0]}' -> rename one of them")
    (first, schema), *others = schemas.items()
    for other, found in others:
        for name in sorted({*schema.names} ^ {*found.names}):
            raise DataError(
                f"{other}: column '{name}' is in only one of it and {first} -> align them"
            )
        for at, field in enumerate(schema):
            kind = united(field.type, found.field(field.name).type)
            if kind is None:
                raise DataError(
                    f"{other}: column '{field.name}' is {found.field(field.name).type}, "
                    f"in {first} it is {field.type} -> write both with one type"
                )
            schema = schema.set(at, field.with_type(kind))
    return schema


def stand_in(schema: pa.Schema, include: Sequence[str], exclude: Sequence[str]) -> str | None:
    """The first column of numbers among those that are read; None: there is none."""
    gone, some = matching("exclude", exclude, schema), matching("include", include, schema)
    read = (n for n in schema.names if n in (some or schema.names) and n not in gone)
    return next((n for n in read if type_of(schema.field(n).type) == "number"), None)


def unread(schema: pa.Schema, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Those of `names` that are neither numbers, text nor dates, with a line on each."""
    for name in names:
        kind = schema.field(name).type
        if not type_of(kind):
            told = (
                f"column '{name}' holds {kind}: a run refuses it, only numbers, text, booleans, "
                f"dates and times are read -> convert it, or {override('exclude', [name])}"
            )
            yield name, told


def columns_of(
    schema: pa.Schema,
    names: Sequence[str],
    exclude: Sequence[str],
    dates: Mapping[str, Sequence[Part]],
    forms: Mapping[str, str],
) -> list[Column]:
    """`names` as columns, in their order; in place of each of `dates`, what is read off it.

    `forms`: how raw dates are written, as in `Source`. Raises DataError, which names all of them,
    where types are neither number, text nor date, and where two columns get one name.
    """
    plain = (name for name in names if name not in dates)
    kinds = {name: _KINDS.get(type_of(schema.field(name).type)) for name in plain}
    if odd := [name for name, kind in kinds.items() if kind is None]:
        raise DataError(
            f"column '{odd[0]}' holds {schema.field(odd[0]).type}: only numbers, text, booleans, "
            f"dates and times are read -> convert it, or {override('exclude', [*exclude, *odd])}"
        )
    found: dict[str, Column] = {}
    for name in names:
        read = [Source(name, part, forms.get(name, "")) for part in dates.get(name, ())]
        sources: Sequence[Source | None] = read if name in dates else [None]
        for source in sources:
            full = f"{name}.{source.part}" if source and source.part is not Part.SECONDS else name
            if full in found:
                raise DataError(
                    f"column '{full}' is read off the dates of another one too -> rename it, or "
                    f"{override('exclude', [*exclude, full])}"
                )
            kind = kinds.get(name) or Kind.NUMERIC
            found[full] = Column(f"c{len(found)}", full, kind, source)
    return [*found.values()]


def check_numbers(file: Path, footer: pq.FileMetaData, names: Iterable[str]) -> None:
    """Raise DataError where float64 would round integers or decimals, by footer or else values.

    And where the footer says that products of numbers would be infinite.
    """
    types, schema = pa.types, footer.schema.to_arrow_schema()
    kinds = {name: schema.field(name).type for name in names}
    floating = [n for n, k in kinds.items() if types.is_float32(k) or types.is_float64(k)]
    exact = [
        name
        for name, kind in kinds.items()
        if types.is_int64(kind) or types.is_uint64(kind) or types.is_decimal(kind)
    ]
    told = _told(footer, [*floating, *exact])
    for name in floating:  # no float16 is that large
        largest = max(filter(math.isfinite, told.get(name, ())), key=abs, default=0.0)
        if abs(largest) > LARGEST:
            raise DataError(f"{file}: column '{name}': {largest:g}: {TOO_LARGE}")
        if 0.0 < abs(largest) < SMALLEST:
            raise DataError(
                f"{file}: column '{name}': {largest:g} is its largest number: squares of numbers "
                "below 1e-150 vanish -> multiply the column by a power of ten, or exclude it"
            )
    for name in exact:
        found = told[name] if name in told else _extremes(file, name)
        values = [value for value in found if value is not None]
        largest = max(values, key=abs, default=0)
        if abs(largest) > _EXACT_INTEGER:
            raise DataError(
                f"{file}: column '{name}': {largest}: above 2^53 a number "
                "loses digits -> exclude the column, or store it as text if it is a name"
            )
        if pa.types.is_decimal(kinds[name]) and _rounded(values, kinds[name].scale):
            raise DataError(
                f"{file}: column '{name}': {largest}: float64 has too few digits for numbers "
                f"between {min(values)} and {max(values)} -> subtract a number near them, or "
                "exclude it"
            )


def _rounded(values: Sequence[Any], places: int) -> bool:
    """Whether rounding decimals of so many places to float64 shows, by their extremes."""
    if not values or max(abs(value) for value in values) * 10**places <= _EXACT_INTEGER:
        return False
    largest, extent = max(abs(value) for value in values), max(values) - min(values)
    return extent > 0 and float(largest) * 2.0**-53 > _SHOWS * float(extent)


def _extremes(file: Path, name: str) -> list[Any]:
    return [*pc.min_max(read_columns(file, [name]).column(0)).as_py().values()]


def _told(footer: pq.FileMetaData, names: Iterable[str]) -> dict[str, list[Any]]:
    """Least and largest numbers of the columns of which the footer tells in every row group."""
    at = places(footer)
    found: dict[str, list[Any]] = {name: [] for name in names}
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        for name in [*found]:
            said = group.column(at[name]).statistics
            if said is not None and said.has_min_max:
                found[name] += (said.min, said.max)
            else:
                del found[name]
    return found
