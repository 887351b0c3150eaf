"""Do the engines agree? Every metric, fold, grid point and coefficient against a stated tolerance.

An engine's answer is off by what its solver leaves: nothing but rounding where the solution is in
closed form, else what the tolerance of the iterations allows. Two answers may differ by the sum.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from tandem.comparison.answers import Answer
from tandem.comparison.tolerances import ROUNDING, stated, tolerance
from tandem.model import feature, predict
from tandem.records import Array
from tandem.scores import largest_relative_difference, relative_difference

if TYPE_CHECKING:
    import pandas as pd

_SINGULAR = 1e-7  # smallest singular value of standardised columns that are not collinear


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of one figure at the place where it is the largest part of what is allowed.

    `absolute` and `relative` are the largest anywhere, `share` = difference / allowed at `where`.
    """

    what: str
    where: str
    absolute: float
    relative: float
    share: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers: what must be the same and is not, and the largest difference of every figure."""

    left: str
    right: str
    tolerance: str
    differing: tuple[str, ...]
    largest: tuple[Difference, ...]

    @property
    def worst(self) -> Difference:
        """The difference that takes the largest share of what is allowed."""
        return max(self.largest, key=lambda difference: difference.share)

    @property
    def passed(self) -> bool:
        """Whether all that must be the same is, and every difference is allowed."""
        return not self.differing and self.worst.share <= 1.0

    @property
    def parity(self) -> str:
        """`pass` or `fail`."""
        return "pass" if self.passed else "fail"

    @property
    def fault(self) -> str:
        """What is wrong, in one line."""
        if self.differing:
            return f"{self.left} and {self.right}: not the same {', '.join(self.differing)}"
        worst = self.worst
        return (
            f"{self.left} and {self.right}: {worst.what} differs {worst.share:.3g} times as much "
            f"as allowed, at {worst.where}"
        )


@dataclass(frozen=True, slots=True)
class Certificate:
    """The verdict over all pairs of answers."""

    pairs: tuple[Pair, ...]

    @property
    def passed(self) -> bool:
        """Whether every pair passed."""
        return all(pair.passed for pair in self.pairs)

    @property
    def parity(self) -> str:
        """`pass` or `fail`."""
        return "pass" if self.passed else "fail"

    def comparable(self, left: str, right: str) -> bool:
        """Whether the first answers of the two engines have the same rows, folds and grid."""
        return any((p.left, p.right) == (left, right) and p.largest for p in self.pairs)

    @property
    def shares(self) -> dict[str, float]:
        """For every figure the largest share of what is allowed, over all pairs."""
        every = [difference for pair in self.pairs for difference in pair.largest]
        return {
            what: max(d.share for d in every if d.what == what)
            for what in dict.fromkeys(d.what for d in every)
        }

    @property
    def faults(self) -> tuple[str, ...]:
        """A line for every pair that failed, the worst first."""
        failed = [pair for pair in self.pairs if not pair.passed]
        failed.sort(key=lambda pair: -np.inf if pair.differing else -pair.worst.share)
        return tuple(pair.fault for pair in failed)

    def as_dict(self) -> dict[str, object]:
        """For JSON: the verdict, then every pair."""
        pairs = [asdict(pair) | {"parity": pair.parity} for pair in self.pairs]
        return {"parity": self.parity, "faults": [*self.faults], "pairs": pairs}


def certify(answers: Sequence[Answer], rows: "pd.DataFrame") -> Certificate:
    """Compare the first answer of every engine with each other, later ones with the first.

    `rows`: raw rows of the dataset, on which the models of the winning grid point predict.
    """
    first = {answer.engine: answer for answer in reversed(answers)}
    pairs = [*combinations([a for a in answers if first[a.engine] is a], 2)]
    pairs += [(first[a.engine], a) for a in answers if first[a.engine] is not a]
    return Certificate(tuple(_pair(left, right, rows) for left, right in pairs))


def differences(left: Answer, right: Answer) -> "pd.DataFrame":
    """Every fold and grid point: both values, |difference|, relative, allowed, for every metric."""
    parts = []
    for name in left.metrics:
        ours, theirs = left.metrics[name], right.metrics[name]
        allowed = _allowed(name, left, right)
        apart, relative = _apart(ours, theirs), relative_difference(ours, theirs)
        for fold, index in np.ndindex(*ours.shape):
            point, at = left.grid[index], (fold, index)
            parts.append(
                {"left": _name(left, right), "right": _name(right, left), "metric": name}
                | {"fold": fold, **asdict(point), "value_left": ours[at], "value_right": theirs[at]}
                | {"absolute": apart[at], "relative": relative[at]}
                | {"allowed": allowed[at]}
            )
    import pandas as pd  # noqa: PLC0415 - slow

    return pd.DataFrame(parts)


def _pair(left: Answer, right: Answer, rows: "pd.DataFrame") -> Pair:
    same = {
        "rows and cleaning": left.cleaning == right.cleaning,
        "grid": left.grid == right.grid,
        "folds": left.test_rows == right.test_rows
        and bool(np.allclose(left.target_deviation, right.target_deviation, rtol=ROUNDING, atol=0)),
        "metrics": left.metrics.keys() == right.metrics.keys(),
    }
    differing = [what for what, holds in same.items() if not holds]
    largest: list[Difference] = []
    if not differing:
        largest += (_largest(name, left, right) for name in left.metrics)
        if left.best == right.best:
            largest += _models(left, right, rows)
        elif not _near_winners(left, right):
            differing.append("winning grid point")
    names = _name(left, right), _name(right, left)
    return Pair(*names, stated(left, right), tuple(differing), tuple(largest))


def _near_winners(left: Answer, right: Answer) -> bool:
    """Whether both winners are equally good as far as the tolerance tells."""
    indices = [left.grid.index(left.best), left.grid.index(right.best)]
    allowed = _allowed("rmse", left, right)[:, indices].mean(axis=0).sum()
    means = [answer.metrics["rmse"][:, indices].mean(axis=0) for answer in (left, right)]
    return all(abs(mean[0] - mean[1]) <= allowed for mean in means)


def _allowed(name: str, left: Answer, right: Answer) -> Array:
    """Allowed difference of metric `name`, shape (folds, grid points), in its units."""
    rmse = np.maximum(left.metrics["rmse"], right.metrics["rmse"])
    deviation = left.target_deviation[:, None]
    tolerances = [tolerance(left, right, point) for point in left.grid]
    columns = [t.allowed(rmse[:, g : g + 1], deviation) for g, t in enumerate(tolerances)]
    apart = np.concatenate(columns, axis=1)
    if name != "r2":
        return apart
    variance = np.where(deviation > 0, deviation**2, np.inf)
    rounding: Array = np.where(apart > 0, 1e-15, 0.0)
    return (2.0 * rmse * apart + apart**2) / variance + rounding


def _largest(name: str, left: Answer, right: Answer) -> Difference:
    ours, theirs = left.metrics[name], right.metrics[name]
    apart, allowed = _apart(ours, theirs), _allowed(name, left, right)
    shares = _share(apart, allowed)
    fold, index = np.unravel_index(np.argmax(shares), shares.shape)
    point = left.grid[index]
    where = (
        f"fold {fold}, reg_param={point.reg_param:g}, elastic_net_param={point.elastic_net_param:g}"
    )
    relative = largest_relative_difference(ours, theirs)
    return Difference(name, where, float(apart.max()), relative, float(shares.max()))


def _models(left: Answer, right: Answer, rows: "pd.DataFrame") -> Iterator[Difference]:
    """Predictions of the refitted models on `rows`, then their standardised coefficients."""
    deviation = float(left.target_deviation.mean()) or 1.0
    allowed = tolerance(left, right, left.best)
    ours, theirs = (predict(answer.model, rows) for answer in (left, right))
    apart = float(np.sqrt(np.mean((ours - theirs) ** 2)))
    room = allowed.allowed(np.asarray(deviation), np.asarray(deviation))
    share = float(_share(np.asarray(apart), room))
    where = f"{len(rows)} rows, root mean square in units of the target's deviation"
    yield Difference("prediction", where, apart, apart / deviation, share)
    columns = {n: feature(left.model, rows[n], n) for n in left.model.coefficients}
    deviations = np.array([values.std() for values in columns.values()])
    lengths = (np.array([*a.model.coefficients.values()]) for a in (left, right))
    slopes = [length * deviations for length in lengths]
    each = np.abs(slopes[0] - slopes[1])
    smallest = _smallest_singular_value(np.array([*columns.values()]), deviations)
    # Of collinear columns only the sum is determined: the predictions above are the judge.
    shares = _share(each, room / smallest) if smallest else np.zeros_like(each)
    worst = int(np.argmax(shares if smallest else each)) if len(each) else 0
    where = f"{[*columns][worst]}, standardised" + ("" if smallest else " (collinear: not judged)")
    largest = float(each.max(initial=0.0))
    yield Difference(
        "coefficient", where, largest, largest / deviation, float(shares.max(initial=0.0))
    )


def _smallest_singular_value(columns: Array, deviations: Array) -> float:
    """Of the standardised columns (features, rows) that are not constant; 0 if collinear."""
    moving = deviations > 0
    if not moving.any():
        return 1.0
    centred = columns[moving] - columns[moving].mean(axis=1, keepdims=True)
    z = centred / (deviations[moving, None] * np.sqrt(columns.shape[1]))
    smallest = float(np.sqrt(max(np.linalg.eigvalsh(z @ z.T)[0], 0.0)))
    return smallest if smallest > _SINGULAR else 0.0


def _apart(left: Array, right: Array) -> Array:
    """|left - right|; 0 where both are NaN, infinite where one is."""
    both = np.isnan(left) & np.isnan(right)
    return np.where(both, 0.0, np.nan_to_num(np.abs(left - right), nan=np.inf))


def _share(apart: Array, allowed: Array) -> Array:
    """apart / allowed; where nothing is allowed 0 or infinite."""
    exact = np.where(apart > 0, np.inf, 0.0)
    return np.where(allowed > 0, apart / np.where(allowed > 0, allowed, 1.0), exact)


def _name(answer: Answer, other: Answer) -> str:
    return (
        f"{answer.engine} (turn {answer.turn})" if answer.engine == other.engine else answer.engine
    )
