"""What a value of a key must satisfy, as a remark on its type, and what is said if it does not."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Annotated, Any


@dataclass(frozen=True)
class Rule:
    """What a value must satisfy, and what is said where it does not; true is no number."""

    holds: Callable[[Any], bool]
    says: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        """Of pydantic, which is imported where a configuration is read and nowhere else."""
        from pydantic_core import PydanticCustomError, core_schema  # noqa: PLC0415

        def checked(value: Any, inner: Callable[[Any], Any]) -> Any:
            typed = inner("true" if value is True and source is not str else value)
            if not self.holds(typed):
                raise PydanticCustomError("rule", "{says}", {"says": self.says})
            return typed

        return core_schema.no_info_wrap_validator_function(checked, handler(source))


class Listed:
    """A single value stands for a list of one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        from pydantic_core import core_schema  # noqa: PLC0415

        def listed(value: Any) -> Any:
            return [value] if isinstance(value, (str, float, int)) else value

        return core_schema.no_info_before_validator_function(listed, handler(source))


def at_least(least: float, next_step: str = "") -> Rule:
    """A number from `least` on."""
    step = f" -> {next_step}" if next_step else ""
    return Rule(lambda value: least <= value < inf, f"must be at least {least}{step}")


Count = Annotated[int, at_least(1)]
PORT = Rule(lambda port: 0 < port < 65536, "must be between 1 and 65535 -> server.port=5000")
HOST_NAME = Rule(
    lambda name: bool(re.fullmatch(r"[\w.:-]+", name)),
    "must be a name or an address, without http:// -> server.names=[ml.example.org]",
)


def fraction(what: str) -> Rule:
    """A number from 0 to 1."""
    return Rule(lambda value: 0 <= value <= 1, f"{what} lies between 0 and 1")


def not_empty(example: str) -> Rule:
    """At least one value."""
    return Rule(bool, f"needs a value -> {example}")


def one_character(example: str, *words: str) -> Rule:
    """A mark that parts cells or digits, or one of `words`."""

    def holds(text: str) -> bool:
        mark = len(text) == 1 and text.isascii() and not text.isalnum() and text not in '"\n\r'
        return mark or text in words

    return Rule(holds, f"must be one character, no letter, digit or quote -> {example}")


def _reads_ascii(name: str) -> bool:
    """Whether an encoding of this name is known and spells plain characters as all others do."""
    try:
        return 'a1,;"\n'.encode(name) == b'a1,;"\n'
    except LookupError:
        return False


ENCODING = Rule(
    _reads_ascii,
    "must be a known encoding of one byte per plain character -> dataset.encoding=latin-1",
)

_NUMBER = r"(\d+|\*)"
_MASTERS = rf"local(\[{_NUMBER}(,\d+)?\])?|local-cluster\[\d+,\s*\d+,\s*\d+\]|spark://[^:]+:\d+.*|yarn|(k8s|sc)://.+|databricks"

MASTER = Rule(
    lambda text: re.fullmatch(_MASTERS, text) is not None,
    "is no master that a session can be started on -> local[*], spark://host:7077, yarn or "
    "k8s://https://host:6443",
)

THREADED = Rule(
    lambda text: not re.match(r"local\[0\b", text), "needs a thread -> local[*], local[2]"
)

_DIRECTIVES = "YymdbBHIMSfpzj%"


def _is_date_format(text: str) -> bool:
    """Whether a date can be read by it: it has a year, and nothing that strptime knows not."""
    used = re.findall("%(.?)", text)
    return bool({*used} & {*"Yy"}) and all(one and one in _DIRECTIVES for one in used)


DATE_FORMAT = Rule(
    _is_date_format,
    "is no format of dates in the words of strptime -> 'dataset.dates={day: \"%d.%m.%Y\"}'",
)
