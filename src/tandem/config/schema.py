"""Every key of the configuration with its type; conf/ has the defaults."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DatasetKeys:
    """Which table, and which columns of it."""

    name: str = ""
    path: str | None = None
    target: str | None = None
    exclude: list[str] = field(default_factory=list)
    rows: float | None = None  # a float, so that 1e6 is a number of rows
    seed: int = 0
    missing: list[str] | None = None
    text: list[str] = field(default_factory=list)
    multiline: bool = False


@dataclass(frozen=True)
class CleaningKeys:
    """Thresholds and protocol of the cleaning."""

    drop_column_above: float = 0.0
    drop_rows_below: float = 0.0
    fit_on: str = ""
    missing_category: str = ""


@dataclass(frozen=True)
class FoldsKeys:
    """How rows are put into folds."""

    k: int = 0
    seed: int = 0
    block: int = 1


@dataclass(frozen=True)
class ModelKeys:
    """The grid, and how its points are solved."""

    reg_param: list[float] = field(default_factory=list)
    elastic_net_param: list[float] = field(default_factory=list)
    tol: float | None = None
    max_iter: int | None = None
    precompute: bool = False


@dataclass(frozen=True)
class ScoresKeys:
    """What is measured on the held-out rows beside RMSE and R2."""

    mae: bool = False


@dataclass(frozen=True)
class EngineKeys:
    """Which engine."""

    name: str = ""
    threads: int | None = None


@dataclass(frozen=True)
class SparkKeys:
    """How Spark is started and used."""

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
class CacheKeys:
    """What is kept of a dataset from run to run."""

    moments: bool = True


@dataclass(frozen=True)
class TrackingKeys:
    """Where the run is recorded."""

    uri: str | None = None
    experiment: str = ""
    parent_run_id: str | None = None
    record_dir: str | None = None


@dataclass(frozen=True)
class CompareKeys:
    """What `compare` compares, how often, and after how many runs that do not count."""

    engines: list[str] = field(default_factory=list)
    repeats: int = 1
    warm_up: int = 0


@dataclass(frozen=True)
class SweepKeys:
    """How the jobs of a sweep are run."""

    jobs: int = 1
    resume: bool = False


@dataclass(frozen=True)
class Settings:
    """The whole configuration, typed and checked."""

    command: str = ""
    debug: bool = False
    dataset: DatasetKeys = field(default_factory=DatasetKeys)
    cleaning: CleaningKeys = field(default_factory=CleaningKeys)
    folds: FoldsKeys = field(default_factory=FoldsKeys)
    model: ModelKeys = field(default_factory=ModelKeys)
    scores: ScoresKeys = field(default_factory=ScoresKeys)
    engine: EngineKeys = field(default_factory=EngineKeys)
    spark: SparkKeys = field(default_factory=SparkKeys)
    cache: CacheKeys = field(default_factory=CacheKeys)
    tracking: TrackingKeys = field(default_factory=TrackingKeys)
    compare: CompareKeys = field(default_factory=CompareKeys)
    sweep: SweepKeys = field(default_factory=SweepKeys)
