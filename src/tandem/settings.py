"""Every key of the configuration with its type and rule; conf/ has the defaults and the words.

Frozen values that the whole program takes as they are. A rule is a remark on a type: it is checked
where a configuration is read (`tandem.config`), and costs nothing elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import PurePath
from typing import Annotated

from tandem import rules
from tandem.fold_keys import Folds
from tandem.model_keys import ModelKeys
from tandem.parts import DatePart
from tandem.rules import (
    HOST_NAME,
    MASTER,
    PORT,
    THREADED,
    Count,
    Listed,
    at_least,
    fraction,
    not_empty,
    one_character,
)

Seed = Annotated[int, at_least(0)]
Fraction = Annotated[float, fraction("a fraction of rows")]
Words = Annotated[tuple[str, ...], Listed()]


class Command(StrEnum):
    """What to do with the configured task."""

    RUN = "run"
    COMPARE = "compare"
    ADVISE = "advise"
    INSPECT = "inspect"
    SEND = "send"
    SERVER = "server"


class FitOn(StrEnum):
    """Which rows the cleaning is fitted on: the training folds, or all rows before the folds."""

    TRAIN = "train"
    ALL = "all"


class MissingCategory(StrEnum):
    """A missing category is a category of its own, or its row is dropped."""

    KEEP = "keep"
    DROP = "drop"


class Encoding(StrEnum):
    """A category as its rank by frequency, as a 0/1 feature for every level, or as the mean of the
    target where it occurs.
    """

    INDEX = "index"
    ONE_HOT = "one_hot"
    TARGET = "target"


class OnBadRow(StrEnum):
    """A row of a CSV file that breaks a rule ends the run, or is left out and listed."""

    REJECT = "reject"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Spelling:
    """How CSV files spell what they hold.

    `missing`: spellings of a missing cell; `text`: columns that are text in any case; `multiline`:
    quoted cells may hold lines that look like records; `delimiter` parts cells, `decimal` a
    fraction, `thousands` groups of digits; `units`: what may stand about a number; `on_bad_row`:
    what becomes of rows that break a rule, `max_bad_rows` at most; `dates`: formats of strptime.
    """

    missing: Words = ("", "NA", "N/A", "null", "NULL", "NaN", "nan")
    text: Words = ()
    multiline: bool = False
    delimiter: Annotated[str, one_character("dataset.delimiter=';', or tab", "tab")] = ","
    decimal: Annotated[str, one_character("dataset.decimal=','")] = "."
    thousands: Annotated[str, one_character("dataset.thousands=','")] | None = None
    units: Words = ()
    encoding: Annotated[str, rules.ENCODING] = "utf-8"
    on_bad_row: OnBadRow = OnBadRow.REJECT
    max_bad_rows: Count = 1000
    dates: Mapping[str, Annotated[str, rules.DATE_FORMAT]] = field(default_factory=dict)

    @property
    def plain_numbers(self) -> bool:
        """Whether numbers are spelled as a parser takes them."""
        return (self.decimal, self.thousands, self.units) == (".", None, ())


PLAIN = Spelling()


@dataclass(frozen=True, slots=True, kw_only=True)
class Files(Spelling):
    """A table of one's own: a path, a folder or a pattern of Parquet or CSV files."""

    name: str | None = None
    path: str | None
    target: str | None
    weight: str | None = None
    include: Words = ()
    exclude: Words = ()

    @property
    def title(self) -> str:
        """The name, or that of the file, folder or pattern."""
        stem = PurePath(self.path or "").stem
        for ending in (".csv", ".tsv"):  # of a packed file
            stem = stem.removesuffix(ending)
        return self.name or stem.strip("*?.") or "files"

    @property
    def spelling(self) -> Spelling:
        """What is said of CSV files alone."""
        found = Spelling(*(getattr(self, key.name) for key in fields(Spelling)))
        return replace(found, delimiter="\t") if found.delimiter == "tab" else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Flights:
    """The flights out of New York City; `rows`: as many, drawn with `seed`; None is all."""

    name: str
    target: str | None
    weight: str | None = None
    include: Words = ()
    exclude: Words = ()
    rows: Annotated[int, at_least(1, "dataset.rows=100000, or leave it out for all rows")] | None
    seed: Seed

    @property
    def title(self) -> str:
        """The name."""
        return self.name


@dataclass(frozen=True, slots=True)
class Cleaning:
    """Thresholds (fractions of all rows), protocol and encodings of the cleaning.

    `max_levels`: levels that have a feature of their own; `smoothing`: rows that the mean of all
    counts as, in that of a level. `dates`: what is read off them, with `cyclic` as sine and cosine.
    """

    drop_column_above: Fraction
    drop_rows_below: Fraction
    fit_on: FitOn
    missing_category: MissingCategory
    encoding: Encoding
    max_levels: Count
    smoothing: Annotated[float, at_least(0, "cleaning.smoothing=10")]
    encodings: Mapping[str, Encoding] = field(default_factory=dict)
    dates: Annotated[tuple[DatePart, ...], Listed()] = tuple(DatePart)
    cyclic: bool = False

    def encoding_of(self, column: str) -> Encoding:
        """That of one column."""
        return self.encodings.get(column, self.encoding)


@dataclass(frozen=True, slots=True)
class ScoreKeys:
    """What is measured beside RMSE and R2 on held-out rows, and whether coefficients have robust
    standard errors: `mae`, mean of |e|; `mape`, mean of |e| / |y|; `median_ae`, median of |e|.
    """

    mae: bool = False
    mape: bool = False
    median_ae: bool = False
    robust_errors: bool = False

    @property
    def by_row(self) -> tuple[str, ...]:
        """Those that are means of what every row adds, under every model."""
        return tuple(name for name in ("mae", "mape") if getattr(self, name))


@dataclass(frozen=True, slots=True)
class EngineKeys:
    """Which engine; `threads`: of an engine that has threads of its own, None is one per core."""

    name: str
    threads: Count | None


@dataclass(frozen=True, slots=True)
class SparkSettings:
    """How the Spark session is built and how the engine uses it. None: chosen for the machine."""

    master: Annotated[str, MASTER, THREADED]
    driver_memory: Annotated[str, not_empty("spark.driver_memory=4g")]
    executor_cores: Count | None
    executor_instances: Count | None
    executor_memory: Annotated[str, not_empty("spark.executor_memory=4g")]
    partitions: Count | None
    shuffle_partitions: Count | None
    adaptive: bool
    parallelism: Count
    python: str | None = None
    wait_s: Count = 60
    conf: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CacheKeys:
    """What is kept of a dataset from run to run."""

    moments: bool


@dataclass(frozen=True, slots=True)
class Tracking:
    """Where runs are recorded. `uri` None: MLflow's own default; `record_dir`: kept there too."""

    uri: str | None
    experiment: Annotated[str, not_empty("tracking.experiment=tandem")]
    parent_run_id: str | None = None
    record_dir: str | None = None


@dataclass(frozen=True, slots=True)
class CompareKeys:
    """What `compare` compares, how often, and after how many runs that do not count."""

    engines: Annotated[Words, not_empty("compare.engines=[sequential,scan]")]
    repeats: Count
    warm_up: Annotated[int, at_least(0)]


@dataclass(frozen=True, slots=True)
class SweepKeys:
    """How the jobs of a sweep are run."""

    jobs: Annotated[int, at_least(1, "sweep.jobs=2")]
    resume: bool


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """The store that a team shares: where it answers, to whom, and where all of it is kept.

    `names`: by which others reach this machine; none: its own name; `workers`: processes.
    """

    host: Annotated[str, not_empty("server.host=127.0.0.1")]
    port: Annotated[int, PORT]
    names: Annotated[tuple[Annotated[str, HOST_NAME], ...], Listed()]
    auth: bool
    folder: Annotated[str, not_empty("server.folder=.server")]
    workers: Count


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
    server: ServerKeys
