"""From the composed configuration to frozen settings; a bad value is refused by its key's name.

Light on purpose: nothing heavy is imported before the configuration is known to be good.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tandem.errors import ConfigurationError
from tandem.records import (
    Cleaning,
    Dataset,
    FitOn,
    Folds,
    GridPoint,
    MissingCategory,
    Solver,
    SparkSettings,
    Task,
)

# Keys that change where or how a run is recorded, not what it computes.
VOLATILE = ("tracking", "compare", "command", "debug")


class Command(StrEnum):
    """What to do with the configured task."""

    RUN = "run"
    COMPARE = "compare"


@dataclass(frozen=True)
class DatasetKeys:
    name: str = ""
    path: str | None = None
    target: str | None = None
    exclude: list[str] = field(default_factory=list)
    rows: float | None = None  # a float, so that 1e6 is a number of rows
    seed: int = 0
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CleaningKeys:
    drop_column_above: float = 0.0
    drop_rows_below: float = 0.0
    fit_on: str = ""
    missing_category: str = ""


@dataclass(frozen=True)
class FoldsKeys:
    k: int = 0
    seed: int = 0
    block: int = 1


@dataclass(frozen=True)
class ModelKeys:
    reg_param: list[float] = field(default_factory=list)
    elastic_net_param: list[float] = field(default_factory=list)
    tol: float | None = None
    max_iter: int | None = None
    precompute: bool = False


@dataclass(frozen=True)
class EngineKeys:
    name: str = ""
    threads: int | None = None


@dataclass(frozen=True)
class SparkKeys:
    master: str = ""
    driver_memory: str = ""
    executor_memory: str = ""
    executor_cores: int | None = None
    executor_instances: int | None = None
    partitions: int | None = None
    shuffle_partitions: int | None = None
    adaptive: bool = True
    parallelism: int = 1
    conf: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrackingKeys:
    uri: str | None = None
    experiment: str = ""
    parent_run_id: str | None = None
    record_dir: str | None = None


@dataclass(frozen=True)
class CompareKeys:
    engines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Settings:
    """The whole configuration, typed and checked."""

    command: str = ""
    debug: bool = False
    dataset: DatasetKeys = field(default_factory=DatasetKeys)
    cleaning: CleaningKeys = field(default_factory=CleaningKeys)
    folds: FoldsKeys = field(default_factory=FoldsKeys)
    model: ModelKeys = field(default_factory=ModelKeys)
    engine: EngineKeys = field(default_factory=EngineKeys)
    spark: SparkKeys = field(default_factory=SparkKeys)
    tracking: TrackingKeys = field(default_factory=TrackingKeys)
    compare: CompareKeys = field(default_factory=CompareKeys)


@dataclass(frozen=True)
class Rule:
    """What the value of `key` (or every element of a list) must satisfy, and what else to write."""

    key: str
    holds: Callable[[Any], bool]
    says: str

    def check(self, value: Any) -> None:
        """Raise ConfigurationError where `value` breaks the rule; null is always allowed."""
        elements = value if isinstance(value, ListConfig) else [value]
        for element in elements:
            if element is not None and not self.holds(element):
                raise ConfigurationError(f"{self.key}: {element}: {self.says}")


def _one_of(key: str, options: Iterable[str]) -> Rule:
    choices = tuple(options)
    return Rule(key, lambda value: value in choices, f"must be one of {', '.join(choices)}")


def _fraction(key: str, what: str) -> Rule:
    return Rule(key, lambda value: 0 <= value <= 1, f"{what} lies between 0 and 1")


def _at_least(key: str, least: float, next_step: str = "") -> Rule:
    step = f" -> {next_step}" if next_step else ""
    return Rule(key, lambda value: least <= value < inf, f"must be at least {least}{step}")


def _not_empty(key: str, example: str) -> Rule:
    return Rule(key, lambda value: value, f"needs a value -> {example}")


RULES = (
    _one_of("command", Command),
    _at_least("dataset.rows", 1, "dataset.rows=100000, or leave it out for all rows"),
    Rule("dataset.rows", lambda rows: rows == int(rows), "must be a whole number of rows"),
    _at_least("dataset.seed", 0),
    _fraction("cleaning.drop_column_above", "a fraction of rows"),
    _fraction("cleaning.drop_rows_below", "a fraction of rows"),
    _one_of("cleaning.fit_on", FitOn),
    _one_of("cleaning.missing_category", MissingCategory),
    _at_least("folds.k", 2, "folds.k=3"),
    _at_least("folds.seed", 0),
    _at_least("folds.block", 1),
    _at_least("model.reg_param", 0, "model.reg_param=[0.1,0.01]"),
    _fraction("model.elastic_net_param", "a ratio"),
    Rule("model.tol", lambda tol: 0 < tol < 1, "must lie between 0 and 1 -> model.tol=1e-6"),
    _at_least("model.max_iter", 1),
    _at_least("engine.threads", 1),
    _at_least("spark.partitions", 1),
    _at_least("spark.shuffle_partitions", 1),
    _at_least("spark.parallelism", 1),
    _at_least("spark.executor_cores", 1),
    _at_least("spark.executor_instances", 1),
)


def configuration_folder() -> Path:
    """The folder conf/: beside the sources in a checkout, inside the package when installed."""
    package = Path(__file__).parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def engine_names() -> tuple[str, ...]:
    """The engines that conf/engine offers."""
    return tuple(sorted(path.stem for path in (configuration_folder() / "engine").glob("*.yaml")))


def settings(config: DictConfig) -> Settings:
    """`config` as frozen settings.

    Raises ConfigurationError, which names the key, its value, the rule and the next step.
    """
    for key in sorted(OmegaConf.missing_keys(config)):
        raise ConfigurationError(f"{key}: no value is given -> add {key}=...")
    try:
        typed = OmegaConf.merge(_schema(), config)
        checked = OmegaConf.to_object(typed)
    except OmegaConfBaseException as error:
        text = str(error.msg or error).splitlines()[0]
        raise ConfigurationError(f"{error.full_key}: {text} -> correct this key") from error
    for rule in RULES:
        rule.check(OmegaConf.select(typed, rule.key))
    assert isinstance(checked, Settings)
    return checked


def _schema() -> DictConfig:
    schema: DictConfig = OmegaConf.structured(Settings)
    # Frozen classes make read-only nodes; here they are still to be filled.
    for node in (schema, *(schema[key] for key in schema if OmegaConf.is_config(schema[key]))):
        OmegaConf.set_readonly(node, False)
    return schema


def task(chosen: Settings, dataset: Dataset) -> Task:
    """What the engine named in `chosen` is asked for."""
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
        spark=SparkSettings(**vars(chosen.spark)),
        threads=chosen.engine.threads,
    )


def flatten(config: DictConfig) -> dict[str, str]:
    """Every leaf of the task's configuration as dotted key and text; lists stay in one piece."""
    values = _task_values(config)
    return {key: _text(value) for key, value in _leaves("", values)}


def config_hash(config: DictConfig) -> str:
    """16 hexadecimal digits of the SHA-256 of the configuration without its volatile keys."""
    text = json.dumps(_task_values(config), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _task_values(config: DictConfig) -> dict[str, Any]:
    values = OmegaConf.to_container(config, resolve=True)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items() if key not in VOLATILE}


def _leaves(prefix: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(f"{prefix}.{key}" if prefix else str(key), inner)
    else:
        yield prefix, value


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
