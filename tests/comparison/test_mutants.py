"""Wrong engines, each in one way: a comparison with a right one must not pass.

Every mutant is of `scan`, beside a right `sequential`, on a table with gaps and categories, for a
ridge, a mixed and a lasso grid. Those of code that both share die by the oracle. What became of
each is recorded as the property `verdict`: experiments/accuracy makes a table of it.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

from tandem import scores
from tandem.answers import Answer
from tandem.comparison import Referee, certify, spot_check
from tandem.dataset import as_pandas, sample
from tandem.folds import Assignment
from tandem.model_keys import GridPoint
from tandem.moments import Indices, category_indices
from tandem.records import Task
from tandem.results import LinearModel
from tandem.settings import FitOn
from tandem.solver import objective, solve
from tandem.solver.objective import Penalty
from tandem.tracking import read_answer, write_record
from tandem.tracking.record import describe
from tests.tasks import drive, make_task, synthetic

GRIDS = {
    "ridge": "[0]",
    "mixed": "[0,0.5,1]",
    "lasso": "[1]",
}
Change = Callable[[Answer], Answer]
Patched = Callable[[], Any]
Record = Callable[[str, object], None]


def answer_of(engine: str, task: Task, place: Path) -> Answer:
    """As a comparison reads it."""
    place.mkdir(parents=True, exist_ok=True)
    result = drive(engine, task)
    write_record(place, result, describe(result, {"model.tol": "null"}, "0"), "")
    return read_answer(engine, 1, place)


class Case:
    """One grid: a right answer of each of two engines, and the judges."""

    def __init__(self, place: Path, ratios: str, *cleaning: str) -> None:
        self.place = place
        data = place / "data"
        synthetic(data, rows=900, seed=1, files=3)
        words = ("dataset=files", "dataset.target=y", f"dataset.path={data}", "folds.k=4")
        grid = ("model.reg_param=[0.1,0.01,0.001]", f"model.elastic_net_param={ratios}")
        self.task = replace(make_task(*words, *grid, *cleaning), cache_moments=False)
        self.scan = answer_of("scan", self.task, place / "scan")
        self.sequential = answer_of("sequential", self.task, place / "sequential")
        self.rows: pd.DataFrame = as_pandas(
            sample(self.task.dataset, ["y", *self.scan.model.coefficients])
        )
        self.referee = Referee(self.task)

    def passes(self, scan: Answer, other: Answer | None = None) -> bool:
        return certify([scan, other or self.sequential], self.rows, self.referee).passed

    def stands(self, answer: Answer) -> bool:
        """By itself."""
        return certify([answer], self.rows, self.referee).passed


@pytest.fixture(scope="module", params=GRIDS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(tmp_path_factory.mktemp(request.param), GRIDS[request.param])


def test_the_right_ones_pass(case: Case) -> None:
    found = certify([case.scan, case.sequential], case.rows, case.referee, spot_check(case.task))
    assert found.passed, found.faults
    assert found.parity == "pass"


def models(change: Callable[[LinearModel], dict[str, Any]]) -> Change:
    return lambda answer: replace(answer, model=replace(answer.model, **change(answer.model)))


def weakest(model: LinearModel) -> dict[str, Any]:
    name = min(
        (n for n, b in model.coefficients.items() if b), key=lambda n: abs(model.coefficients[n])
    )
    return {"coefficients": {**model.coefficients, name: -model.coefficients[name]}}


def first_mean(factor: float) -> Callable[[LinearModel], dict[str, Any]]:
    def change(model: LinearModel) -> dict[str, Any]:
        name = next(name for name, mean in model.means.items() if mean)
        return {"means": {**model.means, name: model.means[name] * factor}}

    return change


def swapped(model: LinearModel) -> dict[str, Any]:
    name, levels = next((n, x) for n, x in model.levels.items() if len(x) > 1)
    return {"levels": {**model.levels, name: (levels[1], levels[0], *levels[2:])}}


def without_last(model: LinearModel) -> dict[str, Any]:
    name, levels = next((n, x) for n, x in model.levels.items() if len(x) > 1)
    return {"levels": {**model.levels, name: levels[:-1]}}


def one(name: str, factor: float) -> Change:
    """One figure of one fold and grid point."""

    def change(answer: Answer) -> Answer:
        values = answer.metrics[name].copy()
        values[1, -1] *= factor
        return replace(answer, metrics={**answer.metrics, name: values})

    return change


def every(name: str, change: Callable[[Any], Any]) -> Change:
    return lambda answer: replace(
        answer, metrics={**answer.metrics, name: change(answer.metrics[name])}
    )


def choosing(which: int) -> Change:
    """The grid point at a place of the ranking, its model refitted."""

    def change(answer: Answer) -> Answer:
        order = np.argsort(answer.metrics["rmse"].mean(axis=0))
        return replace(answer, best=answer.grid[int(order[which])])

    return change


def of_a_fold(answer: Answer) -> Answer:
    """The last model is that of the first training set."""
    assert answer.best_slopes is not None
    names = answer.model.coefficients
    found = dict(zip(names, answer.best_slopes[0].tolist(), strict=True))
    return replace(answer, model=replace(answer.model, coefficients=found))


def mean_of_folds(answer: Answer) -> Answer:
    assert answer.best_slopes is not None
    mean = answer.best_slopes.mean(axis=0).tolist()
    found = dict(zip(answer.model.coefficients, mean, strict=True))
    return replace(answer, model=replace(answer.model, coefficients=found))


EDITS: dict[str, Change] = {
    "sign of a weak coefficient": models(weakest),
    "intercept + 0.03": models(lambda m: {"intercept": m.intercept + 0.03}),
    "intercept + 1e-6": models(lambda m: {"intercept": m.intercept + 1e-6}),
    "a wrong mean in the model": models(first_mean(1.01)),
    "a mean in the model off by 1e-7": models(first_mean(1 + 1e-7)),
    "two levels exchanged": models(swapped),
    "a level forgotten": models(without_last),
    "the worst grid point": choosing(-1),
    "the second best": choosing(1),
    "the model of a fold": of_a_fold,
    "the mean of the models of the folds": mean_of_folds,
    "one RMSE off by 1e-7": one("rmse", 1 + 1e-7),
    "one R2 off by 1e-6": one("r2", 1 + 1e-6),
    "RMSE by n - 1": every("rmse", lambda x: x * 1.003),
    "RMSE of six digits": every("rmse", lambda x: np.round(x, 4)),
    "the folds in another order": every("rmse", lambda x: x[::-1]),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_wrong_figure_does_not_pass(case: Case, name: str, record_property: Record) -> None:
    passes = case.passes(EDITS[name](case.scan))
    record_property("verdict", "lives" if passes else "dies")
    assert not passes


def points(change: Callable[[Penalty], Penalty]) -> Patched:
    original = objective.penalty

    def changed(point: GridPoint, deviation: float) -> Penalty:
        return change(original(point, deviation))

    return lambda: patch("tandem.solver.fits.penalty", changed)


def on_all() -> Any:
    original = category_indices.fit_indices
    return patch(
        "tandem.solver.training_sets.fit_indices",
        lambda moments, *, training: _of_all_rows(original(moments, training=training)),
    )


def _of_all_rows(found: tuple[Indices, ...]) -> tuple[Indices, ...]:
    """Those of all rows for every training set."""
    return tuple(
        Indices(
            np.repeat(i.ranks[:, -1:], i.ranks.shape[1], axis=1),
            np.repeat(i.seen[-1:], len(i.seen)),
        )
        for i in found
    )


def ranks(change: Callable[[Any, Any], Any]) -> Patched:
    original = category_indices.fit_indices

    def changed(moments: Any, *, training: Any) -> tuple[Indices, ...]:
        found = original(moments, training=training)
        return tuple(replace(i, ranks=change(i.ranks, i.seen).astype(np.int32)) for i in found)

    return lambda: patch("tandem.solver.training_sets.fit_indices", changed)


def thresholded() -> Any:
    original = solve.ActiveSet.run

    def run(self: Any, start: Any) -> Any:
        found = original(self, start)
        return np.where(np.abs(found) < 1e-2 * np.abs(found).max(initial=0.0), 0.0, found)

    return patch.object(solve.ActiveSet, "run", run)


def other_folds() -> Any:
    original = Assignment.of
    return patch.object(
        Assignment,
        "of",
        lambda self, first, rows, cells=None: original(
            replace(self, folds=replace(self.folds, seed=1)), first, rows, cells
        ),
    )


ENGINES: dict[str, Patched] = {
    "l1 penalty x 1.5": points(lambda p: Penalty(p.l1 * 1.5, p.l2)),
    "l1 penalty x 1.001": points(lambda p: Penalty(p.l1 * 1.001, p.l2)),
    "l2 penalty x 1.5": points(lambda p: Penalty(p.l1, p.l2 * 1.5)),
    "l2 penalty x 1.001": points(lambda p: Penalty(p.l1, p.l2 * 1.001)),
    "no penalty": points(lambda _: Penalty(0.0, 0.0)),
    "leaking indices": on_all,
    "unseen levels as the first": ranks(lambda r, seen: np.where(r >= seen, 0, r)),
    "indices by ascending count": ranks(lambda r, seen: np.where(r < seen, seen - 1 - r, r)),
    "weak weights dropped": thresholded,
    "rows in other folds": other_folds,
}
# What changes nothing: its penalty is not there.
SAME = {
    ("ridge", "l1 penalty x 1.5"),
    ("ridge", "l1 penalty x 1.001"),
    ("ridge", "weak weights dropped"),
    ("lasso", "l2 penalty x 1.5"),
    ("lasso", "l2 penalty x 1.001"),
}


@pytest.mark.parametrize("name", ENGINES)
def test_a_wrong_engine_does_not_pass(
    case: Case, name: str, request: pytest.FixtureRequest, record_property: Record
) -> None:
    with ENGINES[name]():
        mutant = answer_of("scan", case.task, case.place / name)
    grid = next(grid for grid, ratios in GRIDS.items() if f"[{grid}" in request.node.name)
    passes, same = case.passes(mutant), (grid, name) in SAME
    told = "changes nothing" if same else "lives"
    record_property("verdict", told if passes else "dies")
    assert passes is same


def test_wrong_mean_targets_do_not_pass(tmp_path: Path) -> None:
    """Other smoothing; of all rows; off in the model."""
    case = Case(tmp_path, GRIDS["ridge"], "cleaning.encoding=target")
    test_the_right_ones_pass(case)
    for number, change in enumerate(({"smoothing": 11.0}, {"fit_on": FitOn.ALL})):
        wrong = replace(case.task, cleaning=replace(case.task.cleaning, **change))
        for engine in ("scan", "sequential"):
            mutant = answer_of(engine, wrong, tmp_path / f"{engine}-{number}")
            assert not case.stands(mutant)
    right = case.scan.model
    moved = {n: (v[0] * (1 + 1e-6), *v[1:]) for n, v in right.encodings.items()}
    assert not case.stands(models(lambda _: {"encodings": moved})(case.scan))


def test_a_leaking_protocol_does_not_pass(case: Case) -> None:
    """Means and indices of all rows."""
    leaking = replace(case.task, cleaning=replace(case.task.cleaning, fit_on=FitOn.ALL))
    for engine in ("scan", "sequential"):
        mutant = answer_of(engine, leaking, case.place / f"leaking-{engine}")
        others = {"scan": (mutant, None), "sequential": (case.scan, mutant)}
        assert not case.passes(*others[engine])


SHARED: dict[str, Patched] = {
    "the penalty of every engine": points(lambda p: Penalty(p.l1 * 1.1, p.l2 * 1.1)),
    "the folds of every engine": other_folds,
    "the judge": lambda: patch(
        "tandem.engines.base.judge",
        lambda *of: replace(scores.judge(*of), r2=scores.judge(*of).r2 * 0.9),
    ),
    "a gap is predicted as 0": lambda: patch(
        "tandem.model._numbers", lambda cells, _mean: cells.astype(float).fillna(0.0).to_numpy()
    ),
    "an unknown level is predicted as the first": lambda: patch(
        "tandem.model.indices",
        lambda texts, levels: np.array([[*levels].index(t) if t in levels else 0 for t in texts]),
    ),
    "the indices of every engine": ranks(lambda r, seen: np.where(r < seen, seen - 1 - r, r)),
}


@pytest.mark.parametrize("name", SHARED)
def test_what_engines_share_is_checked_by_the_oracle(
    case: Case, name: str, record_property: Record
) -> None:
    with SHARED[name]():
        dies = any(difference.share > 1 for difference in spot_check(case.task))
    record_property("verdict", "dies" if dies else "lives")
    assert dies


def test_wrong_features_of_levels_do_not_pass(tmp_path: Path) -> None:
    """Other levels with a feature; a level's coefficient off, or another for unknown levels."""
    case = Case(tmp_path, "[0,0.5]", "cleaning.encoding=one_hot", "cleaning.max_levels=4")
    test_the_right_ones_pass(case)
    for number, change in enumerate(({"max_levels": 3}, {"fit_on": FitOn.ALL})):
        wrong = replace(case.task, cleaning=replace(case.task.cleaning, **change))
        mutant = answer_of("scan", wrong, tmp_path / f"{number}")
        assert not case.passes(mutant)
    encodings = case.scan.model.encodings
    effects = encodings["city"]
    largest = max(effects, key=abs)
    scaled = tuple(b * (1 + 1e-6) if b == largest else b for b in effects)
    for city in (scaled, (*effects[:-1], effects[-1] + 1e-6)):
        moved = {**encodings, "city": city}
        assert not case.stands(models(lambda _, moved=moved: {"encodings": moved})(case.scan))
