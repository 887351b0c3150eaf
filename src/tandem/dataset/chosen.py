"""Which columns a user means: by name, by a pattern of names, by type."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

import pyarrow as pa

from tandem.dataset.dates import is_date, is_seconds
from tandem.dataset.parquet import is_text
from tandem.errors import ConfigurationError, DataError, nearest, several

_TYPE = "type:"
_TYPES = ("number", "text", "boolean", "date")


def check_names(
    schema: pa.Schema, target: str | None, include: Sequence[str], exclude: Sequence[str]
) -> list[str]:
    """The target, then the features, in their order: those of `include`, if any, less `exclude`.

    Raises ConfigurationError where no target is given, DataError where a name is not there or no
    feature is left.
    """
    names = schema.names
    if not target:
        raise ConfigurationError(f"dataset.target: no target is given -> one of {several(names)}")
    check_there("dataset.target", target, names)
    excluded = {target, *matching("exclude", exclude, schema)}
    included = matching("include", include, schema) or names
    features = [name for name in names if name in included and name not in excluded]
    if not features:
        fewer = "leave fewer columns out: see dataset.include, dataset.exclude"
        step = fewer if include or exclude else "a regression needs more columns"
        raise DataError(f"no feature is left beside the target '{target}' -> {step}")
    if "" in {target, *features}:
        raise DataError(
            f"column {names.index('') + 1} has no name: a model needs one -> name it, or "
            "'dataset.exclude=[\"\"]'"
        )
    return [target, *features]


def check_there(key: str, name: str, names: Sequence[str]) -> None:
    """Raise DataError, with the key and the nearest of `names`, where the column is not there."""
    if name not in names:
        raise DataError(
            f"{key}: there is no column '{name}'{nearest(name, names)} -> one of {several(names)}"
        )


def check_role(key: str, name: str, names: Sequence[str], target: str | None) -> None:
    """Raise DataError where the column of a role beside the target is not there, or is that."""
    check_there(key, name, names)
    if name == target:
        raise DataError(f"{key}: '{name}' is the target -> choose another column")


def matching(key: str, patterns: Iterable[str], schema: pa.Schema) -> set[str]:
    """The columns of these names, that a pattern such as `x*` stands for, or of `type:date`.

    Types are number, text, boolean and date, with which go times and durations. Raises DataError,
    which names `dataset.key`, where there is none.
    """
    names = schema.names
    found: set[str] = set()
    for pattern in patterns:
        if pattern.startswith(_TYPE) and pattern not in names:
            some = [f.name for f in schema if type_of(f.type) == pattern.removeprefix(_TYPE)]
        else:
            some = [name for name in names if fnmatchcase(name, pattern)]
        if pattern not in names and not some:
            raise DataError(f"dataset.{key}: there is no column {_told(pattern, schema)}")
        found.update([pattern] if pattern in names else some)
    return found


def _told(pattern: str, schema: pa.Schema) -> str:
    """What is not there, and what is."""
    if pattern.startswith(_TYPE):
        there = {type_of(field.type) for field in schema}
        known = [f"{_TYPE}{one}" for one in _TYPES if one in there]
        return f"of '{pattern}'{nearest(pattern, known)} -> some of {', '.join(known)}"
    return f"'{pattern}'{nearest(pattern, schema.names)} -> some of {several(schema.names)}"


def type_of(kind: pa.DataType) -> str:
    """One of number, text, boolean and date; empty for what no run reads.

    A column of nothing but gaps is numbers, one of codes is text or nothing.
    """
    types = pa.types
    if types.is_dictionary(kind):
        return "text" if is_text(kind.value_type) else ""
    exact = types.is_null(kind) or types.is_integer(kind) or types.is_decimal(kind)
    if exact or types.is_floating(kind):
        return "number"
    if types.is_boolean(kind):
        return "boolean"
    if is_date(kind) or is_seconds(kind):
        return "date"
    return "text" if is_text(kind) else ""


def as_text(schema: pa.Schema, named: Sequence[str], coded: Iterable[str]) -> pa.Schema:
    """`schema` with text in place of whole numbers in the columns that are codes.

    `named`: by dataset.text, `coded`: by an encoding of their own. Raises DataError where one that
    is `named` is not there, or holds neither whole numbers nor text.
    """
    for name in named:
        if name not in schema.names:
            raise DataError(f"dataset.text: there is no column {_told(name, schema)}")
        kind = schema.field(name).type
        if not pa.types.is_integer(kind) and type_of(kind) not in {"text", "boolean"}:
            raise DataError(
                f"dataset.text: column '{name}' holds {kind}: only whole numbers can be text -> "
                "store it as text"
            )
    for at, field in enumerate(schema):
        if field.name in {*named, *coded} and pa.types.is_integer(field.type):
            schema = schema.set(at, field.with_type(pa.string()))
    return schema
