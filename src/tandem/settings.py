"""Every key of the configuration with its type and rule; conf/ has the defaults and the words.

Frozen values that the whole program takes as they are. A rule is a remark on a type: it is checked
where a configuration is read (`tandem.config`), and costs nothing elsewhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from math import inf
from pathlib import PurePath
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


class _Listed:
    """A single value stands for a list of one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        from pydantic_core import core_schema  # noqa: PLC0415

        def listed(value: Any) -> Any:
            return [value] if isinstance(value, (str, float, int)) else value

        return core_schema.no_info_before_validator_function(listed, handler(source))


def _at_least(least: float, next_step: str = "") -> Rule:
    step = f" -> {next_step}" if next_step else ""
    return Rule(lambda value: least <= value < inf, f"must be at least {least}{step}")


def _fraction(what: str) -> Rule:
    return Rule(lambda value: 0 <= value <= 1, f"{what} lies between 0 and 1")


def _not_empty(example: str) -> Rule:
    return Rule(bool, f"needs a value -> {example}")


Count = Annotated[int, _at_least(1)]
Seed = Annotated[int, _at_least(0)]
Fraction = Annotated[float, _fraction("a fraction of rows")]
Words = Annotated[tuple[str, ...], _Listed()]


class Command(StrEnum):
    """What to do with the configured task."""

    RUN = "run"
    COMPARE = "compare"
    ADVISE = "advise"


class FitOn(StrEnum):
    """Which rows the cleaning is fitted on: the training folds, or all rows before the folds."""

    TRAIN = "train"
    ALL = "all"


class MissingCategory(StrEnum):
    """A missing category is a category of its own, or its row is dropped."""

    KEEP = "keep"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Spelling:
    """How CSV files spell what they hold.

    `missing` lists the spellings of a missing cell, `text` the columns that are text whatever they
    look like; `multiline`: quoted cells may hold lines that look like records.
    """

    missing: Words = ("", "NA", "N/A", "null", "NULL", "NaN", "nan")
    text: Words = ()
    multiline: bool = False


PLAIN = Spelling()


@dataclass(frozen=True, slots=True, kw_only=True)
class Files(Spelling):
    """A table of one's own: a path, a folder or a pattern of Parquet or CSV files."""

    name: str | None = None
    path: str | None
    target: str | None
    exclude: Words = ()

    @property
    def title(self) -> str:
        """The name, or that of the file, folder or pattern."""
        return self.name or PurePath(self.path or "").stem.strip("*?.") or "files"

    @property
    def spelling(self) -> Spelling:
        """What is said of CSV files alone."""
        return Spelling(*(getattr(self, key.name) for key in fields(Spelling)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Flights:
    """The flights out of New York City; `rows`: as many, drawn with `seed`; None is all."""

    name: str
    target: str | None
    exclude: Words = ()
    rows: Annotated[int, _at_least(1, "dataset.rows=100000, or leave it out for all rows")] | None
    seed: Seed

    @property
    def title(self) -> str:
        """The name."""
        return self.name


@dataclass(frozen=True, slots=True)
class Cleaning:
    """Thresholds (fractions of all rows) and protocol of the cleaning."""

    drop_column_above: Fraction
    drop_rows_below: Fraction
    fit_on: FitOn
    missing_category: MissingCategory


@dataclass(frozen=True, slots=True)
class Folds:
    """k folds; `block` neighbouring rows share a fold."""

    k: Annotated[int, _at_least(2, "folds.k=3")]
    seed: Seed
    block: Count


@dataclass(frozen=True, slots=True)
class GridPoint:
    """One pair of penalties, in Spark ML's convention."""

    reg_param: float
    elastic_net_param: float


@dataclass(frozen=True, slots=True)
class Solver:
    """Tolerance and iteration cap of the iterative solvers; None is the library's own default.

    `precompute`: scikit-learn's ElasticNet works on the Gram matrix instead of the rows.
    """

    tol: (
        Annotated[float, Rule(lambda x: 0 < x < 1, "must lie between 0 and 1 -> model.tol=1e-6")]
        | None
    )
    max_iter: Count | None
    precompute: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelKeys(Solver):
    """The grid, reg_param x elastic_net_param, and how its points are solved."""

    reg_param: Annotated[
        tuple[Annotated[float, _at_least(0, "model.reg_param=[0.1,0.01]")], ...],
        _not_empty("model.reg_param=[0.1,0.01]"),
        _Listed(),
    ]
    elastic_net_param: Annotated[
        tuple[Annotated[float, _fraction("a ratio")], ...],
        _not_empty("model.elastic_net_param=[0,0.5,1]"),
        _Listed(),
    ]

    @property
    def grid(self) -> tuple[GridPoint, ...]:
        """Every pair of penalties, elastic_net_param first to change."""
        return tuple(GridPoint(r, a) for r in self.reg_param for a in self.elastic_net_param)

    @property
    def solver(self) -> Solver:
        """How a point is solved."""
        return Solver(*(getattr(self, key.name) for key in fields(Solver)))


@dataclass(frozen=True, slots=True)
class ScoreKeys:
    """What is measured on the held-out rows beside RMSE and R2."""

    mae: bool


@dataclass(frozen=True, slots=True)
class EngineKeys:
    """Which engine; `threads`: of an engine that has threads of its own, None is one per core."""

    name: str
    threads: Count | None


@dataclass(frozen=True, slots=True)
class SparkSettings:
    """How the Spark session is built and how the engine uses it. None: chosen for the machine."""

    master: Annotated[str, _not_empty("spark.master=local[*]")]
    driver_memory: Annotated[str, _not_empty("spark.driver_memory=4g")]
    executor_cores: Count | None
    executor_instances: Count | None
    executor_memory: Annotated[str, _not_empty("spark.executor_memory=4g")]
    partitions: Count | None
    shuffle_partitions: Count | None
    adaptive: bool
    parallelism: Count
    conf: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CacheKeys:
    """What is kept of a dataset from run to run."""

    moments: bool


@dataclass(frozen=True, slots=True)
class Tracking:
    """Where runs are recorded. `uri` None: MLflow's own default; `record_dir`: kept there too."""

    uri: str | None
    experiment: Annotated[str, _not_empty("tracking.experiment=tandem")]
    parent_run_id: str | None = None
    record_dir: str | None = None


@dataclass(frozen=True, slots=True)
class CompareKeys:
    """What `compare` compares, how often, and after how many runs that do not count."""

    engines: Annotated[Words, _not_empty("compare.engines=[sequential,scan]")]
    repeats: Count
    warm_up: Annotated[int, _at_least(0)]


@dataclass(frozen=True, slots=True)
class SweepKeys:
    """How the jobs of a sweep are run."""

    jobs: Annotated[int, _at_least(1, "sweep.jobs=2")]
    resume: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration, typed and checked."""

    command: Command
    debug: bool
    dataset: Flights | Files
    cleaning: Cleaning
    folds: Folds
    model: ModelKeys
    scores: ScoreKeys
    engine: EngineKeys
    spark: SparkSettings
    cache: CacheKeys
    tracking: Tracking
    compare: CompareKeys
    sweep: SweepKeys
