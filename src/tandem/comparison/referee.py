"""What an engine's own models are worth, by the sums of all rows: no other engine is asked.

Whatever the solver, every figure that an engine reports must follow from the models that it
reports; every model must be as near to the minimum of the objective as its solver promises; the
cleaning that goes with it, its constant and the choice of the penalty must be what they say.
"""

from collections.abc import Collection, Iterator

import numpy as np

from tandem.answers import Answer
from tandem.categories import by_level
from tandem.comparison.figures import Difference, largest, single
from tandem.comparison.implied import implied_l1
from tandem.comparison.minimum import deviations, distance, duality_gap, left_over
from tandem.comparison.prepared import prepared
from tandem.comparison.tolerances import ROUNDING, left, reach
from tandem.model_keys import GridPoint
from tandem.records import Array, Task
from tandem.registry import solved
from tandem.results import OTHERS, LinearModel
from tandem.scores import winner
from tandem.solver import LOST, Normal, Penalty, RowErrors, Standard, errors, penalty

# Of the numbers that cancel in a prediction: what float64 loses on the way to a sum of errors.
_CANCELLED = 1e-13
# What a library's closed form loses that sums numbers as they are, far from 0; in an RMSE it is
# squared. Seen on flights: 1.4e-9, Spark ML.
_AS_THEY_ARE = 1e-6
_EPSILON = float(np.finfo(np.float64).eps)


class Referee:
    """The sums of every training set and of what it holds out; and the minimum at every point.

    `chosen`: the grid points whose models of all rows are judged; None: any.
    """

    def __init__(self, task: Task, chosen: Collection[GridPoint] | None = None) -> None:
        points = task.grid if chosen is None else chosen
        with prepared(task) as (engine, plan, _):
            found = engine.cross_validate()
            self._minimum, self._designs, self._grid = found.slopes, found.designs, task.grid
            splits = [*engine.folding.splits()]
            self._held_out = [split.test for split in splits]
            self._spread = [deviations(split.train) for split in splits]
            self._row_errors = engine.row_errors()
            self._known: dict[tuple[int, bool], tuple[Array, list[RowErrors]]] = {}
            self._standards = [Standard.of(split.train) for split in splits]
            self._whole = engine.folding.whole()
            self._on_all = Standard.of(self._whole.train)
            self._models = {point: engine.refit(point) for point in points}
            columns = zip((c.name for c in plan.used), self._whole.spans, strict=True)
            self._spans = dict(columns)
            self._one_hot = [column.name for column in plan.one_hot]
            self._most = task.cleaning.max_levels
        self.choose, self.repeats = task.choose, task.folds.repeats
        self._in_logs = task.dataset.in_logs

    def own(self) -> Iterator[Difference]:
        """The minimum itself: what is left of the conditions of Karush, Kuhn and Tucker."""
        found = np.empty(self._minimum.shape[:2])
        for fold, standard in enumerate(self._standards):
            for index, point in enumerate(self._grid):
                weights = self._minimum[fold, index, standard.varies] * standard.scale
                found[fold, index] = left_over(
                    standard, weights, penalty(point, standard.target_deviation)
                )
        exact = np.zeros_like(found)
        yield largest("minimum", found, exact, np.full_like(found, ROUNDING), self._grid)

    def own_errors(self, slopes: Array, *, last: bool = False) -> Array:
        """RMSE of models on what they hold out, shape (folds, points), by `slopes`, shape (folds,
        points, p); by the rows where a sum has next to nothing left. `last`: models of all rows.
        """
        if self._in_logs:
            return self._in_unit(slopes, last=last)[0]
        tests = self._tests(last=last)
        found = [errors(test, b) for test, b in zip(tests, slopes, strict=True)]
        sse, shares = (np.array(part) for part in zip(*found, strict=True))
        if np.any(lost := shares < LOST):
            sse = np.where(lost, [one.squared for one in self._by_row(slopes, last=last)], sse)
        return np.asarray(np.sqrt(sse / np.array([[test.rows] for test in tests])))

    def _tests(self, *, last: bool) -> list[Normal]:
        return [test for test in ([self._whole.test] if last else self._held_out) if test]

    def _in_unit(self, slopes: Array, *, last: bool = False) -> tuple[Array, Array]:
        """RMSE as `own_errors`, of models of logarithms, by the rows; root mean squares of the
        target, shape (folds, 1). `last`: of models of all rows, on the hold-out.
        """
        found = self._by_row(slopes, last=last)
        rows = [test.rows for test in self._tests(last=last)]
        rmse = np.array([np.sqrt(e.squared / n) for e, n in zip(found, rows, strict=True)])
        size = np.array([[np.sqrt(e.squares / n)] for e, n in zip(found, rows, strict=True)])
        return rmse, size

    def _by_row(self, slopes: Array, *, last: bool = False) -> list[RowErrors]:
        """Errors of models on held-out rows, by one scan, once for the same `slopes`."""
        if known := self._known.get((id(slopes), last)):
            return known[1]
        found: list[RowErrors] = self._row_errors(slopes, last=last)
        self._known[id(slopes), last] = slopes, found  # with the array, so that its id stays
        return found

    def unique(self, fold: int) -> bool:
        """Whether no feature of the training set without `fold` follows from others.

        Of the 0/1 features of a category, one always does.
        """
        return bool(self._designs[fold].missing == 0 and not self._one_hot)

    def apart(self, one: Array, other: Array) -> Array:
        """How far predictions on held-out rows are apart: the root mean square of the difference.

        `one`, `other`: slopes of every training set, shape (folds, points, features); the answer
        has shape (folds, points), in units of the target.
        """
        if self._in_logs:  # what their own models explain, each of which is judged
            return np.abs(self.own_errors(one) - self.own_errors(other))
        found = []
        for test, step in zip(self._held_out, one - other, strict=True):
            gram = test.gram.hi[:-1, :-1]
            found.append(np.sum(step @ gram * step, axis=1) / test.rows)
        distance: Array = np.sqrt(np.maximum(np.array(found), 0.0))
        return distance

    def rounding(self, answer: Answer, slopes: Array) -> Array:
        """What rounding may move an RMSE by, shape (folds, points)."""
        moved = [np.abs(b) @ s[:-1] for b, s in zip(slopes, self._spread, strict=True)]
        cancels = np.array(moved) + answer.target_deviation[:, None]
        rmse = answer.metrics["rmse"]
        if self._in_logs:  # a logarithm that is off takes its share of the prediction
            cancels = (np.array(moved) + 1.0) * (rmse + self._in_unit(slopes)[1])
        return np.asarray(ROUNDING * rmse + _CANCELLED * cancels)

    def faults(self, answer: Answer) -> Iterator[Difference]:
        """Every figure of `answer` against what it follows from."""
        if sum(answer.features) != self._minimum.shape[-1]:
            yield single("number of features", "all columns", 1.0, 0.0, 0.0)
            return
        if answer.slopes is not None:
            yield self._own_errors(answer, answer.slopes)
            yield from self._own_others(answer, answer.slopes)
            yield self._from_minimum(answer, answer.slopes)
            if answer.gaps is not None:
                yield self._told_gaps(answer, answer.slopes, answer.gaps)
            else:
                yield from self._implied(answer, answer.slopes)
        yield self._r2(answer)
        best = answer.grid[winner(answer.metrics["rmse"], answer.grid, self.choose, self.repeats)]
        yield single("choice", f"{best}", float(best != answer.best), 0.0, 0.0)
        yield from self._model(answer)

    def _own_errors(self, answer: Answer, slopes: Array) -> Difference:
        own = self.own_errors(slopes)
        room = self.rounding(answer, slopes)
        return largest("RMSE of its own models", answer.metrics["rmse"], own, room, answer.grid)

    def _own_others(self, answer: Answer, slopes: Array) -> Iterator[Difference]:
        """MAE and MAPE, where they are told."""
        for place, name in enumerate(("mae", "mape")):
            if name in answer.metrics:
                pairs = zip(self._by_row(slopes), self._held_out, strict=True)
                own = np.array([found.absolute[place] / test.rows for found, test in pairs])
                room = self.rounding(answer, slopes)
                room = room * reach(name, answer.test_rows, answer.inverse_squares)
                what = f"{OTHERS[name]} of its own models"
                yield largest(what, answer.metrics[name], own, room, answer.grid)

    def _r2(self, answer: Answer) -> Difference:
        """1 - MSE / variance of the target; none where it is constant."""
        deviation = np.where(answer.target_deviation > 0, answer.target_deviation, np.nan)
        share = (answer.metrics["rmse"] / deviation[:, None]) ** 2
        room = ROUNDING * (1.0 + np.nan_to_num(share))
        return largest("R2 of its RMSE", answer.metrics["r2"], 1.0 - share, room, answer.grid)

    def _from_minimum(self, answer: Answer, slopes: Array) -> Difference:
        """Root mean square, over training rows, of predictions less those at the minimum."""
        found, allowed = np.empty((2, len(slopes), len(answer.grid)))
        for fold, standard in enumerate(self._standards):
            points = [penalty(point, standard.target_deviation) for point in answer.grid]
            found[fold] = distance(standard, slopes[fold], self._minimum[fold])
            allowed[fold] = _promised(answer, standard, points, unique=self.unique(fold))
        at_minimum = np.zeros_like(found)
        return largest("distance from the minimum", found, at_minimum, allowed, answer.grid)

    def _implied(self, answer: Answer, slopes: Array) -> Iterator[Difference]:
        """The l1 penalty that gradients imply, where iterations stop and no gap tells how far off.

        Of training sets where no feature follows from others: the others' solver may stall.
        """
        folds = [fold for fold in range(len(slopes)) if self.unique(fold)]
        standards = [self._standards[fold] for fold in folds]
        for index, point in enumerate(answer.grid):
            stops = left(answer, point)
            found = implied_l1(standards, slopes[folds, index], point, stops) if stops else None
            if found is not None:
                yield single(
                    "l1 penalty by its gradients", f"{point}", found.share, 1.0, found.room
                )

    def _told_gaps(self, answer: Answer, slopes: Array, gaps: Array) -> Difference:
        own, rounding = gaps.copy(), np.zeros_like(gaps)
        for fold, standard in enumerate(self._standards):
            pulls, gram = np.abs(standard.xy.hi), np.abs(standard.xx.hi)
            for index, point in enumerate(answer.grid):
                if not np.isnan(own[fold, index]):
                    weights = slopes[fold, index, standard.varies] * standard.scale
                    asked = penalty(point, standard.target_deviation)
                    own[fold, index] = duality_gap(standard, weights, asked)
                    # The dual point is scaled by l1 over what is left of far larger numbers.
                    cancels = np.max(pulls + gram @ np.abs(weights), initial=0.0)
                    rounding[fold, index] = _EPSILON * cancels / asked.l1
        allowed = np.maximum(rounding, ROUNDING) + ROUNDING * gaps
        return largest("duality gap that it tells", gaps, own, allowed, answer.grid)

    def _model(self, answer: Answer) -> Iterator[Difference]:
        model, ours, split = answer.model, self._models[answer.best], self._whole
        standard, deviation = self._on_all, self._on_all.target_deviation
        where = "the model of all rows"
        same = model.levels == ours.levels and model.means.keys() == ours.means.keys()
        same = same and model.encodings.keys() == ours.encodings.keys()
        yield single("levels", where, float(not same), 0.0, 0.0)
        if not same:
            return
        slopes, best = self._slopes(model), self._slopes(ours)
        centre = split.centre.rounded()
        cancels = abs(centre[-1]) + float(np.sum(np.abs(slopes * centre[:-1])))
        constant = float((split.centre[-1] - (split.centre[:-1] * slopes).sum(axis=0)).rounded())
        allowed = ROUNDING * deviation + _CANCELLED * cancels
        yield single("intercept", where, model.intercept, constant, allowed)
        far = distance(standard, slopes[None, :], best[None, :])[0]
        if split.test:
            if self._in_logs:
                rmse, size = self._in_unit(slopes[None, None, :], last=True)
                own, allowed = float(rmse[0, 0]), allowed * float(rmse[0, 0] + size[0, 0])
            else:
                own = float(self.own_errors(slopes[None, None, :], last=True)[0, 0])
            told = np.nan if answer.held_out is None else answer.held_out
            yield single("RMSE on the hold-out", where, told, own, ROUNDING * own + allowed)
        room = self.promised(answer)
        yield single("distance of the model from the minimum", where, far, 0.0, room)
        spread = deviations(split.train)
        for name in self._one_hot:
            own = slopes[self._spans[name]]
            values = by_level(own, len(model.levels[name]), self._most)
            same = np.array_equal(model.encodings[name], values)
            yield single(f"features of {name}", where, float(not same), 0.0, 0.0)
        for name in ours.encodings:
            if name in self._one_hot:
                continue
            found, right = np.array(model.encodings[name]), np.array(ours.encodings[name])
            worst = int(np.argmax(np.abs(found - right)))
            room = ROUNDING * deviation + _CANCELLED * abs(centre[-1])
            what = f"mean target of level {worst} of {name}"
            yield single(what, where, float(found[worst]), float(right[worst]), room)
        for name, mean in ours.means.items():
            room = ROUNDING * spread[self._spans[name].start] + _CANCELLED * abs(mean)
            yield single(f"mean of {name}", where, model.means[name], mean, room)

    def promised(self, answer: Answer) -> float:
        """How far its model may be from the minimum, in deviations of the target."""
        point = penalty(answer.best, self._on_all.target_deviation)
        unique = all(map(self.unique, range(len(self._designs))))
        return float(_promised(answer, self._on_all, [point], answer.best, unique=unique)[0])

    def _slopes(self, model: LinearModel) -> Array:
        """Of every feature, shape (p,)."""
        found = np.empty([*self._spans.values()][-1].stop)
        for name, span in self._spans.items():
            own = model.encodings[name][: span.stop - span.start] if name in self._one_hot else 1.0
            found[span] = np.array(own) * model.coefficients[name]
        return found


def _promised(
    answer: Answer,
    standard: Standard,
    points: list[Penalty],
    at: GridPoint | None = None,
    *,
    unique: bool,
) -> Array:
    """How far the solver may be from the minimum, in deviations of the target, shape (points,).

    What it stops at; and, where it takes no care of it, what the condition of the system costs.
    """
    grid = answer.grid if at is None else (at,)
    stops = np.array([left(answer, point, unique=unique) for point in grid])
    if solved(answer.engine):
        return stops + ROUNDING
    values = np.linalg.eigvalsh(standard.xx.hi)
    lost = []
    for point in points:
        kept = values[values + point.l2 > len(values) * _EPSILON * values[-1:]] + point.l2
        lost.append(_EPSILON * float(kept[-1] / kept[0]) if len(kept) else 0.0)
    return stops + _AS_THEY_ARE + 10.0 * np.array(lost)
