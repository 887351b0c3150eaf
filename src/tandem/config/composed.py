"""From the composed configuration to frozen settings; a bad value is refused by its key's name.

Light on purpose: nothing heavy is imported before the configuration is known to be good.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import tandem
from tandem.config.rules import RULES, Rule, check_read
from tandem.config.schema import Settings, SweepKeys
from tandem.errors import ConfigurationError
from tandem.records import (
    MISSING_SPELLINGS,
    Cleaning,
    Dataset,
    FitOn,
    Folds,
    GridPoint,
    MissingCategory,
    Solver,
    Source,
    SparkSettings,
    Spelling,
    Task,
)
from tandem.redaction import redacted, remember, shown

# Keys that change where or how a run is recorded, or what it may look up, not what it computes.
VOLATILE = ("cache", "tracking", "compare", "sweep", "command", "debug")


def configuration_folder() -> Path:
    """The folder conf/: beside the sources in a checkout, inside the package when installed."""
    package = Path(tandem.__file__).parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def settings(config: DictConfig) -> Settings:
    """`config` as frozen settings.

    Raises ConfigurationError, which names the key, its value, the rule and the next step.
    """
    for key in sorted(OmegaConf.missing_keys(config)):
        raise ConfigurationError(f"{key}: no value is given -> add {key}=...")
    chosen = _checked(config, RULES)
    check_read(chosen.dataset.name, vars(chosen.dataset))
    return chosen


def sweep_keys(config: DictConfig) -> SweepKeys:
    """The group `sweep` alone: in a sweep other keys still hold all their values.

    Raises ConfigurationError as `settings`.
    """
    rules = [rule for rule in RULES if rule.key.startswith("sweep.")]
    return _checked(OmegaConf.masked_copy(config, "sweep"), rules).sweep


def _checked(config: DictConfig, rules: Iterable[Rule]) -> Settings:
    try:
        typed = OmegaConf.merge(_schema(), config)
        checked = OmegaConf.to_object(typed)
    except OmegaConfBaseException as error:
        text = str(error.msg or error).splitlines()[0]
        raise ConfigurationError(f"{error.full_key}: {text} -> correct this key") from error
    assert isinstance(checked, Settings)
    for rule in rules:
        rule.check(attrgetter(rule.key)(checked))
    return checked


def _schema() -> DictConfig:
    schema: DictConfig = OmegaConf.structured(Settings)
    # Frozen classes make read-only nodes; here they are still to be filled.
    for node in (schema, *(schema[key] for key in schema if OmegaConf.is_config(schema[key]))):
        OmegaConf.set_readonly(node, False)
    return schema


def source(chosen: Settings) -> Source:
    """The table that is named in `chosen`."""
    keys = chosen.dataset
    missing = MISSING_SPELLINGS if keys.missing is None else tuple(keys.missing)
    return Source(
        name=shown(keys.name),
        path=keys.path or "",
        target=keys.target,
        exclude=tuple(keys.exclude),
        spelling=Spelling(missing, tuple(keys.text), keys.multiline),
        rows=None if keys.rows is None else int(keys.rows),
        seed=keys.seed,
    )


def task(chosen: Settings, dataset: Dataset) -> Task:
    """What the engine named in `chosen` is asked for."""
    conf = {key: _text(value) for key, value in _leaves("", chosen.spark.conf) if key}
    return Task(
        dataset=dataset,
        cleaning=Cleaning(
            drop_column_above=chosen.cleaning.drop_column_above,
            drop_rows_below=chosen.cleaning.drop_rows_below,
            fit_on=FitOn(chosen.cleaning.fit_on),
            missing_category=MissingCategory(chosen.cleaning.missing_category),
        ),
        folds=Folds(chosen.folds.k, chosen.folds.seed, chosen.folds.block),
        grid=tuple(
            GridPoint(reg_param, ratio)
            for reg_param in chosen.model.reg_param
            for ratio in chosen.model.elastic_net_param
        ),
        solver=Solver(chosen.model.tol, chosen.model.max_iter, chosen.model.precompute),
        spark=SparkSettings(**{**vars(chosen.spark), "conf": conf}),
        threads=chosen.engine.threads,
        mae=chosen.scores.mae,
        cache_moments=chosen.cache.moments,
    )


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
