"""From the user's words to a Dataset: files in row-id order, typed columns, content digest."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tandem.convert import Converted, to_parquet
from tandem.csv_reader import Spelling
from tandem.digests import marks
from tandem.errors import ConfigurationError, DataError, nearest
from tandem.parquet import is_text, places, read_columns, read_footer
from tandem.records import Column, Dataset, File, Kind

_EXACT_INTEGER = 2**53
_SPELLING = Spelling()
# What pandas calls an index without a name in the file.
_NAMELESS_INDEX = re.compile(r"__index_level_\d+__")


def find_files(path: str) -> tuple[Path, ...]:
    """The data files of a path, a folder or a glob pattern, sorted; all Parquet or all CSV.

    Files whose name begins with `_` or `.` are no data. Raises DataError where nothing is found.
    """
    if not path:
        raise ConfigurationError(
            "dataset.path: no path is given -> dataset.path='data/*.parquet' (or .csv)"
        )
    place = Path(path).expanduser()
    if place.is_dir():
        candidates = [p for p in place.rglob("*") if not p.is_dir()]
    elif has_magic(str(place)) and not place.exists():
        candidates = [Path(p) for p in glob(str(place), recursive=True) if not Path(p).is_dir()]  # noqa: PTH207 - an absolute pattern
    else:
        candidates = [place]
    found = sorted(p.absolute() for p in candidates if not _hidden(p, place))
    if not found:
        raise DataError(f"{path}: no data file here (looked for *.parquet and *.csv) -> check it")
    for file in found:
        if not file.is_file():
            raise DataError(f"{file}: there is no such file -> check dataset.path")
    kinds = {file.suffix.lower() for file in found}
    if len(kinds) > 1 or not kinds <= {".parquet", ".csv"}:
        raise DataError(
            f"{path}: files of kind {', '.join(sorted(kinds)) or 'unknown'}: one kind is read, "
            ".parquet or .csv -> name the files by a pattern such as 'data/*.parquet'"
        )
    return tuple(found)


def _hidden(file: Path, place: Path) -> bool:
    """Whether the file, or a folder on the way to it from `place`, begins with `_` or `.`."""
    parts = file.relative_to(place).parts if file.is_relative_to(place) else ()
    return any(part[0] in "_." for part in (*parts, file.name))


@dataclass(frozen=True, slots=True)
class Source:
    """What the user says of a table; `spelling` is about CSV files only."""

    name: str
    path: str
    target: str | None
    exclude: tuple[str, ...] = ()
    spelling: Spelling = _SPELLING


def open_dataset(source: Source) -> Dataset:
    """The dataset of the files at `source.path`; CSV is first converted to Parquet, once.

    Raises DataError or ConfigurationError where files, target or excluded columns are not there.
    """
    files = find_files(source.path)
    digest = content_digest(files)
    converted = _converted(files, digest, source.spelling)
    files = converted.files if converted else files
    footers = {file: read_footer(file) for file in files}
    schemas = {file: footer.schema.to_arrow_schema() for file, footer in footers.items()}
    saved = _saved_index(schemas.values(), source.target)
    schema = _one_schema({file: _without(found, saved) for file, found in schemas.items()})
    named = _check_names(schema, source.target, [x for x in source.exclude if x not in saved])
    notes = converted.notes(source.target, named) if converted else ()
    columns = [Column(f"c{i}", name, _kind(schema.field(name))) for i, name in enumerate(named)]
    if columns[0].kind is not Kind.NUMERIC:
        raise DataError(
            f"dataset.target: column '{source.target}' holds {schema.field(named[0]).type}, "
            "a regression needs a number -> choose a numeric column"
        )
    for file, footer in footers.items():
        _check_integers(file, footer, named)
    first, records = 0, []
    for file, footer in footers.items():
        records.append(File(str(file), footer.num_rows, first))
        first += footer.num_rows
    if first == 0:
        raise DataError(f"{source.path}: the files hold no row -> check the data")
    notes = (*notes, *_left_out(saved, source.exclude), *_named_index(schema, named[1:]))
    return Dataset(source.name, tuple(records), columns[0], tuple(columns[1:]), digest, notes)


def _converted(files: Sequence[Path], digest: str, spelling: Spelling) -> Converted | None:
    """The Parquet files of CSV files; None where they are Parquet already."""
    if files[0].suffix.lower() == ".csv":
        return to_parquet(files, digest, spelling)
    for key, value in asdict(spelling).items():
        if value != getattr(_SPELLING, key):
            shown = [*value] if isinstance(value, tuple) else value
            raise ConfigurationError(
                f"dataset.{key}: {shown}: is about CSV files, these are Parquet -> leave it out"
            )
    return None


def content_digest(files: Iterable[Path]) -> str:
    """SHA-256 over the SHA-256 of every file, in order, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for mark in marks(files):
        digest.update(bytes.fromhex(mark.digest))
    return digest.hexdigest()


def _saved_index(schemas: Iterable[pa.Schema], target: str | None) -> list[str]:
    """Names of the columns, in any of the files, that hold an index without a name."""
    names = {name for schema in schemas for name in schema.names if name != target}
    return sorted(filter(_NAMELESS_INDEX.fullmatch, names))


def _without(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    return pa.schema([field for field in schema if field.name not in names], schema.metadata)


def _left_out(saved: Sequence[str], exclude: Sequence[str]) -> Iterator[str]:
    if told := [name for name in saved if name not in exclude]:
        yield (
            f"{', '.join(told)}: row labels that pandas saved without a name are no feature "
            "-> name the index before saving if it is one"
        )


def _named_index(schema: pa.Schema, features: Sequence[str]) -> Iterator[str]:
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


def _one_schema(schemas: dict[Path, pa.Schema]) -> pa.Schema:
    """The schema of the first file, which every other must share by name and type."""
    for file, found in schemas.items():
        twice = [name for name in found.names if found.names.count(name) > 1]
        if twice:
            raise DataError(f"{file}: two columns are named '{twice[0]}' -> rename one of them")
    (first, schema), *others = schemas.items()
    for other, found in others:
        for name in sorted({*schema.names} ^ {*found.names}):
            raise DataError(
                f"{other}: column '{name}' is in only one of it and {first} -> align them"
            )
        for field in schema:
            if not found.field(field.name).type.equals(field.type):
                raise DataError(
                    f"{other}: column '{field.name}' is {found.field(field.name).type}, "
                    f"in {first} it is {field.type} -> write both with one type"
                )
    return schema


def _check_names(schema: pa.Schema, target: str | None, exclude: Sequence[str]) -> list[str]:
    names = schema.names
    if not target:
        raise ConfigurationError(f"dataset.target: no target is given -> one of {', '.join(names)}")
    if target not in names:
        raise DataError(
            f"dataset.target: there is no column '{target}'{nearest(target, names)}"
            f" -> one of {', '.join(names)}"
        )
    for name in exclude:
        if name not in names:
            raise DataError(
                f"dataset.exclude: there is no column '{name}'{nearest(name, names)}"
                f" -> some of {', '.join(names)}"
            )
    excluded = {target, *exclude}
    features = [name for name in names if name not in excluded]
    if not features:
        raise DataError("dataset.exclude: no feature is left -> exclude fewer columns")
    if "" in {target, *features}:
        raise DataError(
            f"column {names.index('') + 1} has no name: a model needs one -> name it, or "
            "'dataset.exclude=[\"\"]'"
        )
    return [target, *features]


def _kind(field: pa.Field) -> Kind:
    kind = field.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return Kind.NUMERIC
    elif pa.types.is_boolean(kind):
        return Kind.CATEGORICAL
    if is_text(kind):
        return Kind.CATEGORICAL
    raise DataError(
        f"column '{field.name}' holds {field.type}: only numbers, text and booleans are read -> "
        f"convert it, or dataset.exclude=[{field.name}]"
    )


def _check_integers(file: Path, footer: pq.FileMetaData, names: Iterable[str]) -> None:
    """Refuse integers and decimals that float64 would round, by the footer or else the values."""
    schema = footer.schema.to_arrow_schema()
    for name in names:
        kind = schema.field(name).type
        if not (pa.types.is_int64(kind) or pa.types.is_uint64(kind) or pa.types.is_decimal(kind)):
            continue
        for value in _extremes(file, footer, name):
            if value is not None and abs(value) > _EXACT_INTEGER:
                raise DataError(
                    f"{file}: column '{name}': {value}: above 2^53 a number "
                    "loses digits -> exclude the column, or store it as text if it is a name"
                )


def _extremes(file: Path, footer: pq.FileMetaData, name: str) -> list[Any]:
    index = places(footer)[name]
    groups = range(footer.num_row_groups)
    statistics = [footer.row_group(group).column(index).statistics for group in groups]
    if all(found is not None and found.has_min_max for found in statistics):
        return [value for found in statistics for value in (found.min, found.max)]
    extremes = pc.min_max(read_columns(file, [name]).column(0)).as_py()
    return [*extremes.values()]
