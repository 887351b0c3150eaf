"""What was typed: made readable for Hydra, and what is said where Hydra cannot read it."""

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePath
from types import NoneType
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]  # it has no types

from tandem.config.checked import keys, of_other_dataset
from tandem.errors import ConfigurationError, nearest
from tandem.settings import Command

UNREAD = (HydraException, OmegaConfBaseException, YAMLError)  # what Hydra raises of words and files
_WITH_A_VALUE = (
    *("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn"),
    *("--config-dir", "-cd", "--experimental-rerun"),
)
_MULTIRUN = ("-m", "--multirun")
_HYDRA_FLAGS = (
    *("--help", "--hydra-help", "--version", "--resolve", "--run", "-r", *_MULTIRUN),
    *("--shell-completion", "-sc", "--info", "-i", *_WITH_A_VALUE),
)
_TARGET = "--target"
# What scikit-learn and its users call what is a key here.
_CALLED = {
    **dict.fromkeys(("alpha", "alphas", "lambda", "penalty"), "model.reg_param"),
    **dict.fromkeys(("cv", "n_splits", "n_folds", "folds"), "folds.k"),
    "l1_ratio": "model.elastic_net_param",
    "n_jobs": "engine.threads",
    "random_state": "folds.seed",
    "sample_weight": "dataset.weight",
    "test_size": "folds.holdout",
    "groups": "folds.column",
}
_SWEEP = "sweep"  # the command that is Hydra's multirun
# Their own keys are free: Hydra wants a + there.
_OPEN = ("cleaning.encodings", "dataset.dates", "spark.conf")
_PATH = "dataset.path="
_NAME = "dataset.target"  # its value is a name, whatever it looks like


def words(arguments: Sequence[str]) -> list[str]:
    """The command line as Hydra reads it.

    A leading command becomes `command=...`, a leading `sweep` Hydra's `--multirun`, a bare path
    the files of that path, `--target` the target. What `mlflow run -P` makes of its parameters is
    undone: `--key value` becomes `key=value`, and the value of `--overrides` is split as a shell
    splits words (it is never evaluated). A value that Hydra's grammar would not take as it stands
    gets quotes; several values, where nothing is swept, are a list, and several engines of a
    comparison those that it compares.
    """
    undone = [*_undone(arguments)]
    _check_paths(undone)
    found = [*map(_readable, undone)]
    sweep, compare = {*_MULTIRUN} & {*found}, f"command={Command.COMPARE}" in found
    return found if sweep else [_one_value(word, compare=compare) for word in found]


def flags_first(given: Sequence[str]) -> list[str]:
    """`given` as Hydra's parser takes it, which takes no flag among overrides."""
    flags, others = [], []
    rest = iter(given)
    for word in rest:
        if word.startswith("-"):
            flags += [word, *islice(rest, int(word in _WITH_A_VALUE))]
        else:
            others.append(word)
    return flags + others


def _undone(arguments: Sequence[str]) -> Iterator[str]:
    rest = iter(arguments)
    for position, word in enumerate(rest):
        flag, equals, given = word.partition("=")
        if position == 0 and word in {*Command}:
            yield f"command={word}"
        elif position == 0 and word == _SWEEP:
            yield "--multirun"
        elif flag == "--overrides":
            yield from _split(given if equals else next(rest, ""))
        elif word in _WITH_A_VALUE:
            yield from (word, *islice(rest, 1))
        elif _is_path(word):
            yield from ("dataset=files", f"dataset.path={word}")
        elif flag.startswith("--") and flag not in _HYDRA_FLAGS:
            key = _NAME if flag == _TARGET else flag.removeprefix("--")
            yield f"{key}={given if equals else next(rest, '')}"
        else:
            if position or word.startswith("-"):
                _check_word(word)
            yield word


def _check_word(word: str) -> None:
    """Raise ConfigurationError where a word is neither a key with its value nor a flag."""
    if word == "-":
        raise ConfigurationError("-: a table is read more than once -> write it to a file first")
    flag = word.partition("=")[0]
    if word.startswith("-") and not {flag, flag[:2]} & {*_HYDRA_FLAGS}:
        flags = (_TARGET, *_HYDRA_FLAGS)
        raise ConfigurationError(
            f"{word}: there is no such flag{nearest(word, flags)} -> {_TARGET} NAME, or key=value; "
            "tandem --help"
        )
    if word in {*Command, _SWEEP}:
        raise ConfigurationError(f"{word}: a command stands first -> tandem {word} ...")
    if word.isidentifier():
        raise ConfigurationError(
            f"{word}: it is said of no key -> {_TARGET} {word}, or key={word}; tandem --help"
        )


def _split(given: str) -> list[str]:
    try:
        return shlex.split(given)
    except ValueError as error:
        raise ConfigurationError(f"overrides: {given}: {error} -> close it") from error


def _check_paths(found: Iterable[str]) -> None:
    """Raise ConfigurationError for two: most often of a pattern that the shell has read."""
    paths = {word.removeprefix(_PATH): None for word in found if word.startswith(_PATH)}
    if len(paths) > 1:
        first, second, *_ = paths
        folder, slash, name = first.rpartition("/")
        raise ConfigurationError(
            f"dataset.path: {first}, {second}: one path is read -> a folder, or a pattern in "
            f"quotes: '{folder}{slash}*{PurePath(name).suffix}'"
        )


def _is_path(word: str) -> bool:
    """Whether a bare word names a table: houses.csv, data/, 'data/*.parquet', s3://b/f.

    None of Hydra's bare words has a dot or a slash; a folder may have neither.
    """
    if "://" in word.partition("=")[0]:
        return True
    bare = "=" not in word and word[:1] not in "-+~"
    return bare and (bool(re.search(r"[./]", word)) or Path(word).is_dir())


def quoted(value: str) -> str:
    """`value` in quotes, as Hydra's grammar reads it back."""
    # Within quotes Hydra reads a backslash as one, unless it stands before a quote.
    return "'" + re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + m[2].replace("'", "\\'"), value) + "'"


def spelled(value: Any) -> str:
    """`value` as Hydra's grammar has it."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(spelled, value))}]"
    return json.dumps(value)


def _readable(word: str) -> str:
    """`word`, its value in quotes where Hydra's grammar would not take it as it stands."""
    key, equals, value = word.partition("=")
    if key in _OPEN and value.startswith("{"):
        return f"+{word}"
    if key.startswith(tuple(f"{one}." for one in _OPEN)):
        key, word = f"++{key}", f"++{word}"
    read = _parsed(word)
    altered = key == _NAME and read and _is_altered(value, read)
    if not equals or (read and not altered and not (key in _groups() and _is_number(read))):
        return word
    in_quotes = f"{key}={quoted(value)}"
    return in_quotes if _parsed(in_quotes) else word


def _groups() -> set[str]:
    return {group for group, dot, _ in (one.partition(".") for one in keys()) if dot}


def _is_number(read: Override) -> bool:
    """Whether a value is a number, true, false or nothing, which Hydra crashes on in a choice."""
    return not read.is_sweep_override() and isinstance(read.value(), (int, float, NoneType))


def _is_altered(value: str, read: Override) -> bool:
    """Whether Hydra makes something else of a name: of 1.50, true, or blanks around it."""
    found = None if read.is_sweep_override() or value[:1] in "'\"" else read.value()
    return isinstance(found, (str, float, int)) and str(found) != value


def _one_value(word: str, *, compare: bool) -> str:
    """`word`, which sweeps nothing: several values as a list."""
    key, _, value = word.partition("=")
    given = _parsed(word) if "," in value and not word.startswith("-") else None
    if given is None or not given.is_sweep_override():
        return word
    if key == "engine":
        if not compare:
            raise ConfigurationError(
                f"engine: {value}: a run has one engine -> tandem compare, or tandem sweep"
            )
        key = "compare.engines"
    return f"{key}=[{value}]"


def _parsed(word: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        return None


def in_our_words(error: Exception, arguments: Sequence[str]) -> ConfigurationError:
    """What to say of `arguments`, of which Hydra could make nothing."""
    text = " ".join(str(error).split("Config search path:")[0].split())
    if found := re.match(r"Could not override '([^']+)'", text):
        return _unknown_key(found[1], arguments)
    if found := re.search(
        r"Could not find '([^']+)/([^'/]*)' Available options in .*?: (.*)", text
    ):
        group, choice, options = found[1], found[2], found[3].split()
        meant = f"; did you mean '{key}={choice}'?" if (key := _CALLED.get(group)) else ""
        return ConfigurationError(
            f"{group}={choice}: there is no such choice{nearest(choice, options) or meant} -> "
            f"{group}= one of {', '.join(options)}"
        )
    if isinstance(error, YAMLError):
        return ConfigurationError(f"{text}: no YAML -> mend that line")
    for word in filter(str.isidentifier, arguments):
        names = (*Command, _SWEEP)
        return ConfigurationError(
            f"{word}: there is no such command{nearest(word, names)} -> {', '.join(names)}, "
            "or key=value; tandem --help"
        )
    return ConfigurationError(text)


def _unknown_key(key: str, arguments: Sequence[str]) -> ConfigurationError:
    given = (word.partition("=") for word in arguments)
    value = next((value for name, _, value in given if name.lstrip("+~") == key), "")
    group, _, name = key.partition(".")
    if group == "dataset" and key in keys():
        return of_other_dataset(key, value)
    if group == "folds" and key in keys():
        chosen = [word.partition("=")[2] for word in arguments if word.startswith("folds=")]
        return ConfigurationError(
            f"{key}: {value}: folds={(*chosen, 'kfold')[0]} does not read it -> another choice of "
            "folds does: tandem --help folds"
        )
    hint = nearest(key, keys()) if name else _hint(key)
    return ConfigurationError(f"{key}: there is no such key{hint} -> tandem --help lists every key")


def _hint(name: str) -> str:
    """Which key a name without a group may be meant for."""
    meant = [one for one in keys() if one.split(".")[-1] == name] or [_CALLED.get(name, "")]
    if any(meant):
        return f"; did you mean {' or '.join(map(repr, sorted({*meant})))}?"
    every = {one.split(".")[-1]: one for one in keys()} | {group: group for group in _groups()}
    every["target"] = _TARGET
    return nearest(name, every)
