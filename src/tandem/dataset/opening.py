"""From the user's words to a Dataset: files in row-id order, typed columns, content digest."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import accumulate
from pathlib import Path

import pyarrow as pa

from tandem.dataset.chosen import as_text, check_names, matching
from tandem.dataset.csv import Converted, to_parquet
from tandem.dataset.dates import (
    check_dates,
    dates_told,
    is_date,
    is_seconds,
    parts_of,
    read_off_names,
)
from tandem.dataset.delta import delta_files, is_delta
from tandem.dataset.files import ending, find_files, is_text
from tandem.dataset.fold_columns import as_column, check_groups, fold_column, labelled
from tandem.dataset.parquet import read_footer, read_footers
from tandem.dataset.remote import fetch, is_remote
from tandem.dataset.schema import (
    check_numbers,
    columns_of,
    folder_keys,
    left_out,
    named_index,
    one_schema,
    saved_index,
    stand_in,
    unread,
    without,
)
from tandem.dataset.weights import check_weight, weighed
from tandem.errors import ConfigurationError, DataError
from tandem.fold_keys import FoldKind, Folds
from tandem.machine import marks
from tandem.parts import Part
from tandem.records import Advance, Column, Dataset, File, Kind
from tandem.redaction import shown
from tandem.settings import PLAIN, Cleaning, Files, Flights, Spelling


def open_dataset(
    source: Files | Flights,
    folds: Folds | None = None,
    cleaning: Cleaning | None = None,
    *,
    to_look: bool = False,
    begin: Callable[[int, str], Advance] | None = None,
) -> Dataset:
    """The dataset of the files that `source` names; CSV is first converted to Parquet, once.

    The column that `folds` go by, if any, is no feature unless the user includes it. `cleaning`
    says what is read off dates; None: all that there is. `to_look`: without a target, the first
    column of numbers stands for it; columns of types that no run reads are left out, with a note.
    `begin` shows how much of remote files is fetched.

    Raises ConfigurationError where path or target are not given, or a key is about other files;
    DataError where files or columns are not there, cannot be read, or hold what no regression
    takes, RejectedError where rows of CSV files break a rule; MachineError where the cache has no
    room for what is fetched or converted, or a remote store does not answer.
    """
    path = source.path or "" if isinstance(source, Files) else _drawn(source)
    named_files, files = _found(path, begin)
    digest = content_digest(files)
    coded = cleaning.encodings if cleaning else ()
    converted = _read(files, digest, source.spelling, coded) if isinstance(source, Files) else None
    files = converted.files if converted else files
    rows, schemas = _told(files)
    saved = saved_index(schemas.values(), source.target)
    if converted and next(iter(schemas.values())).names[0] == "":
        saved = ["", *saved]
    schema = one_schema({file: without(found, saved) for file, found in schemas.items()})
    texts = source.text if isinstance(source, Files) and not converted else ()
    schema = as_text(schema, texts, coded)
    exclude = [name for name in source.exclude if name not in {*saved, *read_off_names(schema)}]
    if to_look and not source.target:
        source = replace(source, target=stand_in(schema, source.include, exclude))
    by = fold_column(schema, folds, source.target) if folds else None
    label = by not in matching("include", source.include, schema)
    if weight := source.weight:
        check_weight(schema, weight, source.target)
        exclude.append(weight)
    named = check_names(
        schema, source.target, source.include, [*exclude, by] if by and label else exclude
    )
    notes = converted.notes(source.target, named) if converted else ()
    odd = dict(unread(schema, named[1:])) if to_look else {}
    named = [name for name in named if name not in odd]
    kinds = {name: schema.field(name).type for name in named}
    read_off = _read_off(kinds, converted.days if converted else (), cleaning)
    forms = source.spelling.dates if isinstance(source, Files) else {}
    columns = columns_of(schema, named, source.exclude, read_off, forms)
    target, *features = (c for c in columns if c.stored == named[0] or c.name not in source.exclude)
    _check_roles(source.target, target, features, kinds[named[0]])
    for file, footer in zip(files, read_footers(files), strict=True):
        check_numbers(file, footer, named)
        check_dates(file, footer, named)
    if by and folds and folds.kind is not FoldKind.TIME:
        check_groups(files, by)
    rejected = converted.rejected if converted else 0
    records = _records(path, files, rows, rejected)
    notes = (*notes, *odd.values(), *left_out(saved, source.exclude))
    notes = (*notes, *named_index(schema, named[1:]))
    if by and label and by not in source.exclude:
        notes = (*notes, f"{by}: folds go by it: no feature -> dataset.include='*' makes it one")
    if weight:
        notes = (*notes, f"{weight}: how often a row counts: no feature")
    notes = (*notes, *dates_told(schema, read_off, source.exclude))
    if not converted:
        notes = (*notes, *folder_keys(path, named_files, schema.names))
    dataset = Dataset(
        shown(source.title),
        records,
        target,
        tuple(features),
        digest,
        notes,
        rejected,
        converted.rejects if converted else (),
        as_column(by, columns) if by else None,
        weights=weighed(files, weight) if weight else None,
    )
    return labelled(dataset, folds) if folds else dataset


def _found(
    path: str, begin: Callable[[int, str], Advance] | None
) -> tuple[Sequence[Path], Sequence[Path]]:
    """The data files as `path` names them, and where they are read."""
    if is_remote(path):
        copies = fetch(path, begin)
        return [Path(address).absolute() for address in copies], [*copies.values()]
    files = delta_files(path) if is_delta(path) else find_files(path)
    return files, files


def _read_off(
    kinds: Mapping[str, pa.DataType], days: Collection[str], cleaning: Cleaning | None
) -> dict[str, list[Part]]:
    """What is read off every column of dates or times; `days`: those without a time of day."""
    return {
        name: parts_of(pa.date32() if name in days else kind, cleaning)
        for name, kind in kinds.items()
        if is_date(kind) or is_seconds(kind)
    }


def _told(files: Sequence[Path]) -> tuple[list[int], dict[Path, pa.Schema]]:
    """Rows of every file, and every schema that there is, by the first file that has it."""
    rows: list[int] = []
    schemas: dict[bytes, tuple[Path, pa.Schema]] = {}
    for file, footer in zip(files, read_footers(files), strict=True):
        schema = footer.schema.to_arrow_schema()
        schemas.setdefault(schema.serialize().to_pybytes(), (file, schema))
        rows.append(footer.num_rows)
    return rows, dict(schemas.values())


def _records(
    path: str, files: Sequence[Path], rows: Sequence[int], rejected: int
) -> tuple[File, ...]:
    """The files with their row ids. Raises DataError where they hold no row."""
    if not any(rows):
        bad = f" but {rejected:,} bad ones" if rejected else ""
        raise DataError(f"{path}: the files hold no row{bad} -> check the data")
    return tuple(map(File, map(str, files), rows, accumulate(rows, initial=0)))


def _check_roles(
    wanted: str | None, target: Column, features: Sequence[Column], kind: pa.DataType
) -> None:
    """Raise DataError where the target, of type `kind`, is no number, or no feature is left."""
    if target.name != wanted or target.kind is not Kind.NUMERIC:
        raise DataError(
            f"dataset.target: column '{wanted}' holds {kind}, "
            "a regression needs a number -> choose a numeric column"
        )
    if not features:
        raise DataError(
            f"no feature is left beside the target '{target.name}' -> name parts of dates in "
            "cleaning.dates=[...]"
        )


def _drawn(source: Flights) -> str:
    from tandem.dataset.flights import flights_folder  # noqa: PLC0415 - only for the flights

    return str(flights_folder(source.rows, source.seed))


def _read(
    files: Sequence[Path], digest: str, spelling: Spelling, coded: Collection[str]
) -> Converted | None:
    """As `_converted`; numbers in the columns `coded` are codes, and so text."""
    found = _converted(files, digest, spelling)
    if found and coded:
        schema = read_footer(found.files[0]).schema.to_arrow_schema()
        codes = [f.name for f in schema if f.name in coded and pa.types.is_floating(f.type)]
        if codes:
            return _converted(files, digest, replace(spelling, text=(*spelling.text, *codes)))
    return found


def _converted(files: Sequence[Path], digest: str, spelling: Spelling) -> Converted | None:
    """The Parquet files of CSV files; None where they are Parquet already."""
    if is_text(files[0]):
        if ending(files[0]).startswith(".tsv") and spelling.delimiter == PLAIN.delimiter:
            spelling = replace(spelling, delimiter="\t")
        return to_parquet(files, digest, spelling)
    for key, value in asdict(spelling).items():
        if value != getattr(PLAIN, key) and key != "text":
            given = [*value] if isinstance(value, tuple) else value
            raise ConfigurationError(
                f"dataset.{key}: {given}: is about CSV files, these are Parquet -> leave it out"
            )
    return None


def content_digest(files: Iterable[Path]) -> str:
    """SHA-256 over the SHA-256 of every file, in order, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for mark in marks(files):
        digest.update(bytes.fromhex(mark.digest))
    return digest.hexdigest()
