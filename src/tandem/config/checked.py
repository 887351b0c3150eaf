"""From plain values to typed settings; what no run could use is refused by its key."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tandem.errors import ConfigurationError, nearest
from tandem.registry import ENGINES
from tandem.settings import Files, Flights, Settings

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

# What pydantic found of a value, by the beginning of its word for it, and what we say.
_TYPES = {
    "int": "must be a whole number",
    "float": "must be a number",
    "finite": "must be a finite whole number",
    "bool": "must be true or false",
    "string": "must be text",
    "tuple": "must be a list, as in [a,b]",
    "mapping": "must be keys with values, as in {a:1}",
    "dict": "must be keys with values, as in {a:1}",
    "dataclass": "must be keys with values, as in {a:1}",
}


def checked(values: Mapping[str, Any]) -> Settings:
    """`values`, group by group, as frozen settings.

    Raises ConfigurationError, which names the key, its value, the rule and the next step.
    """
    names = _names(Settings)
    refuse_unknown(values, names, "")
    found = Settings(**{name: checked_group(name, values) for name in names})
    _one_of("engine.name", [found.engine.name])
    _one_of("compare.engines", found.compare.engines)
    return found


def checked_group(name: str, values: Mapping[str, Any]) -> Any:
    """The group (or key) `name` of `values` alone. Raises ConfigurationError as `checked`."""
    from pydantic import ValidationError  # noqa: PLC0415 - slow to import; help needs none of it

    kind, given = _type(name, values), {"value": values[name]} if name in values else {}
    if is_dataclass(kind) and isinstance(values.get(name), Mapping):
        refuse_unknown(values[name], _names(kind), f"{name}.")
    try:
        return _reader(kind).model_validate(given).value  # type: ignore[attr-defined]  # made at run time
    except ValidationError as error:
        raise _told(name, error) from error


def refuse_unknown(given: Mapping[str, Any], known: Sequence[str], prefix: str) -> None:
    """Raise ConfigurationError for the first key of `given` that is not among `known`."""
    for key, value in given.items():
        if key not in known:
            if f"{prefix}{key}" in keys():
                raise of_other_dataset(f"{prefix}{key}", value)
            raise ConfigurationError(
                f"{prefix}{key}: there is no such key{nearest(key, known)} -> "
                f"{', '.join(prefix + one for one in known)}"
            )


def of_other_dataset(key: str, value: object) -> ConfigurationError:
    """What to say of a `key` of one dataset that is given to the other."""
    says = "only dataset=flights draws rows -> leave it out"
    if key.removeprefix("dataset.") in _names(Files):
        step = "dataset=files dataset.path=... dataset.target=..."
        says = f"only dataset=files reads it -> {step}"
    return ConfigurationError(f"{key}: {value}: {says}")


def keys() -> Iterator[str]:
    """Every key of the configuration, dotted; those of all datasets."""
    for group in fields(Settings):
        kinds = (Flights, Files) if group.name == "dataset" else (group.type,)
        for kind in kinds:
            if is_dataclass(kind):
                yield from (f"{group.name}.{key}" for key in _names(kind))
            else:
                yield group.name


def _type(name: str, values: Mapping[str, Any]) -> Any:
    if name == "dataset":  # the one that has more of the keys: others may have been added
        given = values.get(name)
        given = {*given} if isinstance(given, Mapping) else set()
        return max(Flights, Files, key=lambda kind: len(given & {*_names(kind)}))
    return next(group.type for group in fields(Settings) if group.name == name)


def _names(kind: Any) -> list[str]:
    return [key.name for key in fields(kind)]


@cache
def _reader(kind: type) -> "type[BaseModel]":
    from pydantic import ConfigDict, create_model  # noqa: PLC0415

    config = ConfigDict(coerce_numbers_to_str=True, arbitrary_types_allowed=True)
    return create_model("Group", __config__=config, value=(kind, ...))


def _told(name: str, error: "ValidationError") -> ConfigurationError:
    """The first complaint, in our words."""
    one = error.errors(include_url=False)[0]
    path = [str(part) for part in one["loc"][1:] if not isinstance(part, int)]
    key, kind = ".".join([name, *path]), one["type"]
    if kind == "missing":
        return ConfigurationError(f"{key}: no value is given -> add {key}=...")
    if kind == "rule":
        says = one["msg"]
    elif kind == "enum":
        options = one["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
        says = f"must be one of {options}"
    else:
        says = next((text for word, text in _TYPES.items() if kind.startswith(word)), one["msg"])
    value = one["input"]
    shown = "null" if value is None else "is empty" if value in ([], (), "") else value
    step = "" if "->" in says else f" -> correct {key}"
    return ConfigurationError(f"{key}: {shown}: {says}{step}")


def _one_of(key: str, names: Iterable[str]) -> None:
    for name in names:
        if name not in ENGINES:
            raise ConfigurationError(
                f"{key}: {name}: must be one of {', '.join(ENGINES)}{nearest(name, ENGINES)}"
            )
