"""Do the engines agree? Every metric, fold, grid point and coefficient against a stated tolerance.

Two answers may differ by what their models differ by, which the sums of all rows tell exactly; that
every answer follows from its models, and these from the objective, is checked of each by itself
(referee.py). Where an engine does not tell its models, they may differ by what the tolerances of
the iterations allow.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from tandem.answers import Answer
from tandem.comparison.figures import (
    Difference,
    apart,
    largest,
    near,
    share,
    smallest_singular_value,
)
from tandem.comparison.referee import Referee
from tandem.comparison.tolerances import ROUNDING, allowed_of, in_units, stated, tolerance
from tandem.model import feature, predict
from tandem.model_keys import Choose
from tandem.records import Array
from tandem.results import OTHERS
from tandem.scores import relative_difference

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers: what must be the same and is not, and the largest difference of every figure.

    `not_unique`: they differ by more than solvers leave, because features follow from one another
    in a training set: several models are the minimum there, and held-out rows tell them apart.
    """

    left: str
    right: str
    tolerance: str
    differing: tuple[str, ...]
    largest: tuple[Difference, ...]
    not_unique: bool = False

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
        """`pass`, `not unique` or `fail`."""
        return _verdict(passed=self.passed, not_unique=self.not_unique)

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
    """The verdict over all answers, each by itself and every two of them.

    `alone`: by what an answer is called, its figures against what they follow from.
    """

    pairs: tuple[Pair, ...]
    alone: Mapping[str, tuple[Difference, ...]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every answer and every pair passed."""
        return not self.wrong and all(pair.passed for pair in self.pairs)

    @property
    def not_unique(self) -> bool:
        """Whether a pair is not unique."""
        return any(pair.not_unique for pair in self.pairs)

    @property
    def parity(self) -> str:
        """`pass`, `not unique` or `fail`."""
        return _verdict(passed=self.passed, not_unique=self.not_unique)

    @property
    def wrong(self) -> tuple[str, ...]:
        """A line for every figure of an answer that does not follow."""
        return tuple(
            f"{name}: {d.what} is off {d.share:.3g} times as much as allowed, at {d.where}"
            for name, differences in self.alone.items()
            for d in differences
            if not d.share <= 1.0
        )

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
        """A line for every answer that is wrong, then for every pair that failed, worst first."""
        failed = [pair for pair in self.pairs if not pair.passed]
        failed.sort(key=lambda pair: -np.inf if pair.differing else -pair.worst.share)
        return (*self.wrong, *(pair.fault for pair in failed))

    def as_dict(self) -> dict[str, object]:
        """For JSON: the verdict, then every pair."""
        pairs = [asdict(pair) | {"parity": pair.parity} for pair in self.pairs]
        alone = {name: [asdict(d) for d in found] for name, found in self.alone.items()}
        return {"parity": self.parity, "faults": [*self.faults], "alone": alone, "pairs": pairs}


def certify(
    answers: Sequence[Answer],
    rows: "pd.DataFrame",
    referee: Referee | None = None,
    checked: Iterable[Difference] = (),
) -> Certificate:
    """Judge every answer; compare the first of every engine with each other, later ones with it.

    `rows`: raw rows of the dataset, on which the models of the winning grid point predict;
    `referee`: of the task; None: answers are only compared; `checked`: of `spot_check`.
    """
    first = {answer.engine: answer for answer in reversed(answers)}
    pairs = [*combinations([a for a in answers if first[a.engine] is a], 2)]
    pairs += [(first[a.engine], a) for a in answers if first[a.engine] is not a]
    found = tuple(_pair(*pair, rows, referee) for pair in pairs)
    if referee is None:
        return Certificate(found)
    names = [a.engine if first[a.engine] is a else f"{a.engine} (turn {a.turn})" for a in answers]
    alone = {
        name: tuple(referee.faults(answer)) for name, answer in zip(names, answers, strict=True)
    }
    alone["the sums"] = tuple(referee.own())
    alone["scan, against the oracle"] = tuple(checked)
    return Certificate(found, alone)


def _verdict(*, passed: bool, not_unique: bool) -> str:
    if not passed:
        return "fail"
    return "not unique" if not_unique else "pass"


def differences(left: Answer, right: Answer) -> "pd.DataFrame":
    """Every fold and grid point: both values, |difference|, relative, allowed, for every metric."""
    parts = []
    for name in left.metrics:
        ours, theirs = left.metrics[name], right.metrics[name]
        allowed = allowed_of(name, left, right)
        difference, relative = apart(ours, theirs), relative_difference(ours, theirs)
        for fold, index in np.ndindex(*ours.shape):
            point, at = left.grid[index], (fold, index)
            parts.append(
                {"left": _name(left, right), "right": _name(right, left), "metric": name}
                | {"fold": fold, **asdict(point), "value_left": ours[at], "value_right": theirs[at]}
                | {"absolute": difference[at], "relative": relative[at]}
                | {"allowed": allowed[at]}
            )
    import pandas as pd  # noqa: PLC0415 - slow

    return pd.DataFrame(parts)


def _pair(left: Answer, right: Answer, rows: "pd.DataFrame", referee: Referee | None) -> Pair:
    same = {
        "rows and cleaning": left.cleaning == right.cleaning,
        "grid": left.grid == right.grid,
        "features": left.features == right.features,
        "folds": near(left.test_rows, right.test_rows, ROUNDING)
        and near(left.target_deviation, right.target_deviation, ROUNDING),
        "metrics": left.metrics.keys() == right.metrics.keys(),
    }
    differing = [what for what, holds in same.items() if not holds]
    found: list[Difference] = []
    not_unique = False
    if not differing:
        room = _explained(left, right, referee) if referee else None
        for name, ours in _compared(left, right):
            theirs, allowed = right.metrics[name], allowed_of(name, left, right)
            if referee and room is not None:
                beyond = (share(apart(ours, theirs), allowed) > 1).any(axis=1)
                not_unique |= any(not referee.unique(f) for f in np.flatnonzero(beyond).tolist())
                told = in_units(name, room, left, right)
                if left.model.log_target and name in OTHERS:  # of RMSEs alone it is told
                    told = np.maximum(told, allowed)
                # Nothing, where the engines promise the same bits.
                allowed = np.where(allowed > 0, told, 0.0)
            found.append(largest(name, ours, theirs, allowed, left.grid))
        if left.best == right.best:
            found += _models(left, right, rows, referee)
        elif not _near_winners(left, right, referee):
            differing.append("winning grid point")
    names = _name(left, right), _name(right, left)
    return Pair(*names, stated(left, right), tuple(differing), tuple(found), not_unique)


def _compared(left: Answer, right: Answer) -> Iterator[tuple[str, Array]]:
    """The metrics of `left` that `right` has of the same grid points: a median is of the best."""
    for name, values in left.metrics.items():
        if name != "median_ae" or left.best == right.best:
            yield name, values


def _near_winners(left: Answer, right: Answer, referee: Referee | None) -> bool:
    """Whether both winners are equally good as far as their models, or the tolerance, tell.

    By one standard error: whether each answer has the mean at the limit for one of them.
    """
    indices = [left.grid.index(left.best), left.grid.index(right.best)]
    room = _explained(left, right, referee) if referee else None
    room = allowed_of("rmse", left, right) if room is None else room
    if referee and referee.choose is Choose.ONE_STANDARD_ERROR:
        return all(x.at_limit(indices, 2.0 * room.max(), referee.repeats) for x in (left, right))
    allowed = room[:, indices].mean(axis=0).sum()
    means = [answer.metrics["rmse"][:, indices].mean(axis=0) for answer in (left, right)]
    return all(abs(mean[0] - mean[1]) <= allowed for mean in means)


def _explained(left: Answer, right: Answer, referee: Referee) -> Array | None:
    """By what the models explain that an RMSE differs, shape (folds, points); None: not known."""
    if left.slopes is None or right.slopes is None:
        return None
    rounding = [referee.rounding(left, left.slopes), referee.rounding(right, right.slopes)]
    return referee.apart(left.slopes, right.slopes) + np.maximum(*rounding)


def _models(
    left: Answer, right: Answer, rows: "pd.DataFrame", referee: Referee | None
) -> Iterator[Difference]:
    """Predictions of the refitted models on `rows`, then their standardised coefficients."""
    deviation = float(left.target_deviation.mean()) or 1.0
    promised = referee.promised(left) + referee.promised(right) if referee else 0.0
    allowed = tolerance(left, right, left.best).widened(promised)
    ours, theirs = (predict(answer.model, rows) for answer in (left, right))
    if left.model.log_target:  # logarithms, and what their deviation about is
        deviation = float(np.sqrt(np.log1p((deviation / ours.mean()) ** 2)))
        ours, theirs = np.log(ours), np.log(theirs)
    far = float(np.sqrt(np.mean((ours - theirs) ** 2)))
    room = allowed.allowed(np.asarray(deviation), np.asarray(deviation))
    where = f"{len(rows)} rows, root mean square in units of the target's deviation"
    yield Difference("prediction", where, far, far / deviation, float(share(np.asarray(far), room)))
    columns = {n: feature(left.model, rows[n], n) for n in left.model.coefficients}
    deviations = np.array([values.std() for values in columns.values()])
    one, other = (np.array([*a.model.coefficients.values()]) for a in (left, right))
    each = np.abs(one - other) * deviations
    smallest = smallest_singular_value(np.array([*columns.values()]), deviations)
    # Of collinear columns only the sum is determined: the predictions above are the judge.
    shares = share(each, room / smallest) if smallest else np.zeros_like(each)
    worst = int(np.argmax(shares if smallest else each)) if len(each) else 0
    where = f"{[*columns][worst]}, standardised" + ("" if smallest else " (collinear: not judged)")
    largest = float(each.max(initial=0.0))
    yield Difference(
        "coefficient", where, largest, largest / deviation, float(shares.max(initial=0.0))
    )


def _name(answer: Answer, other: Answer) -> str:
    return (
        f"{answer.engine} (turn {answer.turn})" if answer.engine == other.engine else answer.engine
    )
