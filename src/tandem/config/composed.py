"""From the composed configuration to frozen settings; a bad value is refused by its key's name.

Light on purpose: nothing heavy is imported before the configuration is known to be good.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tandem.config.checked import checked, checked_group
from tandem.config.typed import UNREAD, in_our_words
from tandem.errors import ConfigurationError
from tandem.manual import configuration_folder
from tandem.records import Dataset, Task
from tandem.redaction import redacted, remember, shown
from tandem.settings import Command, Encoding, Settings, SweepKeys

# Keys that change where or how a run is recorded, or what it may look up, not what it computes.
VOLATILE = ("cache", "tracking", "compare", "sweep", "server", "command", "debug")

_TARGET = "dataset.target"
_WITHOUT_TARGET = (Command.INSPECT, Command.SEND, Command.SERVER)  # commands that need none
# A value for one key, which no file depends on.
_PLAIN = re.compile(r"\w+(\.\w+)+=")


@dataclass(frozen=True)
class Configuration:
    """One configuration in all the forms that it is used in.

    `flat`: what is logged, dotted key to text; `yaml`: the same to read, both without secrets;
    `hash`: of what is computed; `words`: the overrides that were typed.
    """

    settings: Settings
    flat: Mapping[str, str]
    yaml: str
    hash: str
    words: tuple[str, ...] = ()


def configuration(config: DictConfig, words: Sequence[str] = ()) -> Configuration:
    """`config`, as Hydra composed it of `words`, checked and frozen.

    Raises ConfigurationError, which names the key, its value, the rule and the next step.
    """
    hide_secrets(config)
    chosen = settings(config)
    flat = {**flatten(config), "dataset.name": shown(chosen.dataset.title)}
    return Configuration(chosen, flat, to_yaml(config), config_hash(config), (*words,))


def compose(*overrides: str) -> Configuration:
    """The shipped configuration with `overrides`, as the command line makes it.

    Raises ConfigurationError as `configuration`, and where Hydra cannot read the words.
    """
    plain = [word for word in overrides if _PLAIN.match(word)]
    others = [word for word in overrides if word not in plain]
    try:
        composed = deepcopy(_composed(_written(), *others))
        for word in OverridesParser.create().parse_overrides(plain):
            OmegaConf.update(composed, word.key_or_group, word.value())
    except UNREAD:
        try:
            composed = deepcopy(_composed(_written(), *overrides))
        except UNREAD as error:
            raise in_our_words(error, overrides) from None
    return configuration(composed, overrides)


@lru_cache(maxsize=16)
def _composed(_written: tuple[int, ...], *overrides: str) -> DictConfig:
    """What Hydra makes of the files and of these words, which takes it a sixth of a second."""
    with initialize_config_dir(str(configuration_folder()), version_base="1.3"):
        return hydra_compose("config", [*overrides, search_path()])


def _written() -> tuple[int, ...]:
    """When the files of the configuration were written."""
    folder = configuration_folder()
    files = sorted([*folder.rglob("*.yaml"), *folder.parent.glob("experiments/*/*.yaml")])
    return tuple(path.stat().st_mtime_ns for path in files)


def search_path() -> str:
    """The override that lets Hydra find experiments/.

    An absolute entry is the only kind that is found from any folder.
    """
    return f"hydra.searchpath=['file://{configuration_folder().parent}']"


def settings(config: DictConfig) -> Settings:
    """`config` as frozen settings. Raises ConfigurationError as `configuration`.

    What is left to tandem to choose stands in `config` afterwards.
    """
    _choose(config)
    values = _plain_values(config)
    missing = OmegaConf.missing_keys(config)
    if values.get("command") in _WITHOUT_TARGET and _TARGET in missing:
        missing.remove(_TARGET)
        values["dataset"]["target"] = None
    for key in sorted(missing):
        step = f"add {key}=..."
        if key == _TARGET and (path := values["dataset"].get("path")):
            step = f"add --target=...; tandem inspect {shlex.quote(path)} lists the columns"
        raise ConfigurationError(f"{key}: no value is given -> {step}")
    return checked(values)


def _choose(config: DictConfig) -> None:
    """The encoding of categories: the flights keep that of the original."""
    cleaning = config.get("cleaning")
    if isinstance(cleaning, DictConfig) and cleaning.get("encoding", "") is None:
        own = isinstance(config.get("dataset"), DictConfig) and "path" in config.dataset
        config.cleaning.encoding = (Encoding.ONE_HOT if own else Encoding.INDEX).value


def sweep_keys(config: DictConfig) -> SweepKeys:
    """The group `sweep` alone: in a sweep other keys still hold all their values.

    Raises ConfigurationError as `settings`.
    """
    found = checked_group("sweep", _plain_values(OmegaConf.masked_copy(config, "sweep")))
    assert isinstance(found, SweepKeys)
    return found


def task(chosen: Settings, dataset: Dataset) -> Task:
    """What the engine named in `chosen` is asked for.

    Raises DataError where a path, logarithms, or shares of it are asked for and the target has
    none.
    """
    deviation, inverse, keys, scores = 1.0, 0.0, chosen.model, chosen.scores
    if keys.path or keys.log_target or scores.mape:
        from tandem.dataset import (  # noqa: PLC0415 - help needs none
            in_logs,
            inverse_squares,
            target_deviation,
        )

        inverse = inverse_squares(dataset) if scores.mape else inverse
        dataset = in_logs(dataset) if keys.log_target else dataset
        deviation = target_deviation(dataset) if keys.path else deviation
    return Task(
        dataset=dataset,
        cleaning=chosen.cleaning,
        folds=dataset.counted(chosen.folds),
        grid=chosen.model.grid(deviation),
        solver=chosen.model.solver,
        spark=chosen.spark,
        threads=chosen.engine.threads,
        cache_moments=chosen.cache.moments,
        path=chosen.model.path is not None,
        choose=chosen.model.choose,
        scores=scores,
        inverse_squares=inverse,
    )


def _plain_values(config: DictConfig) -> dict[str, Any]:
    try:
        values = _container(config, resolve=True)
    except OmegaConfBaseException as error:
        text = str(error.msg or error).splitlines()[0]
        raise ConfigurationError(f"{error.full_key}: {text} -> correct this key") from error
    match values:
        case {"spark": {"conf": dict() as conf}}:
            values["spark"]["conf"] = {key: _text(value) for key, value in _leaves("", conf) if key}
    return values


def hide_secrets(config: DictConfig) -> None:
    """Let nothing that this process prints or records show a secret of `config`."""
    remember(OmegaConf.to_container(config, resolve=False))


def flatten(config: DictConfig) -> dict[str, str]:
    """Every leaf of the task's configuration as dotted key and text; lists stay in one piece.

    Secrets are redacted.
    """
    values = _task_values(_to_show(config))
    return {key: _text(value) for key, value in _leaves("", values)}


def to_yaml(config: DictConfig) -> str:
    """The resolved configuration as YAML; secrets are redacted."""
    return OmegaConf.to_yaml(OmegaConf.create(_to_show(config)))


def config_hash(config: DictConfig) -> str:
    """16 hexadecimal digits of the SHA-256 of the configuration without its volatile keys."""
    values = _task_values(_container(config, resolve=True))
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _to_show(config: DictConfig) -> dict[str, Any]:
    values = redacted(_container(config, resolve=False), _container(config, resolve=True))
    assert isinstance(values, dict)
    return values


def _container(config: DictConfig, *, resolve: bool) -> dict[str, Any]:
    values = OmegaConf.to_container(config, resolve=resolve)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def _task_values(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain(value) for key, value in values.items() if key not in VOLATILE}


def _plain(value: Any) -> Any:
    """1e5 and 100000 are one value: whole numbers as integers, all the way down."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _leaves(prefix: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(f"{prefix}.{key}" if prefix else str(key), inner)
    else:
        yield prefix, value


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
