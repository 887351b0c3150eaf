"""The pipeline on a few rows, against an oracle that shares no code with any engine.

What engines share, folds, decisions, the objective, the judge, could be wrong in all of them alike.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from tandem import oracle
from tandem.categories import features_of
from tandem.comparison.figures import Difference, largest, share, single
from tandem.comparison.prepared import prepared
from tandem.comparison.tolerances import reach
from tandem.dataset import labelled, sample
from tandem.engines import judged
from tandem.errors import DataError
from tandem.model import predict
from tandem.records import Dataset, File, Kind, Task
from tandem.results import OTHERS, LinearModel
from tandem.scores import judge
from tandem.settings import Encoding
from tandem.solver import penalty

_ROWS = 300
_PRODUCTS = 3e6  # that the oracle takes one by one: a second
_PROBES = 20  # rows to predict
_FEW = 4  # rows per fold, at least, that are worth it
_TELLS_APART = 1e-6  # l2 against eigenvalues about 1: below it rounding decides
_ROUNDING = 1e-8  # the oracle's own among it


def spot_check(task: Task) -> Iterator[Difference]:
    """What `scan` finds on a few rows of the table of `task`, against the oracle.

    Nothing where they are too few for it; where features follow from others, at the grid points
    alone whose model is unique all the same.
    """
    k = task.folds.count
    rows = min(_ROWS, int(_PRODUCTS / (k * (_features(task) + 1) ** 2)))
    if rows < _FEW * k:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        read = dict.fromkeys((*task.dataset.columns, *task.dataset.beside))
        names = [column.name for column in read]
        table = sample(task.dataset, names, rows, stored=True)
        table = table.slice(0, rows)
        pq.write_table(table, path)
        few = replace(task.dataset, files=(File(str(path), table.num_rows, 0),))
        try:
            few = labelled(few, task.folds)
            folds = few.counted(task.folds)
            yield from _compared(replace(task, dataset=few, folds=folds, cache_moments=False))
        except (DataError, ArithmeticError):
            # Too few to clean, or to fold; or nearly collinear, beyond the oracle's digits.
            return


def _features(task: Task) -> int:
    """How many there are, more or less, on a few rows."""
    columns, cleaning = task.dataset.features, task.cleaning
    one_hot = [
        column.name
        for column in columns
        if column.kind is Kind.CATEGORICAL and cleaning.encoding_of(column.name) is Encoding.ONE_HOT
    ]
    if not one_hot:
        return len(columns)
    rows = sample(task.dataset, [task.dataset.target.name, *one_hot], _ROWS)
    levels = (len(rows[name].unique()) for name in one_hot)
    own = sum(features_of(count, cleaning.max_levels) for count in levels)
    return len(columns) - len(one_hot) + own


def _compared(task: Task) -> Iterator[Difference]:
    with prepared(task) as (engine, plan, ledger):
        sums, scores = judged(engine, task)
        model = engine.refit(task.grid[scores.best])
        held_out = engine.hold_out()
    truth, where = oracle.cross_validate(task), f"{task.dataset.rows} rows"
    inverse = task.inverse_squares  # of all rows: at least as much as of a few
    actions = {decision.column.name: decision.action.value for decision in plan.decisions}
    same = actions == truth.actions and ledger.rows_used == truth.rows_used
    yield single("cleaning", where, float(not same), 0.0, 0.0)
    full = not (plan.one_hot or any(design.missing for design in sums.designs))
    deviation = np.sqrt(sums.sst / np.array(sums.n_test))[:, None]
    scale = float(deviation.max()) or 1.0
    unique = [full or penalty(point, scale).l2 > _TELLS_APART for point in task.grid]
    if not same or not any(unique):
        return
    room = _ROUNDING * (truth.rmse + deviation)
    rmse, r2 = (
        np.where(unique, x, y) for x, y in ((scores.rmse, truth.rmse), (scores.r2, truth.r2))
    )
    yield largest("RMSE", rmse, truth.rmse, room, task.grid)
    yield largest("R2", r2, truth.r2, np.full_like(room, 1e-6), task.grid)
    for name, values in scores.others.items():
        exact, allowed = getattr(truth, name), room * reach(name, sums.n_test, inverse)
        found = np.where(unique & ~np.isnan(values), values, exact)
        yield largest(OTHERS[name], found, exact, allowed, task.grid)
    if not unique[scores.best]:
        return
    if held_out and truth.held_out:
        own, right = float(judge(held_out).rmse[0, 0]), truth.held_out[scores.best]
        yield single("RMSE on the hold-out", where, own, right, float(room.max()))
    for name, slope in truth.coefficients[scores.best].items():
        room_of = 1e-6 * max(abs(b) for b in truth.coefficients[scores.best].values())
        yield single(f"coefficient of {name}", where, model.coefficients[name], slope, room_of)
    for name, effects in truth.effects[scores.best].items():
        found = model.encodings[name][: len(effects)]
        worst = int(np.argmax(np.abs(np.array(found) - effects)))
        room_of = 1e-6 * (max(map(abs, effects)) or 1.0)
        what = f"coefficient of level {worst} of {name}"
        yield single(what, where, found[worst], effects[worst], room_of)
    yield _predictions(task.dataset, model, truth, scores.best)


def _predictions(
    dataset: Dataset, model: LinearModel, truth: oracle.OracleResult, best: int
) -> Difference:
    """Of raw rows, the first of them once more with a gap in every column and unknown levels."""
    import pandas as pd  # noqa: PLC0415 - slow

    rows = _probes(dataset)
    features = dataset.features
    stored = [*dict.fromkeys(column.stored for column in features)]
    found = predict(model, pd.DataFrame(rows, columns=stored))
    wanted = np.array([oracle.predict(truth, best, features, row) for row in rows])
    room = 1e-6 * np.maximum(np.abs(wanted), np.ptp(wanted))
    room += 1e-12 * abs(truth.intercepts[best])  # which cancels
    worst = int(np.argmax(share(np.abs(found - wanted), room)))
    where = f"row {worst} of {len(rows)}, with gaps and unknown levels"
    return single("prediction", where, float(found[worst]), float(wanted[worst]), room[worst])


def _probes(dataset: Dataset) -> list[dict[str, Any]]:
    """The first rows; and the first once more for every feature: missing, or an unknown level."""
    rows = oracle.read_rows(dataset)[:_PROBES]
    for column in dataset.features:
        one = [other.name for other in dataset.features if other.stored == column.stored]
        rows.append({**rows[0], **dict.fromkeys([column.stored, *one])})
        if column.kind is Kind.CATEGORICAL:
            rows.append({**rows[0], column.name: "no such level"})
    return rows
