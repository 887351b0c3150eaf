"""The keys of the model, as `settings` has those of all else: the grid, and how it is solved."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Annotated

from tandem.rules import Count, Listed, Rule, at_least, fraction, not_empty

# A path's penalties, in deviations of the target: none is more use than the first, for a lasso.
_LARGEST, _SMALLEST = 10.0, 1e-4
_POINTS = Rule(lambda x: 2 <= x <= 1000, "needs 2 to 1000 penalties -> model.path=100")


class Choose(StrEnum):
    """Which grid point is the model: of the smallest error; or, of its elastic_net_param, that of
    the largest penalty whose error is at most one standard error above it.
    """

    BEST = "best"
    ONE_STANDARD_ERROR = "one_standard_error"


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
    """The grid, how its points are solved, and which of them is the model.

    `path`: as many penalties, laid by the target, in place of `reg_param`. `log_target`: the model
    is of the logarithm of the target, and judged in the target's own unit.
    """

    reg_param: Annotated[
        tuple[Annotated[float, at_least(0, "model.reg_param=[0.1,0.01]")], ...],
        not_empty("model.reg_param=[0.1,0.01]"),
        Listed(),
    ]
    elastic_net_param: Annotated[
        tuple[Annotated[float, fraction("a ratio")], ...],
        not_empty("model.elastic_net_param=[0,0.5,1]"),
        Listed(),
    ]
    path: Annotated[int, _POINTS] | None = None
    choose: Choose = Choose.BEST
    log_target: bool = False

    def grid(self, target_deviation: float) -> tuple[GridPoint, ...]:
        """Every pair of penalties, elastic_net_param first to change.

        Those of a path lie evenly by their logarithm from 10 to 0.0001 `target_deviation`, the
        largest first, in four digits. At 10 a lasso has no feature left.
        """
        penalties = self.reg_param
        if self.path:
            step = (_SMALLEST / _LARGEST) ** (1.0 / (self.path - 1))
            laid = (_LARGEST * step**place for place in range(self.path))
            penalties = tuple(float(f"{share * target_deviation:.4g}") for share in laid)
        return tuple(GridPoint(r, a) for r in penalties for a in self.elastic_net_param)

    @property
    def solver(self) -> Solver:
        """How a point is solved."""
        return Solver(*(getattr(self, key.name) for key in fields(Solver)))
