"""What the values of the configuration must satisfy, and what is said of one that does not."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Any

from tandem.engines import ENGINES
from tandem.errors import ConfigurationError
from tandem.records import FitOn, MissingCategory


class Command(StrEnum):
    """What to do with the configured task."""

    RUN = "run"
    COMPARE = "compare"
    ADVISE = "advise"


@dataclass(frozen=True)
class Rule:
    """What the value of `key` (or every element of a list) must satisfy, and what else to write.

    A list must not be empty where a rule is about its elements.
    """

    key: str
    holds: Callable[[Any], bool]
    says: str

    def check(self, value: Any) -> None:
        """Raise ConfigurationError where `value` breaks the rule; null is always allowed."""
        elements = value if isinstance(value, list) else [value]
        if not len(elements):
            raise ConfigurationError(f"{self.key}: is empty: {self.says}")
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
    return Rule(key, bool, f"needs a value -> {example}")


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
    _one_of("engine.name", ENGINES),
    _one_of("compare.engines", ENGINES),
    _at_least("compare.repeats", 1),
    _at_least("compare.warm_up", 0),
    _at_least("sweep.jobs", 1, "sweep.jobs=2"),
    _not_empty("tracking.experiment", "tracking.experiment=tandem"),
    _not_empty("spark.master", "spark.master=local[*]"),
    _not_empty("spark.driver_memory", "spark.driver_memory=4g"),
    _not_empty("spark.executor_memory", "spark.executor_memory=4g"),
    _at_least("spark.partitions", 1),
    _at_least("spark.shuffle_partitions", 1),
    _at_least("spark.parallelism", 1),
    _at_least("spark.executor_cores", 1),
    _at_least("spark.executor_instances", 1),
)

# Keys of a dataset that only the drawn one reads, and those that only files have a use for.
_DRAWN, _FILES = ("rows", "seed"), ("path", "missing", "text", "multiline")


def check_read(name: str, keys: Mapping[str, Any]) -> None:
    """Raise ConfigurationError where one of the `keys` of dataset `name` is given for nothing."""
    drawn = name == "flights"
    for key in filter(keys.get, _FILES if drawn else _DRAWN):
        if drawn:
            says = "only dataset=files reads it, and dataset.name is flights"
            step = "dataset=files dataset.path=... dataset.target=..."
        else:
            says, step = "only dataset=flights draws rows", "leave it out"
        raise ConfigurationError(f"dataset.{key}: {keys[key]}: {says} -> {step}")
