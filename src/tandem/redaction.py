"""What may be shown of a text: no login in an address, no value of a secret, nothing that acts.

A secret is what stands under a key that looks so (Spark's own pattern, two more words, and the
user's `spark.redaction.regex`), and what the configuration takes from the environment
(`${oc.env:NAME}`).
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

REDACTED = "*********(redacted)"  # as Spark writes it
_SECRET = r"(?:secret|password|passwd|token|access[._]?key|credential)"  # noqa: S105 - a pattern
_secret_keys = [re.compile(_SECRET, re.IGNORECASE)]  # and those of this process's user
_USERS = "spark.redaction.regex"  # Spark's own key for them
# Before the host of an address; SQLAlchemy lets a password hold a slash, host:port/ is none.
_LOGIN = re.compile(r"(?<=://)(?:[^/\s'\"]*|[^/:\s'\"]*:(?!\d+/)[^@\s'\"]*)@")
_TEXT = r"(?!\*{9})(?:([\"'])[^\"']*\2|[^\s,&;})\]'\"]+)"
_ASSIGNED = re.compile(rf"({_SECRET}[\w.-]*\s*=\s*){_TEXT}", re.IGNORECASE)
_BRACES = re.compile(r"\{[^{}]*")
_LISTED = re.compile(rf"({_SECRET}[\w.-]*[\"']?\s*:\s*){_TEXT}", re.IGNORECASE)
_ENVIRONMENT = re.compile(r"oc\.env:\s*['\"]?([^\s,}'\"]+)")
# Control characters but tab and line break, and those that turn the direction of a line.
_ACTING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_WORD = 8  # characters; a shorter value is found by its key only, it may be part of any word

_known: set[str] = set()  # of this process: no message can be trusted to have been told


def remember(raw: object) -> None:
    """Never show the secrets of the unresolved configuration `raw` again, wherever they stand.

    Those shorter than 8 characters, and numbers, are hidden only where their key is.
    """
    for key, value in _leaves("", raw):
        if key.endswith(_USERS):
            with suppress(re.error):  # Java's patterns are wider; Spark refuses what is none
                _secret_keys.append(re.compile(str(value)))
    for key, value in _leaves("", raw):
        names = _ENVIRONMENT.findall(value) if isinstance(value, str) else []
        found = [os.environ.get(name, "") for name in names]
        found += [login.partition(":")[2][:-1] for login in _LOGIN.findall(str(value))]
        if _is_secret(key) and not names:
            found.append(str(value))
        _known.update(text for text in found if len(text) >= _WORD and not _is_number(text))


def shown(text: str) -> str:
    """`text` without secrets: `postgresql://***@host/db`, `token=*********(redacted)`.

    What a terminal would act on instead of showing it is spelled out, by its code.
    """
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    text = _ACTING.sub(_spelled, text)
    text = _ASSIGNED.sub(_hidden, _LOGIN.sub("***@", text))
    return _BRACES.sub(lambda braces: _LISTED.sub(_hidden, braces.group()), text)


def shown_word(word: str) -> str:
    """An override, `key=value`, as `shown`; the whole value where the key looks secret."""
    key, equals, _ = word.partition("=")
    return f"{key}={REDACTED}" if equals and _is_secret(key) else shown(word)


def redacted(raw: Any, value: Any, key: str = "") -> Any:
    """A copy of the configuration `value` that may be shown; `raw` is the same, unresolved.

    Whole where `raw` refers to the environment or the dotted `key` looks secret, else as `shown`.
    """
    if isinstance(raw, str) and _ENVIRONMENT.search(raw):
        return REDACTED
    if isinstance(value, Mapping):
        parts = raw if isinstance(raw, Mapping) else value
        return {name: redacted(parts[name], each, f"{key}.{name}") for name, each in value.items()}
    if _is_secret(key) and value not in (None, "", [], True, False):
        return REDACTED
    if isinstance(value, list):
        inner = raw if isinstance(raw, list) else value
        return [redacted(*pair, key) for pair in zip(inner, value, strict=True)]
    return shown(value) if isinstance(value, str) else value


def _is_secret(key: str) -> bool:
    return any(pattern.search(key) for pattern in _secret_keys)


def _hidden(found: re.Match[str]) -> str:
    """The key and, in the quotes that the value had, what stands for it."""
    key, quote = found[1], found[2] or ""
    return f"{key}{quote}{REDACTED}{quote}"


def _spelled(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _leaves(key: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(f"{key}.{name}", inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(key, inner)
    else:
        yield key, value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
