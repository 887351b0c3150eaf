"""The engines: all that the rest of the program knows of each is its row here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt

from tandem.model_keys import GridPoint

# A step of OWLQN or L-BFGS that gains less than tol ends it; the answer is then off by about the
# square root, in units of the target's deviation. Seen on flights: 1.1 times it; 5 leaves room.
_SPARK_STEPS = 5.0
_NORMAL_FEATURES = 4096  # Spark ML solves ridge in closed form up to here

# How far a solver may leave predictions from the optimum, in deviations of the target, at a grid
# point, with so many features, at a tolerance (0 where there is none).
Left = Callable[[GridPoint, int, float], float]


def nothing(_point: GridPoint, _features: int, _tol: float) -> float:
    """0: every point is solved to the last digits."""
    return 0.0


def duality_gap(point: GridPoint, _features: int, tol: float) -> float:
    """sqrt(2 tol): scikit-learn's gap, at most tol * sum y^2, bounds half the squared distance.

    0 where it does not iterate.
    """
    closed = point.elastic_net_param == 0 or point.reg_param == 0
    return 0.0 if closed else sqrt(2.0 * tol)


def spark_steps(point: GridPoint, features: int, tol: float) -> float:
    """5 sqrt(tol), where Spark ML iterates; 0 where it solves in closed form.

    Without a penalty and with collinear columns it falls back to iterations.
    """
    closed = point.elastic_net_param == 0 and features <= _NORMAL_FEATURES and point.reg_param > 0
    return 0.0 if closed else _SPARK_STEPS * sqrt(tol)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of an engine without importing it.

    `module`: defines `Engine`; `color`: in pictures and in MLflow; `without_spark`: the engine that
    does the same on one machine; `bits`: engines with the same word give the same bits, also from
    run to run, None where not even that holds; `left` at `tol`, the library's own default;
    `stalls`: whether its iterations may end short of that where features follow from one another;
    `reads`: keys of its own, or the beginning of several; `copies`: of all numbers of the table in
    float64 that it holds at once, at least; 0: it goes through the table in pieces.
    """

    module: str
    color: str
    bits: str | None
    left: Left
    tol: float = 0.0
    stalls: bool = False
    without_spark: str | None = None
    reads: tuple[str, ...] = ()
    copies: float = 0.0


ENGINES: Mapping[str, Entry] = {
    "sequential": Entry(
        *("tandem.engines.sequential", "#4c78a8"),
        bits="sequential",
        left=duality_gap,
        tol=1e-4,
        reads=("model.precompute",),
        copies=5.0,  # 6.0 with 1,000,000 rows x 20 columns, 7.3 with 300,000 x 100
    ),
    "distributed": Entry(
        *("tandem.engines.distributed", "#e45756"),
        bits=None,
        left=spark_steps,
        tol=1e-6,
        stalls=True,  # OWLQN's line search fails; seen on flights: 0.026 deviations
        without_spark="sequential",
        reads=("spark.",),
    ),
    "scan": Entry(
        *("tandem.engines.scan", "#54a24b"), bits="sums", left=nothing, reads=("engine.threads",)
    ),
    "distributed_scan": Entry(
        *("tandem.engines.distributed_scan", "#b279a2"),
        bits="sums",
        left=nothing,
        without_spark="scan",
        reads=("spark.",),
    ),
}


def solved(engine: str) -> bool:
    """Whether it solves every fit from sums, without a pass over the rows for each."""
    return ENGINES[engine].bits == "sums"


def without_spark() -> dict[str, str]:
    """Every engine on Spark, and the one that does the same on one machine."""
    return {name: one.without_spark for name, one in ENGINES.items() if one.without_spark}


def color(engine: str) -> str:
    """What it is drawn with; grey for one that is not known."""
    return ENGINES[engine].color if engine in ENGINES else "#555555"
