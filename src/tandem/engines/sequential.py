"""pandas and scikit-learn, one fold after another, one fit after another, one thread."""

import warnings
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, LinearRegression, Ridge
from sklearn.preprocessing import StandardScaler, TargetEncoder
from threadpoolctl import threadpool_limits

from tandem.cleaning import MISSING, frequency_order, measure, take_ledger, valid_row
from tandem.dataset import as_pandas, read_columns
from tandem.engines.base import Decide, Progress
from tandem.errors import DataError
from tandem.folds import FOLD, Assignment, check_folds
from tandem.model import as_text
from tandem.records import Array, Kind, Ledger, Plan, Task
from tandem.results import Design, ErrorSums, Facts, LinearModel
from tandem.settings import FitOn, GridPoint
from tandem.solver import NEARLY, groups, sklearn_estimator


@dataclass(frozen=True, slots=True)
class Fitted:
    """The cleaning fitted on some rows: means by column id, levels by descending frequency.

    `middle`: mean of the target, `encoder`: fitted to the target less it, where there is one.
    """

    means: dict[str, float]
    levels: dict[str, list[str]]
    middle: float
    encoder: TargetEncoder | None


class Engine:
    """The baseline that everybody writes."""

    def __init__(self, task: Task, progress: Progress) -> None:
        self.task = task
        self._progress = progress
        self._frame = pd.DataFrame()
        self._plan: Plan
        self._folds: np.ndarray[Any, np.dtype[np.int64]]
        self._on_all: Fitted | None = None
        self._unconverged = 0
        self._limits: threadpool_limits | None = None

    def unsupported(self) -> str | None:
        return None

    def start(self) -> None:
        self._cpus = pa.cpu_count()
        pa.set_cpu_count(1)
        self._limits = threadpool_limits(1)

    def load(self) -> None:
        columns = self.task.dataset.columns
        names = [column.name for column in columns]
        frame = pd.concat(
            [as_pandas(read_columns(file.path, names)) for file in self.task.dataset.files],
            ignore_index=True,
        ).set_axis([column.id for column in columns], axis="columns")
        typed = {column.id: _typed(frame[column.id], column.kind) for column in columns}
        typed[FOLD] = Assignment(self.task.folds, len(frame)).of(0, len(frame))
        self._frame = pd.DataFrame(typed, copy=False)

    def prepare(self, decide: Decide) -> tuple[Plan, Ledger]:
        plan = decide(measure(nw.from_native(self._frame).lazy(), self.task.dataset))
        frame = nw.from_native(self._frame)
        ledger = take_ledger(frame.lazy(), plan)
        used = (
            frame.filter(valid_row(plan))
            .select(*(c.id for c in (plan.target, *plan.used)), FOLD)
            .to_native()
        )
        for column in plan.categorical:
            used[column.id] = used[column.id].cat.add_categories([MISSING]).fillna(MISSING)
        self._frame, self._plan = used, plan
        self._folds = used[FOLD].to_numpy()
        if self.task.cleaning.fit_on is FitOn.ALL:
            self._on_all = self._fitted(used)
        return plan, ledger

    def cross_validate(self) -> ErrorSums:
        advance = self._progress(self.task.folds.k * len(self.task.grid), "fits")
        n_test = np.bincount(self._folds, minlength=self.task.folds.k).tolist()
        check_folds(n_test, self.task.folds)
        sse = np.empty((self.task.folds.k, len(self.task.grid)))
        sae = np.empty_like(sse) if self.task.mae else None
        sst = np.empty(self.task.folds.k)
        designs: dict[int, Design] = {}
        slopes, gaps = np.empty((*sse.shape, len(self._plan.used))), np.full_like(sse, np.nan)
        for fold in range(self.task.folds.k):
            train, test = self._frame[self._folds != fold], self._frame[self._folds == fold]
            fitted = self._on_all or self._fitted(train)
            scaler = StandardScaler()
            x_train = _scaled(scaler, self._design(train, fitted), fit=True)
            x_test = _scaled(scaler, self._design(test, fitted))
            y_train = self._target(train)
            # About a number near it: predictions of 1e10 +- 1 have lost seven of their digits.
            middle = float(y_train.mean())
            y_train, y_test = y_train - middle, self._target(test) - middle
            # exactly 0 for a constant target, whose mean may be off by a rounding
            sst[fold] = np.sum((y_test - y_test.mean()) ** 2) if np.ptp(y_test) else 0.0
            for index, point in enumerate(self.task.grid):
                estimator = self._fit(point, x_train, y_train)
                if isinstance(estimator, LinearRegression):
                    designs[fold] = _measured(estimator, x_train, np.isfinite(scaler.scale_))
                slopes[fold, index] = estimator.coef_ / scaler.scale_
                if isinstance(estimator, ElasticNet):
                    gaps[fold, index] = estimator.dual_gap_ / (y_train.var() or 1.0)
                errors = y_test - estimator.predict(x_test)
                sse[fold, index] = np.sum(errors**2)
                if sae is not None:
                    sae[fold, index] = np.sum(np.abs(errors))
                advance(1)
        n_train = tuple(sum(n_test) - rows for rows in n_test)
        known = tuple(designs.values())
        return ErrorSums(
            *(sse, sst, n_train, tuple(n_test), self._unconverged, sae, known, slopes, gaps)
        )

    def refit(self, point: GridPoint) -> LinearModel:
        fitted = self._on_all or self._fitted(self._frame)
        scaler = StandardScaler()
        x = _scaled(scaler, self._design(self._frame, fitted), fit=True)
        y = self._target(self._frame)
        middle = float(y.mean())
        estimator = self._fit(point, x, y - middle)
        coefficients = estimator.coef_ / scaler.scale_
        means = scaler.mean_.copy()
        for j, column in enumerate(self._plan.used):
            if column in self._plan.target_encoded:
                means[j] += fitted.middle
        return LinearModel(
            intercept=float(middle + estimator.intercept_ - coefficients @ means),
            coefficients=dict(
                zip((c.name for c in self._plan.used), coefficients.tolist(), strict=True)
            ),
            means={c.name: fitted.means[c.id] for c in self._plan.numeric},
            levels={
                c.name: tuple(None if x == MISSING else x for x in fitted.levels[c.id])
                for c in self._plan.categorical
            },
            encodings=target_values(self._plan, fitted),
        )

    def facts(self) -> Facts:
        return Facts(scans=1)

    def close(self) -> None:
        self._frame = pd.DataFrame()
        if self._limits:
            pa.set_cpu_count(self._cpus)
            self._limits.restore_original_limits()
            self._limits = None

    def _fitted(self, frame: pd.DataFrame) -> Fitted:
        return fit_cleaning(frame, self._plan, self.task.cleaning.smoothing)

    def _design(self, frame: pd.DataFrame, fitted: Fitted) -> Array:
        return design_matrix(frame, self._plan, fitted)

    def _target(self, frame: pd.DataFrame) -> Array:
        return frame[self._plan.target.id].to_numpy()

    def _fit(self, point: GridPoint, x: Array, y: Array) -> ElasticNet | Ridge | LinearRegression:
        deviation = float(y.std()) or 1.0  # a constant target: every coefficient is 0 anyway
        estimator = sklearn_estimator(point, x.shape, deviation, self.task.solver)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            estimator.fit(x, y)
        for warning in caught:
            if issubclass(warning.category, ConvergenceWarning):
                self._unconverged += 1  # told once, with the count, instead of once per fit
            else:
                warnings.warn(warning.message, warning.category, stacklevel=2)
        return estimator


def fit_cleaning(frame: pd.DataFrame, plan: Plan, smoothing: float) -> Fitted:
    """Means of the numeric columns, levels and encoder of the categorical ones."""
    levels = {}
    for column in plan.categorical:
        cells = frame[column.id].cat
        counts = np.bincount(cells.codes, minlength=len(cells.categories))
        names = [str(level) for level in cells.categories]
        levels[column.id] = [names[i] for i in frequency_order(names, counts)]
    means = {c.id: float(frame[c.id].mean()) for c in plan.numeric}
    for column in plan.numeric:
        if np.isnan(means[column.id]):
            raise DataError(
                f"column '{column.name}': none of {len(frame)} training rows has a value to impute "
                "the mean of -> exclude the column, or choose fewer folds"
            )
    middle, encoder = float(frame[plan.target.id].mean()), None
    if encoded := [column.id for column in plan.target_encoded]:
        encoder = TargetEncoder(smooth=smoothing, target_type="continuous")
        encoder.fit(frame[encoded], frame[plan.target.id] - middle)
    return Fitted(means, levels, middle, encoder)


def target_values(plan: Plan, fitted: Fitted) -> dict[str, tuple[float, ...]]:
    """Of every column that is encoded by the target, that of each index and of unseen levels."""
    values, encoder = {}, fitted.encoder
    for j, column in enumerate(plan.target_encoded):
        assert encoder is not None
        found = dict(zip(encoder.categories_[j], encoder.encodings_[j].tolist(), strict=True))
        listed = [*(found[level] for level in fitted.levels[column.id]), encoder.target_mean_]
        values[column.name] = tuple(float(fitted.middle + value) for value in listed)
    return values


def design_matrix(frame: pd.DataFrame, plan: Plan, fitted: Fitted) -> Array:
    """The features of `frame` as numbers, shape (rows, features), columns contiguous.

    What is encoded by the target is less its mean.
    """
    matrix = np.empty((len(frame), len(plan.used)), order="F")
    encoded = [column.id for column in plan.target_encoded]
    values = fitted.encoder.transform(frame[encoded]) if fitted.encoder else np.empty((0, 0))
    for j, column in enumerate(plan.used):
        cells = frame[column.id]
        if column.kind is Kind.NUMERIC:
            matrix[:, j] = cells.fillna(fitted.means[column.id])
        elif column.id in encoded:
            matrix[:, j] = values[:, encoded.index(column.id)]
        else:
            index = pd.Index(fitted.levels[column.id]).get_indexer(cells.cat.categories)
            index[index < 0] = len(fitted.levels[column.id])  # unseen in training
            matrix[:, j] = index[cells.cat.codes]
    return matrix


def _scaled(scaler: StandardScaler, matrix: Array, *, fit: bool = False) -> Array:
    if fit:
        scaler.fit(matrix)
        # A constant column gets coefficient 0, so its rounding noise must not enter the fit.
        scaler.scale_[np.ptp(matrix, axis=0) == 0.0] = np.inf
    return np.asfortranarray(scaler.transform(matrix))


def _measured(estimator: LinearRegression, x: Array, varies: NDArray[np.bool_]) -> Design:
    """What least squares found out on its way about the features that vary."""
    features, rank = int(varies.sum()), int(estimator.rank_)
    condition = float(estimator.singular_[0] / estimator.singular_[rank - 1]) if rank else 1.0
    if rank == features and condition <= NEARLY:
        return Design(features, rank, condition)
    place, x = np.flatnonzero(varies), x[:, varies]
    _, vectors = np.linalg.eigh(x.T @ x)
    tied = groups(vectors, features - rank)
    return Design(features, rank, condition, tuple(tuple(place[[*g]].tolist()) for g in tied))


def _typed(cells: "pd.Series[Any]", kind: Kind) -> Any:
    if kind is Kind.NUMERIC:
        return cells.astype("float64")
    if cells.dtype == "category":
        return cells
    text = cells if isinstance(cells.dtype, pd.StringDtype) else _text(cells)
    return text.astype("category")


def _text(cells: "pd.Series[Any]") -> "pd.Series[Any]":
    return cells.map(as_text, na_action="ignore").astype("str")
