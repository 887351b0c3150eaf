"""Frozen values that travel between the stages. Nothing here computes, reads or writes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tandem.fold_keys import FoldKind, Folds
from tandem.model_keys import Choose, GridPoint, Solver
from tandem.parts import Part
from tandem.settings import Cleaning, ScoreKeys, SparkSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]
else:  # help and errors of the configuration need no numpy, which takes a tenth of their time
    Array = Mask = Any

# What a run is timed by.
STAGES = ("session", "convert", "load", "clean", "train", "refit")
# Called with the number of units that are newly done.
Advance = Callable[[int], None]


def unseen(_total: int, _unit: str) -> Advance:
    """Progress that nobody looks at."""
    return lambda _done: None


class Kind(StrEnum):
    """How a column takes part in the regression."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


class Action(StrEnum):
    """What the plan does with a column."""

    KEEP = "keep"
    DROP_COLUMN = "drop column"
    DROP_ROWS = "drop rows"
    IMPUTE = "impute mean"
    INDEX = "index by frequency"
    INDEX_DROP_ROWS = "index by frequency, drop rows"
    ONE_HOT = "a 0/1 feature per level"
    ONE_HOT_DROP_ROWS = "a 0/1 feature per level, drop rows"
    TARGET = "encode by mean target"
    TARGET_DROP_ROWS = "encode by mean target, drop rows"


@dataclass(frozen=True, slots=True)
class Source:
    """What a number is read off: `part` of the cells of `column`, a column of the files.

    `form`: how they are written where they are text, in the words of strptime; empty: as ISO does.
    """

    column: str
    part: Part
    form: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the dataset. `id` is the name that frames inside an engine give it.

    `source`: what its numbers are read off; None: it is a column of the files as it is.
    """

    id: str
    name: str
    kind: Kind
    source: Source | None = None

    @property
    def stored(self) -> str:
        """The name of the column of the files that it is read from."""
        return self.source.column if self.source else self.name


@dataclass(frozen=True, slots=True)
class File:
    """One Parquet file and the row id of its first row."""

    path: str
    rows: int
    first_row: int


@dataclass(frozen=True, slots=True)
class Reject:
    """A bad row: file, line, the column that breaks the rule (None: the row does), its value."""

    file: str
    line: int
    column: str | None
    value: str
    rule: str

    def __str__(self) -> str:
        """One line for the user."""
        column = f"column '{self.column}': " if self.column is not None else ""
        return f"{self.file}:{self.line}: {column}{self.value}: {self.rule}"


@dataclass(frozen=True, slots=True)
class Weights:
    """How often a row counts: what stands in `column`.

    `per_unit`: the power of ten that makes all of them whole numbers; None: there is none, or
    their sum would be too large.
    """

    column: Column
    per_unit: float | None

    @property
    def unit(self) -> float:
        """What weights are multiplied by where sums of them are taken."""
        return self.per_unit or 1.0


@dataclass(frozen=True, slots=True)
class Dataset:
    """Parquet files in row-id order, the target and the features, and the digest of the content.

    `notes`: what the user should know of how it is read, a line each. `rejected`: bad rows that
    are not in the files; `rejects`: the first of them. `fold_column`: what folds go by, where they
    go by a column; it need not be a feature; `fold_labels`: its values that make a fold each, or
    with which blocks of time begin; `weights`: how often a row counts, None: once.
    """

    name: str
    files: tuple[File, ...]
    target: Column
    features: tuple[Column, ...]
    fingerprint: str
    notes: tuple[str, ...] = ()
    rejected: int = 0
    rejects: tuple[Reject, ...] = ()
    fold_column: Column | None = None
    fold_labels: tuple[str, ...] = ()
    weights: Weights | None = None

    @property
    def weight(self) -> Column | None:
        """The column that says how often a row counts."""
        return self.weights.column if self.weights else None

    @property
    def in_logs(self) -> bool:
        """Whether the target is the logarithm of what stands in the files."""
        return self.target.source is not None

    @property
    def framed(self) -> tuple[Column, ...]:
        """What a frame inside an engine has: the columns, and how often a row counts."""
        return (*self.columns, self.weight) if self.weight else self.columns

    @property
    def beside(self) -> tuple[Column, ...]:
        """What is read beside the target and the features, which they may be too."""
        return tuple(column for column in (self.fold_column, self.weight) if column)

    @property
    def rows(self) -> int:
        """Number of rows of all files."""
        return sum(file.rows for file in self.files)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The target, then the features."""
        return (self.target, *self.features)

    def counted(self, folds: Folds) -> Folds:
        """`folds`, as many as the column has where it has them."""
        given = folds.kind is FoldKind.COLUMN
        return replace(folds, k=len(self.fold_labels)) if given else folds


@dataclass(frozen=True, slots=True)
class Profile:
    """What is counted before deciding: rows, and the missing cells of every column by its id."""

    rows: int
    missing: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done with one feature, how many of its cells are missing, and why."""

    column: Column
    action: Action
    missing: int
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The decisions for all features, in their order. A pure function of profile and thresholds.

    `weight`: the column that says how often a row counts; None: every row counts once.
    """

    target: Column
    decisions: tuple[Decision, ...]
    weight: Column | None = None

    def columns(self, *actions: Action) -> tuple[Column, ...]:
        """The features that one of `actions` applies to, in order."""
        return tuple(d.column for d in self.decisions if d.action in actions)

    @property
    def used(self) -> tuple[Column, ...]:
        """The features of the regression, in the order of the coefficients."""
        return tuple(d.column for d in self.decisions if d.action is not Action.DROP_COLUMN)

    @property
    def numeric(self) -> tuple[Column, ...]:
        """The numeric features of the regression."""
        return tuple(c for c in self.used if c.kind is Kind.NUMERIC)

    @property
    def categorical(self) -> tuple[Column, ...]:
        """The categorical features of the regression."""
        return tuple(c for c in self.used if c.kind is Kind.CATEGORICAL)

    @property
    def imputed(self) -> tuple[Column, ...]:
        """The numeric features whose missing cells get the mean."""
        return self.columns(Action.IMPUTE)

    @property
    def required(self) -> tuple[Column, ...]:
        """The features that a row must have to be used."""
        return tuple(d.column for d in self.decisions if d.action.endswith("drop rows"))

    @property
    def one_hot(self) -> tuple[Column, ...]:
        """The categorical features of which every frequent level is a feature."""
        return self.columns(Action.ONE_HOT, Action.ONE_HOT_DROP_ROWS)

    @property
    def sources(self) -> dict[str, Source]:
        """What the features of the regression are read off, by name, where it is a date or time."""
        return {column.name: column.source for column in self.used if column.source}

    @property
    def target_encoded(self) -> tuple[Column, ...]:
        """The categorical features that become the mean target of their category."""
        return self.columns(Action.TARGET, Action.TARGET_DROP_ROWS)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where every row went: rows_in = rows_used + the dropped + the rejected.

    `rows_from_cache`: rows that were not read, because the cache held their sums.
    """

    rows_in: int
    rows_used: int
    rows_dropped_target: int
    rows_dropped_missing: int
    cells_imputed: int
    rows_rejected: int = 0
    rows_dropped_weight: int = 0
    rows_from_cache: int = field(default=0, compare=False)  # how it was found, not what


@dataclass(frozen=True, slots=True)
class Task:
    """What every engine is asked for: the same rows, folds, grid and objective.

    `threads`: of an engine that has threads of its own; None is one per core. `cache_moments`:
    whether an engine may keep what it found out about the rows, and use what it kept. `path`:
    whether the grid is one, from the largest penalty down. `choose`: which of its points is the
    model. `inverse_squares`: sum of 1 / y^2, each row as often as it counts, where MAPE is wanted.
    """

    dataset: Dataset
    cleaning: Cleaning
    folds: Folds
    grid: tuple[GridPoint, ...]
    solver: Solver
    spark: SparkSettings
    threads: int | None
    cache_moments: bool
    path: bool = False
    choose: Choose = Choose.BEST
    scores: ScoreKeys = field(default_factory=ScoreKeys)
    inverse_squares: float = 0.0
