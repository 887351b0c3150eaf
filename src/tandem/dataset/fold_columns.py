"""The column that folds go by: which one, of which type, and whether it is a feature too."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tandem.dataset.chosen import check_role
from tandem.dataset.fold_times import first_moments
from tandem.dataset.parquet import is_text, open_file, read_columns, read_footer, reading
from tandem.errors import ConfigurationError, DataError, several
from tandem.fold_keys import FoldKind, Folds
from tandem.folds import ALWAYS, Assignment, coded
from tandem.records import Column, Dataset, Kind

MAXIMUM_FOLDS = 1000  # that a column may have
_FEWEST = 2


def fold_column(schema: pa.Schema, folds: Folds, target: str | None) -> str | None:
    """Its name; None where folds go by the place of a row.

    Raises ConfigurationError where none is given, DataError where it is not there, is the target,
    or is of a type that no folds go by.
    """
    if folds.kind is FoldKind.KFOLD:
        return None
    name, names = folds.column, schema.names
    if not name:
        raise ConfigurationError(f"folds.column: no column is given -> one of {several(names)}")
    check_role("folds.column", name, names, target)
    kind = schema.field(name).type
    if folds.kind is FoldKind.TIME and not _has_times(kind):
        raise DataError(
            f"folds.column: column '{name}' holds {kind}: a time is a number, a date, a time stamp "
            "or a text such as 2020-01-31 -> convert it"
        )
    if folds.kind is not FoldKind.TIME and not _has_groups(kind):
        raise DataError(
            f"folds.column: column '{name}' holds {kind}: a group is a text, a whole number, a "
            "boolean or a date -> convert it"
        )
    return name


def as_column(name: str, columns: Sequence[Column]) -> Column:
    """The column `name`: the one of `columns`, where it is among them."""
    return next((c for c in columns if c.name == name), Column("fold_by", name, Kind.CATEGORICAL))


def check_groups(files: Iterable[Path], name: str) -> None:
    """Raise DataError where numbers that tell groups apart are not whole."""
    for file, cells in _stretches(files, name):
        if not pa.types.is_floating(cells.type):
            return
        values = cells.cast(pa.float64())
        odd = pc.or_(pc.not_equal(values, pc.floor(values)), pc.greater(pc.abs(values), 2.0**53))
        odd = pc.and_not(odd, pc.is_nan(values))
        if pc.any(odd).as_py():
            first = values.filter(odd)[0].as_py()
            raise DataError(
                f"{file}: column '{name}': {first:g}: folds.column takes whole numbers up to 2^53, "
                "text or dates -> choose another column"
            )


def labelled(dataset: Dataset, folds: Folds) -> Dataset:
    """`dataset` with the values of its fold column that make a fold each, in their order.

    Raises DataError where a value is missing, or there are too few or too many.
    """
    if dataset.fold_column is None or folds.kind in {FoldKind.KFOLD, FoldKind.GROUP}:
        return dataset
    if folds.kind is FoldKind.TIME:
        files = [Path(file.path) for file in dataset.files]
        starts = first_moments(_stretches(files, dataset.fold_column.name), folds)
        return replace(dataset, fold_labels=starts)
    name, found = dataset.fold_column.name, set[str]()
    for file, cells in _stretches([Path(file.path) for file in dataset.files], name):
        values, places = coded(cells)
        if len(values) in places:
            raise DataError(
                f"{file}: column '{name}': a missing value: folds.column has the fold of every row "
                f"-> fill it ({ALWAYS}: in every training set), or drop the row"
            )
        found.update(values)
        if len(found) > MAXIMUM_FOLDS:
            raise DataError(
                f"folds.column: '{name}' has more than {MAXIMUM_FOLDS} values, each of which is a "
                "fold -> folds=group puts several into one"
            )
    labels = sorted(found - {ALWAYS}, key=_in_order)
    if len(labels) < _FEWEST:
        raise DataError(
            f"folds.column: '{name}' has {len(labels)} value(s) that make a fold: "
            f"{_FEWEST} are needed -> choose another column"
        )
    return replace(dataset, fold_labels=tuple(labels))


def fold_of_rows(dataset: Dataset, folds: Folds) -> NDArray[Any]:
    """The part of every row, in the order of the row ids, shape (rows,)."""
    assigned, by = Assignment(folds, dataset.rows, dataset.fold_labels), dataset.fold_column
    parts = []
    for file in dataset.files:
        cells = read_columns(file.path, [by.name]).column(0) if by else None
        parts.append(assigned.of(file.first_row, file.rows, cells))
    return np.concatenate(parts)


def _in_order(label: str) -> tuple[bool, int, str]:
    """Whole numbers first, by their value; then text by code point."""
    whole = bool(re.fullmatch(r"-?[0-9]+", label))
    return not whole, int(label) if whole else 0, label


def _has_times(kind: pa.DataType) -> bool:
    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    number = types.is_integer(kind) or types.is_floating(kind)
    return bool(number or is_text(kind) or types.is_date32(kind) or types.is_timestamp(kind))


def _has_groups(kind: pa.DataType) -> bool:
    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    plain = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    return bool(plain or is_text(kind) or types.is_date32(kind) or types.is_null(kind))


def _stretches(files: Iterable[Path], name: str) -> Iterator[tuple[Path, pa.ChunkedArray]]:
    """The cells of every row group, with their file."""
    for path in files:
        file = open_file(path, metadata=read_footer(path))
        for group in range(file.num_row_groups):
            with reading(path, group):
                yield path, file.read_row_group(group, [name]).column(0)
