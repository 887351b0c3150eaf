"""pandas and scikit-learn, one fold after another, one fit after another, one thread."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from tandem.categories import MISSING, by_column, feature_counts, spans
from tandem.cleaning import measure, take_ledger, valid_row
from tandem.dataset import as_pandas, fold_of_rows, read_columns
from tandem.dates import read_off
from tandem.engines.base import Decide, Progress
from tandem.engines.pandas_design import (
    Fitted,
    design_matrix,
    fit_cleaning,
    target_values,
    typed,
)
from tandem.engines.sklearn_fits import (
    Fit,
    Fits,
    mean,
    mean_square,
    median,
    rooted,
    rows_of,
    total,
)
from tandem.folds import FOLD
from tandem.logs import in_unit
from tandem.model_keys import GridPoint
from tandem.records import Array, Column, Ledger, Mask, Plan, Task
from tandem.results import Design, ErrorSums, Facts, LinearModel
from tandem.settings import FitOn
from tandem.solver import NEARLY, groups
from tandem.splits import Splits, check_folds


class _Training(NamedTuple):
    """A training set: its cleaning, its features `x`, standardised, and the target less `middle`.

    `counts`: how often every row counts; None: once.
    """

    fitted: Fitted
    scaler: StandardScaler
    x: Array
    y: Array
    middle: float
    counts: Array | None


class Engine:
    """The baseline that everybody writes."""

    def __init__(self, task: Task, progress: Progress) -> None:
        self.task = task
        self._progress = progress
        self._splits = Splits.of(task.folds)
        self._frame = pd.DataFrame()
        self._plan: Plan
        self._spans: dict[str, slice]  # of the features of every column, by its id
        self._folds: np.ndarray[Any, np.dtype[np.int64]]
        self._on_all: Fitted | None = None
        self._held_out: ErrorSums | None = None
        self._medians: Array
        self._unconverged = 0
        self._limits: threadpool_limits | None = None

    def unsupported(self) -> str | None:
        return None

    def start(self) -> None:
        self._cpus = pa.cpu_count()
        pa.set_cpu_count(1)
        self._limits = threadpool_limits(1)

    def load(self) -> None:
        dataset = self.task.dataset
        columns = dataset.framed
        names = [*dict.fromkeys(column.stored for column in columns)]
        files = [as_pandas(read_columns(file.path, names)) for file in dataset.files]
        frame = pd.concat([_columns(file, columns) for file in files], ignore_index=True)
        cells = {column.id: typed(frame[column.id], column.kind) for column in columns}
        cells[FOLD] = fold_of_rows(dataset, self.task.folds)
        self._frame = pd.DataFrame(cells, copy=False)

    def prepare(self, decide: Decide) -> tuple[Plan, Ledger]:
        plan = decide(measure(nw.from_native(self._frame).lazy(), self.task.dataset))
        frame = nw.from_native(self._frame)
        ledger = take_ledger(frame.lazy(), plan)
        used = (
            frame.filter(valid_row(plan))
            .select(*(c.id for c in (plan.target, *plan.used, plan.weight) if c), FOLD)
            .to_native()
        )
        for column in plan.categorical:
            used[column.id] = used[column.id].cat.add_categories([MISSING]).fillna(MISSING)
        self._frame, self._plan = used, plan
        self._folds = used[FOLD].to_numpy()
        levels = {c.name: used[c.id].nunique() for c in plan.one_hot}
        features = feature_counts(plan, levels, self.task.cleaning.max_levels)
        self._spans = dict(zip((c.id for c in plan.used), spans(features), strict=True))
        if self.task.cleaning.fit_on is FitOn.ALL:
            self._on_all = self._fitted(self._trained_on(-1))
        return plan, ledger

    def cross_validate(self) -> ErrorSums:
        advance = self._progress(self._splits.count * len(self.task.grid), "fits")
        parts = self._splits.parts
        rows = np.bincount(self._folds, minlength=parts).tolist()
        check_folds(rows, self.task.folds)
        if (weights := self._weights(self._frame)) is not None:
            rows = np.bincount(self._folds, weights, minlength=parts).tolist()
        n_train, n_test = self._splits.rows(rows)
        sse = np.empty((self._splits.count, len(self.task.grid)))
        by_row = {name: np.empty_like(sse) for name in self.task.scores.by_row}
        self._medians = np.empty_like(sse)
        sst = np.empty(self._splits.count)
        designs: dict[int, Design] = {}
        gaps = np.full_like(sse, np.nan)
        slopes = np.empty((*sse.shape, [*self._spans.values()][-1].stop))
        for fold, tested in enumerate(self._splits.tested):
            train = self._training(fold)
            x_test, y_test, of_test = self._tested(tested, train)
            sst[fold] = self._variation(y_test, of_test, train)
            fits = Fits(train.x, train.y, self.task.solver, train.counts)
            for index, fit in self._found(fits):
                if fit.singular is not None:
                    sets = [self._spans[c.id] for c in self._plan.one_hot]
                    varies = np.isfinite(train.scaler.scale_)
                    designs[fold] = _measured(fit, rooted(train.x, train.counts), varies, sets)
                slopes[fold, index] = fit.weights / train.scaler.scale_
                gaps[fold, index] = fit.gap / (mean_square(train.y, train.counts) or 1.0)
                errors = self._off(y_test, x_test @ fit.weights + fit.intercept, train)
                sse[fold, index] = total(errors**2, of_test)
                size = np.abs(errors)
                for name, sums in by_row.items():
                    shares = size / np.abs(self._in_unit(y_test)) if name == "mape" else size
                    sums[fold, index] = total(shares, of_test)
                if self.task.scores.median_ae:
                    self._medians[fold, index] = median(size, of_test)
                advance(1)
            self._unconverged += fits.unconverged
        known = tuple(designs.values())
        features = tuple(span.stop - span.start for span in self._spans.values())
        found = sse, sst, n_train, n_test, self._unconverged, by_row, known, slopes, gaps
        return ErrorSums(*found, features=features)

    def median_errors(self, point: GridPoint) -> Array:
        return self._medians[:, self.task.grid.index(point)]

    def refit(self, point: GridPoint) -> LinearModel:
        train = self._training(-1)
        fitted, scaler = train.fitted, train.scaler
        fit = Fits(train.x, train.y, self.task.solver, train.counts).at(point)
        if self._splits.holdout is not None:
            x_test, y_test, of_test = self._tested(self._splits.of_holdout, train)
            errors = self._off(y_test, x_test @ fit.weights + fit.intercept, train)
            sse, sst = total(errors**2, of_test), self._variation(y_test, of_test, train)
            rows = (rows_of(train.y, train.counts),), (rows_of(y_test, of_test),)
            self._held_out = ErrorSums(np.array([[sse]]), np.array([sst]), *rows)
        coefficients = fit.weights / scaler.scale_
        means = scaler.mean_.copy()
        for column in self._plan.target_encoded:
            means[self._spans[column.id]] += fitted.middle
        levels = {
            c.name: tuple(None if x == MISSING else x for x in fitted.levels[c.id])
            for c in self._plan.categorical
        }
        slopes = (coefficients[span] for span in self._spans.values())
        of, effects = by_column(self._plan, slopes, levels, self.task.cleaning.max_levels)
        return LinearModel(
            intercept=float(train.middle + fit.intercept - coefficients @ means),
            coefficients=of,
            means={c.name: fitted.means[c.id] for c in self._plan.numeric},
            levels=levels,
            encodings=target_values(self._plan, fitted) | effects,
            sources=self._plan.sources,
        )

    def hold_out(self) -> ErrorSums | None:
        return self._held_out

    def facts(self) -> Facts:
        return Facts(scans=1)

    def close(self) -> None:
        self._frame = pd.DataFrame()
        if self._limits:
            pa.set_cpu_count(self._cpus)
            self._limits.restore_original_limits()
            self._limits = None

    def _training(self, fold: int) -> "_Training":
        """The rows that a fold is trained on, ready for fits."""
        rows = self._trained_on(fold)
        fitted, scaler = self._on_all or self._fitted(rows), StandardScaler()
        counts = self._weights(rows)
        x = _scaled(scaler, self._design(rows, fitted), counts, fit=True)
        y = self._target(rows)
        # About a number near it: predictions of 1e10 +- 1 have lost seven of their digits.
        middle = mean(y, counts)
        return _Training(fitted, scaler, x, y - middle, middle, counts)

    def _tested(self, parts: Mask, train: "_Training") -> tuple[Array, Array, Array | None]:
        """The rows of `parts`: x as `train` has its own, y, how often they count."""
        rows = self._frame[parts[self._folds]]
        x = _scaled(train.scaler, self._design(rows, train.fitted))
        return x, self._target(rows), self._weights(rows)

    def _off(self, y: Array, predicted: Array, train: "_Training") -> Array:
        """What `predicted`, as `train` has its target, is off, in the target's unit."""
        residual = y - train.middle - predicted
        return in_unit(residual, y) if self.task.dataset.in_logs else residual

    def _in_unit(self, y: Array) -> Array:
        """`y`, or what it is the logarithm of."""
        return np.exp(y) if self.task.dataset.in_logs else y

    def _variation(self, y: Array, counts: Array | None, train: "_Training") -> float:
        """Exactly 0 for a constant target, whose mean may be off by a rounding."""
        about = self._in_unit(y) if self.task.dataset.in_logs else y - train.middle
        return total((about - mean(about, counts)) ** 2, counts) if np.ptp(y) else 0.0

    def _trained_on(self, fold: int) -> pd.DataFrame:
        """The rows that a fold is trained on; -1: those of the model of all rows."""
        rows: pd.DataFrame = self._frame[self._splits.training[fold][self._folds]]
        return rows

    def _fitted(self, frame: pd.DataFrame) -> Fitted:
        return fit_cleaning(frame, self._plan, self.task.cleaning.smoothing)

    def _design(self, frame: pd.DataFrame, fitted: Fitted) -> Array:
        return design_matrix(frame, self._plan, fitted, self._spans, self.task.cleaning.max_levels)

    def _weights(self, frame: pd.DataFrame) -> Array | None:
        """How often every row counts; None: once."""
        return frame[self._plan.weight.id].to_numpy() if self._plan.weight else None

    def _target(self, frame: pd.DataFrame) -> Array:
        return frame[self._plan.target.id].to_numpy()

    def _found(self, fits: Fits) -> Iterable[tuple[int, Fit]]:
        """The place of every grid point with its fit."""
        grid = self.task.grid
        return fits.along(grid) if self.task.path else enumerate(map(fits.at, grid))


def _scaled(
    scaler: StandardScaler, matrix: Array, counts: Array | None = None, *, fit: bool = False
) -> Array:
    if fit:
        scaler.fit(matrix, sample_weight=counts)
        # A constant column gets coefficient 0, so its rounding noise must not enter the fit.
        scaler.scale_[np.ptp(matrix, axis=0) == 0.0] = np.inf
    return np.asfortranarray(scaler.transform(matrix))


def _measured(fit: Fit, x: Array, varies: NDArray[np.bool_], sets: list[slice]) -> Design:
    """What least squares found out on its way about the features that vary.

    One in each of `sets` follows from the others by design.
    """
    known = sum(bool(varies[one].any()) for one in sets)
    assert fit.rank is not None
    assert fit.singular is not None
    features, rank = int(varies.sum()) - known, fit.rank
    condition = float(fit.singular[0] / fit.singular[rank - 1]) if rank else 1.0
    if rank == features and condition <= NEARLY:
        return Design(features, rank, condition)
    place, x = np.flatnonzero(varies), x[:, varies]
    _, vectors = np.linalg.eigh(x.T @ x)
    missing = features - rank
    vectors = vectors[:, : known + missing] if missing else vectors[:, known : known + 1]
    listed = (tuple(place[[*group]].tolist()) for group in groups(vectors @ vectors.T))
    several = (g for g in listed if not any(s.start <= g[0] and g[-1] < s.stop for s in sets))
    return Design(features, rank, condition, tuple(several))


def _columns(rows: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """`columns` by their ids, of the rows of a file."""
    dates = read_off(rows, {c.id: c.source for c in columns if c.source})
    found = {c.id: dates[c.id] if c.source else rows[c.stored] for c in columns}
    return pd.DataFrame(found, copy=False)
