"""From the user's words to a Dataset: files in row-id order, typed columns, content digest."""

import hashlib
from collections.abc import Iterable, Sequence
from glob import glob, has_magic
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tandem.convert import to_parquet
from tandem.errors import ConfigurationError, DataError, nearest
from tandem.records import Column, Dataset, File, Kind

_EXACT_INTEGER = 2**53


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
    found = sorted(p.absolute() for p in candidates if p.name[0] not in "_.")
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


def open_dataset(
    name: str, path: str, target: str | None, exclude: Iterable[str], missing: Sequence[str]
) -> Dataset:
    """The dataset of the files at `path`; CSV is first converted to Parquet, once.

    Raises DataError or ConfigurationError where files, target or excluded columns are not there.
    """
    files = find_files(path)
    digest = content_digest(files)
    if files[0].suffix.lower() == ".csv":
        files = to_parquet(files, digest, missing)
    schemas = {file: _read_footer(file) for file in files}
    schema = _one_schema(schemas)
    named = _check_names(schema, target, exclude)
    columns = [Column(f"c{i}", name, _kind(schema.field(name))) for i, name in enumerate(named)]
    if columns[0].kind is not Kind.NUMERIC:
        raise DataError(
            f"dataset.target: column '{target}' holds {schema.field(named[0]).type}, "
            "a regression needs a number -> choose a numeric column"
        )
    for file, footer in schemas.items():
        _check_integers(file, footer, named)
    first, records = 0, []
    for file, footer in schemas.items():
        records.append(File(str(file), footer.num_rows, first))
        first += footer.num_rows
    if first == 0:
        raise DataError(f"{path}: the files hold no row -> check the data")
    return Dataset(name, tuple(records), columns[0], tuple(columns[1:]), digest)


def content_digest(files: Iterable[Path]) -> str:
    """SHA-256 over the SHA-256 of every file, in order, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _read_footer(file: Path) -> pq.FileMetaData:
    try:
        return pq.read_metadata(file)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{file}: not a readable Parquet file ({error}) -> write it again"
        ) from error


def _one_schema(footers: dict[Path, pq.FileMetaData]) -> pa.Schema:
    """The schema of the first file, which every other must share by name and type."""
    first, *others = footers
    schema = footers[first].schema.to_arrow_schema()
    twice = [name for name in schema.names if schema.names.count(name) > 1]
    if twice:
        raise DataError(f"{first}: two columns are named '{twice[0]}' -> rename one of them")
    for other in others:
        found = footers[other].schema.to_arrow_schema()
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


def _check_names(schema: pa.Schema, target: str | None, exclude: Iterable[str]) -> list[str]:
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
    return [target, *features]


def _kind(field: pa.Field) -> Kind:
    kind = field.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return Kind.NUMERIC
    elif pa.types.is_boolean(kind):
        return Kind.CATEGORICAL
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return Kind.CATEGORICAL
    raise DataError(
        f"column '{field.name}' holds {field.type}: only numbers, text and booleans are read -> "
        f"convert it, or dataset.exclude=[{field.name}]"
    )


def _check_integers(file: Path, footer: pq.FileMetaData, names: Iterable[str]) -> None:
    """Refuse integers that float64 would round, by the footer's statistics."""
    wanted = {*names}
    for group in range(footer.num_row_groups):
        row_group = footer.row_group(group)
        for index in range(row_group.num_columns):
            column = row_group.column(index)
            if column.path_in_schema not in wanted or column.physical_type != "INT64":
                continue
            statistics = column.statistics
            if statistics is None or not statistics.has_min_max:
                continue
            for value in (statistics.min, statistics.max):
                if isinstance(value, int) and abs(value) > _EXACT_INTEGER:
                    raise DataError(
                        f"{file}: column '{column.path_in_schema}': {value}: above 2^53 a number "
                        "loses digits -> exclude the column, or store it as text if it is a name"
                    )
