"""What people write instead of scan: ridge regression, k folds, every penalty, on numbers.

Each takes the path of a Parquet file of features, `y` and the `fold` of every row, and works on one
thread, the quickest way of its library that was found; its answer: RMSE[fold, penalty]. The model
of all rows follows from the same sums.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Array = NDArray[np.float64]
FOLDS, PENALTIES = 3, (0.1, 0.01)


def thirty_lines(path: Path) -> Array:
    """Batches as they come, a product for every fold: what a practitioner writes first.

    Gaps are filled with 0 and have a column of their own, so that means follow from the sums.
    """
    file = pq.ParquetFile(path, memory_map=True)
    names, gaps = columns(file)
    grams = np.zeros((FOLDS, 1 + len(names) + len(gaps), 1 + len(names) + len(gaps)))
    for batch in file.iter_batches(use_threads=False):
        fold = batch["fold"].to_numpy()
        filled = [cells(batch[name]) for name in names]
        missing = [batch[names[j]].is_null().to_numpy(zero_copy_only=False) for j in gaps]
        rows = np.column_stack([np.ones(len(fold)), *filled, *missing])
        for f in range(FOLDS):
            part = rows[fold == f]
            grams[f] += part.T @ part
    return from_grams(grams, gaps)


def tuned_lines(path: Path) -> Array:
    """The same after an afternoon: columns stay columns, and rows are brought into fold order."""
    file = pq.ParquetFile(path, memory_map=True)
    names, gaps = columns(file)
    width = 1 + len(names) + len(gaps)
    grams = np.zeros((FOLDS, width, width))
    for batch in file.iter_batches(16_384, use_threads=False):
        fold = batch["fold"].to_numpy()
        rows = [cells(batch[name]) for name in names]
        rows += [cells(batch[names[j]].is_null().cast("float64")) for j in gaps]
        for f in range(FOLDS):
            here = np.flatnonzero(fold == f)
            part = np.ones((width, len(here)))
            for row, values in zip(part[1:], rows, strict=True):
                np.take(values, here, out=row)
            grams[f] += part @ part.T
    return from_grams(grams, gaps)


def columns(file: pq.ParquetFile) -> tuple[list[str], list[int]]:
    """The features, then y; and the places of those that have gaps."""
    names = [name for name in file.schema_arrow.names if name != "fold"]
    groups = [file.metadata.row_group(at) for at in range(file.num_row_groups)]
    nulls = [sum(g.column(j).statistics.null_count for g in groups) for j in range(len(names))]
    return names, [j for j, count in enumerate(nulls) if count]


def cells(column: pa.Array) -> Array:
    """The cells, (n,), 0 for a gap."""
    found: Array = (column.fill_null(0.0) if column.null_count else column).to_numpy()
    return found


def numpy(path: Path) -> Array:
    """The whole table as one matrix."""
    table = pq.read_table(path, memory_map=True, use_threads=False)
    fold = table["fold"].to_numpy()
    names = [name for name in table.column_names if name != "fold"]
    rows = np.column_stack([np.ones(len(fold)), *(table[name].to_numpy() for name in names)])
    return from_grams([(part := rows[fold == f]).T @ part for f in range(FOLDS)])


def polars(path: Path) -> Array:
    """A frame for every fold, and numpy's product of each: sums as expressions take longer."""
    os.environ["POLARS_MAX_THREADS"] = "1"
    import polars as pl

    table = pl.read_parquet(path).with_columns(one=pl.lit(1.0))
    order = ["one", *(name for name in table.columns if name not in {"one", "fold"})]
    parts = table.partition_by("fold", as_dict=True)
    return from_grams([(part := parts[f,].select(order).to_numpy()).T @ part for f in range(FOLDS)])


def duckdb(path: Path) -> Array:
    """Every entry of the Gram matrices as a sum of SQL."""
    import duckdb as db

    names = ["1.0", *(name for name in pq.read_schema(path).names if name != "fold")]
    size = len(names)
    sums = ", ".join(f"sum({names[i]} * {names[j]})" for i in range(size) for j in range(i + 1))
    with db.connect(config={"threads": 1}) as connection:
        asked = f"SELECT {sums} FROM '{path}' GROUP BY fold ORDER BY fold"  # noqa: S608 - own names
        found = np.array(connection.sql(asked).fetchall())
    grams = np.zeros((FOLDS, size, size))
    grams[:, *np.tril_indices(size)] = found
    return from_grams(grams + np.tril(grams, -1).transpose(0, 2, 1))


def cvmatrix(path: Path) -> Array:
    """X'X and X'y of every training set from those of all rows; the matrix stays in memory."""
    from cvmatrix import CVMatrix, Partitioner

    x, y, fold = matrix(path)
    known = CVMatrix(ddof=0)
    known.fit(x, y[:, None])
    folds, errors = Partitioner(fold), np.empty((FOLDS, len(PENALTIES)))
    for f in range(FOLDS):
        held_out = folds.get_validation_indices(f)
        (xx, xy), (mean, spread, y_mean, y_spread) = known.training_XTX_XTY(held_out)
        n = len(y) - len(held_out)
        for g, penalty in enumerate(PENALTIES):
            ridge = n * penalty / y_spread.item() * np.eye(len(xx))
            slopes = np.linalg.solve(xx + ridge, xy) * y_spread / spread.T
            off = y[held_out] - y_mean.item() - (x[held_out] @ slopes - mean @ slopes)[:, 0]
            errors[f, g] = np.sqrt(np.mean(off**2))
    return errors


class Penalised(Ridge):
    """Ridge whose alpha is n reg_param / s_y of the rows that it is fitted to."""

    def __init__(self, reg_param: float = 0.0) -> None:
        super().__init__()
        self.reg_param = reg_param

    def fit(self, X: Array, y: "pd.Series[float]") -> "Penalised":  # noqa: N803 - as they call it
        """Fit X, shape (n, p), to y, shape (n,)."""
        self.alpha = len(y) * self.reg_param / np.std(y)
        super().fit(X, y)
        return self


def scikit_learn(path: Path) -> Array:
    """GridSearchCV over a pipeline that imputes, where there are gaps, and standardises."""
    x, y, fold = matrix(path)
    fill = [SimpleImputer()] if np.isnan(x).any() else []
    model = make_pipeline(*fill, StandardScaler(), Penalised())
    search = GridSearchCV(
        model,
        {"penalised__reg_param": PENALTIES},
        cv=PredefinedSplit(fold),
        scoring="neg_root_mean_squared_error",
    ).fit(x, y)
    return -np.array([search.cv_results_[f"split{f}_test_score"] for f in range(FOLDS)])


def matrix(path: Path) -> tuple[Array, Array, NDArray[np.int64]]:
    """The features (n, p), y and fold, (n,), as pandas reads them."""
    table = pd.read_parquet(path)
    y, fold = table.pop("y"), table.pop("fold")
    return table.to_numpy(), y.to_numpy(), fold.to_numpy()


def from_grams(found: Iterable[Array], gaps: Sequence[int] = ()) -> Array:
    """RMSE[fold, penalty] from the Gram matrix of every fold: of 1, the features, y, and the gaps.

    (R + reg_param / s_y) u = r, u the standardised slopes, R and r the correlations of the training
    set: 1/(2n) |y - b0 - X b|^2 + reg_param / (2 s_y) sum_j (s_j b_j)^2 is least. `gaps`: which
    features have a column that says where they are filled with 0: it counts as their mean.
    """
    grams = np.array(found)
    width = grams.shape[1] - len(gaps)
    errors = np.empty((len(grams), len(PENALTIES)))
    for f, held_out in enumerate(grams):
        train, fill = grams.sum(axis=0) - held_out, np.eye(grams.shape[1])[:, :width]
        for at, j in enumerate(gaps, width):
            fill[at, 1 + j] = train[0, 1 + j] / (train[0, 0] - train[0, at])
        train, test = (fill.T @ gram @ fill for gram in (train, held_out))
        mean = train[0, 1:] / train[0, 0]
        moments = train[1:, 1:] / train[0, 0] - np.outer(mean, mean)
        spread = np.sqrt(np.diag(moments))
        scaled = moments / np.outer(spread, spread)
        for g, penalty in enumerate(PENALTIES):
            ridge = scaled[:-1, :-1] + penalty / spread[-1] * np.eye(len(mean) - 1)
            slopes = np.linalg.solve(ridge, scaled[:-1, -1]) * spread[-1] / spread[:-1]
            error = np.array([slopes @ mean[:-1] - mean[-1], *-slopes, 1.0])  # y - b0 - x'b
            errors[f, g] = np.sqrt(error @ test @ error / test[0, 0])
    return errors


RIVALS: dict[str, Callable[[Path], Array]] = {
    work.__name__: work
    for work in (thirty_lines, tuned_lines, numpy, polars, duckdb, cvmatrix, scikit_learn)
}
