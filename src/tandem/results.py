"""What is found: error sums, a model, scores, facts, the result of a run. Frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tandem.model_keys import GridPoint
from tandem.records import Array, Ledger, Plan, Source, Task
from tandem.settings import Encoding


@dataclass(frozen=True, slots=True)
class Design:
    """The cleaned, standardised features of one training set, those left out that are constant.

    `rank` of `features`: singular values that are not 0 to within rounding; `condition`: ratio of
    the largest of them to the smallest; `groups`: positions, among all features, of those that
    follow from one another, or nearly so.
    """

    features: int
    rank: int
    condition: float
    groups: tuple[tuple[int, ...], ...] = ()

    @property
    def missing(self) -> int:
        """Features that the others make up for."""
        return self.features - self.rank


@dataclass(frozen=True, slots=True)
class ErrorSums:
    """What an engine measured on the held-out rows.

    Arrays by fold have shape (k,), by fold and grid point (k, points).
    `sse[f, g]`: sum of squared errors of grid point g on fold f, in squared units of the target;
    `sst[f]`: sum of squared deviations of the target from its mean on fold f;
    `n_train[f]`, `n_test[f]`: rows outside and inside fold f, each as often as it counts; all sums
    are of rows that count so;
    `unconverged`: fits that stopped at the iteration cap, `designs`: of the training sets, where
    known; `by_row["mae"][f, g]`: sum of |e|, in units of the target, and of |e| / |y| for "mape",
    where asked for;
    `slopes[f, g, j]`: coefficients in raw units, shape (k, points, p), where known; `gaps[f, g]`:
    the duality gap at which a fit stopped, as the solver tells it, in shares of the mean square of
    the target about its mean; NaN where it does not iterate. `features`: how many every column of
    the regression is, levels that only the hold-out has among them.
    """

    sse: Array
    sst: Array
    n_train: tuple[float, ...]
    n_test: tuple[float, ...]
    unconverged: int = 0
    by_row: Mapping[str, Array] = field(default_factory=dict)
    designs: tuple[Design, ...] = ()
    slopes: Array | None = None
    gaps: Array | None = None
    features: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LinearModel:
    """y = intercept + sum_j coefficients[j] * x_j in raw units, after the fitted cleaning.

    `means` fills missing cells of numeric columns; `levels` holds each categorical column's
    categories by index (descending frequency; None stands for missing). An unseen category gets
    the index after the last. `encodings` holds, of every column whose x_j is the mean target of its
    category, that of every index, shape (levels + 1,). `sources`: what x_j is read off, where it
    is a part of a date. All keys are column names. `log_target`: y is the logarithm of the target.
    """

    intercept: float
    coefficients: Mapping[str, float]
    means: Mapping[str, float]
    levels: Mapping[str, tuple[str | None, ...]]
    encodings: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    log_target: bool = False


@dataclass(frozen=True, slots=True)
class Inference:
    """Of every feature, by least squares on all rows; shape (p,), NaN where it cannot be told.

    `errors`: standard errors of the coefficients, raw units, of a model without a penalty;
    `partial_r2`: the share of what the other features leave of the target that one explains;
    `degrees`: of freedom, rows less features less 1; `robust`: errors where the spread of the
    target about the model differs by row, too, where asked for. `scales`: deviations of the cleaned
    features over that of the target; 0 where one is constant.
    """

    errors: Array
    partial_r2: Array
    degrees: int
    scales: Array
    robust: Array | None = None


@dataclass(frozen=True, slots=True)
class SparkFacts:
    """What Spark really used and did.

    `log`: what its JVM wrote; `lost`: a line about each executor that was lost.
    """

    log: str
    conf: Mapping[str, str]
    settings: Mapping[str, str]
    jobs: int
    tasks: int
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What an engine did: `scans` is how many times it went through the input rows.

    `spark` is None for an engine without Spark; `moments_mb`: of an engine that solves from
    moments; `counted`: names of the categories that it only counted in the first of its scans;
    `encodings`: the mean RMSE over folds that every encoding of the categories gives at the chosen
    penalty, where that is known too; `inference`: of the model, where it is known; `correlations`:
    of the cleaned features of all rows, the target last, shape (p + 1, p + 1), where known.
    """

    scans: int
    spark: SparkFacts | None = None
    moments_mb: float | None = None
    counted: tuple[str, ...] = ()
    encodings: Mapping[Encoding, float] = field(default_factory=dict)
    inference: Inference | None = None
    correlations: Array | None = None


# What may be measured beside RMSE and R2, and what people call it. MAPE is a fraction, the others
# are in units of the target; the median is of the chosen grid point alone.
OTHERS = {"mae": "MAE", "mape": "MAPE", "median_ae": "median AE"}
# A median is where half of what counts stands: half to within rounding.
HALF = (0.5 - 5e-13, 0.5 + 5e-13)


@dataclass(frozen=True, slots=True)
class Scores:
    """Held-out metrics, shape (folds, grid points); means, (grid points,); the index of the point
    that is the model.

    RMSE is in units of the target. `others`: those of OTHERS that were asked for, NaN where they
    are not known.
    """

    rmse: Array
    r2: Array
    best: int
    others: Mapping[str, Array] = field(default_factory=dict)

    @property
    def chosen(self) -> dict[str, Array]:
        """`others` of every fold at the chosen point, shape (folds,)."""
        return {name: of[:, self.best] for name, of in self.others.items()}

    @property
    def rmse_mean(self) -> Array:
        """Mean RMSE over folds for every grid point, shape (points,)."""
        mean: Array = self.rmse.mean(axis=0)
        return mean

    @property
    def rmse_std(self) -> Array:
        """Population standard deviation of the RMSE over folds, by grid point, shape (points,)."""
        deviation: Array = self.rmse.std(axis=0)
        return deviation


@dataclass(frozen=True, slots=True)
class Result:
    """One engine on one dataset with one configuration. `times` holds the `time/*_s` metrics,
    `remarks` what a careful reader would ask, a line each, `held_out` what the model is worth on
    the rows that nothing was fitted to, as of one fold and grid point.
    """

    engine: str
    task: Task
    plan: Plan
    ledger: Ledger
    sums: ErrorSums
    scores: Scores
    model: LinearModel
    facts: Facts
    times: Mapping[str, float]
    peak_mb: float
    remarks: tuple[str, ...] = ()
    held_out: ErrorSums | None = None

    @property
    def best(self) -> GridPoint:
        """The grid point that is the model."""
        return self.task.grid[self.scores.best]
