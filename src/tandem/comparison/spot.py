"""The pipeline on a few rows, against an oracle that shares no code with any engine.

What engines share, folds, decisions, the objective, the judge, could be wrong in all of them alike.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tandem import oracle
from tandem.comparison.figures import Difference, largest, single
from tandem.comparison.prepared import prepared
from tandem.dataset import sample
from tandem.errors import DataError
from tandem.records import File, Task
from tandem.scores import judge

_ROWS = 300
_PRODUCTS = 3e6  # that the oracle takes one by one: a second
_FEW = 4  # rows per fold, at least, that are worth it
_ROUNDING = 1e-8  # the oracle's own among it


def spot_check(task: Task) -> Iterator[Difference]:
    """What `scan` finds on a few rows of the table of `task`, against the oracle.

    Nothing where they are too few for it; where features follow from others, at the grid points
    alone whose model is unique all the same.
    """
    features, k = len(task.dataset.features), task.folds.k
    rows = min(_ROWS, int(_PRODUCTS / (k * (features + 1) ** 2)))
    if rows < _FEW * k:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        table = sample(task.dataset, [column.name for column in task.dataset.columns], rows)
        table = table.slice(0, rows)
        pq.write_table(table, path)
        few = replace(task.dataset, files=(File(str(path), table.num_rows, 0),))
        try:
            yield from _compared(replace(task, dataset=few, cache_moments=False))
        except DataError:  # too few to clean, or to fold
            return


def _compared(task: Task) -> Iterator[Difference]:
    with prepared(task) as (engine, plan, ledger):
        sums = engine.cross_validate()
        scores = judge(sums)
        model = engine.refit(task.grid[scores.best])
    truth, where = oracle.cross_validate(task), f"{task.dataset.rows} rows"
    actions = {decision.column.name: decision.action.value for decision in plan.decisions}
    same = actions == truth.actions and ledger.rows_used == truth.rows_used
    yield single("cleaning", where, float(not same), 0.0, 0.0)
    full = not any(design.missing for design in sums.designs)
    unique = [full or point.reg_param * (1.0 - point.elastic_net_param) > 0 for point in task.grid]
    if not same or not any(unique):
        return
    deviation = np.sqrt(sums.sst / np.array(sums.n_test))[:, None]
    room = _ROUNDING * (truth.rmse + deviation)
    rmse, r2 = (
        np.where(unique, x, y) for x, y in ((scores.rmse, truth.rmse), (scores.r2, truth.r2))
    )
    yield largest("RMSE", rmse, truth.rmse, room, task.grid)
    yield largest("R2", r2, truth.r2, np.full_like(room, 1e-6), task.grid)
    if not unique[scores.best]:
        return
    for name, slope in truth.coefficients[scores.best].items():
        room_of = 1e-6 * max(abs(b) for b in truth.coefficients[scores.best].values())
        yield single(f"coefficient of {name}", where, model.coefficients[name], slope, room_of)
