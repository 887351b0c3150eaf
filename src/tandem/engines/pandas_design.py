"""What pandas and scikit-learn make of raw columns: types, means, levels, the design matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import OneHotEncoder, TargetEncoder

from tandem.categories import frequency_order
from tandem.cleaning import no_mean
from tandem.engines.sklearn_fits import mean
from tandem.model import as_text
from tandem.records import Array, Kind, Plan


@dataclass(frozen=True, slots=True)
class Fitted:
    """The cleaning fitted on some rows: means by column id, levels by descending frequency.

    `middle`: mean of the target, `encoder`: fitted to the target less it, where there is one.
    """

    means: dict[str, float]
    levels: dict[str, list[str]]
    middle: float
    encoder: TargetEncoder | None


def fit_cleaning(frame: pd.DataFrame, plan: Plan, smoothing: float) -> Fitted:
    """Means of the numeric columns, levels and encoder of the categorical ones.

    Of rows that count as often as the column `plan.weight` says.
    """
    levels, weights = {}, None if plan.weight is None else frame[plan.weight.id].to_numpy()
    for column in plan.categorical:
        cells = frame[column.id].cat
        counts = np.bincount(cells.codes, weights, minlength=len(cells.categories))
        names = [str(level) for level in cells.categories]
        levels[column.id] = [names[i] for i in frequency_order(names, counts)]
    means = {c.id: mean_there(frame[c.id], weights) for c in plan.numeric}
    for column in plan.numeric:
        if np.isnan(means[column.id]):
            raise no_mean(column, len(frame))
    middle, encoder = mean_there(frame[plan.target.id], weights), None
    if encoded := [column.id for column in plan.target_encoded]:
        encoder = TargetEncoder(smooth=smoothing, target_type="continuous")
        encoder.fit(frame[encoded], frame[plan.target.id] - middle)
        if weights is not None:  # scikit-learn's takes none
            about = weights * (frame[plan.target.id].to_numpy() - middle)
            encoder.target_mean_ = 0.0
            encoder.encodings_ = [
                _sum(frame[name], of, about) / (_sum(frame[name], of, weights) + smoothing)
                for name, of in zip(encoded, encoder.categories_, strict=True)
            ]
    return Fitted(means, levels, middle, encoder)


def mean_there(cells: "pd.Series[Any]", weights: Array | None) -> float:
    """Mean of the numbers that are there, each as often as it counts; NaN where none is."""
    if weights is None:
        return float(cells.mean())
    there = cells.notna().to_numpy()
    return mean(cells[there].to_numpy(), weights[there]) if there.any() else np.nan


def _sum(cells: "pd.Series[Any]", levels: Sequence[str], values: Array) -> Array:
    """Sums of `values`, shape (rows,), by level, shape (levels,)."""
    codes = pd.Index(levels).get_indexer(pd.Index(cells))
    return np.bincount(codes, values, minlength=len(levels)).astype(np.float64)


def target_values(plan: Plan, fitted: Fitted) -> dict[str, tuple[float, ...]]:
    """Of every column that is encoded by the target, that of each index and of unseen levels."""
    values, encoder = {}, fitted.encoder
    for j, column in enumerate(plan.target_encoded):
        assert encoder is not None
        found = dict(zip(encoder.categories_[j], encoder.encodings_[j].tolist(), strict=True))
        listed = [*(found[level] for level in fitted.levels[column.id]), encoder.target_mean_]
        values[column.name] = tuple(float(fitted.middle + value) for value in listed)
    return values


def design_matrix(
    frame: pd.DataFrame, plan: Plan, fitted: Fitted, where: Mapping[str, slice], max_levels: int
) -> Array:
    """The features of `frame` as numbers, shape (rows, features), columns contiguous.

    `where`: those of every column, by its id. What is encoded by the target is less its mean.
    """
    matrix = np.empty((len(frame), [*where.values()][-1].stop), order="F")
    encoded = [column.id for column in plan.target_encoded]
    values = fitted.encoder.transform(frame[encoded]) if fitted.encoder else np.empty((0, 0))
    for column in plan.used:
        cells, span = frame[column.id], where[column.id]
        if column.kind is Kind.NUMERIC:
            matrix[:, span.start] = cells.fillna(fitted.means[column.id])
        elif column.id in encoded:
            matrix[:, span.start] = values[:, encoded.index(column.id)]
        else:
            index = pd.Index(fitted.levels[column.id]).get_indexer(cells.cat.categories)
            index[index < 0] = len(fitted.levels[column.id])  # unseen in training
            found = index[cells.cat.codes]
            if column in plan.one_hot:
                matrix[:, span] = indicators(found, max_levels, span.stop - span.start)
            else:
                matrix[:, span.start] = found
    return matrix


def indicators(index: NDArray[np.int64], max_levels: int, features: int) -> Array:
    """One 1 in every row, that of its `index`; zeros where an unseen level shares no feature.

    `index`: shape (rows,), by frequency; the answer has shape (rows, features).
    """
    encoder = OneHotEncoder(
        categories=[np.arange(features)], handle_unknown="ignore", sparse_output=False
    )
    found: Array = encoder.fit_transform(np.minimum(index, max_levels)[:, None])
    return found


def typed(cells: "pd.Series[Any]", kind: Kind) -> Any:
    """A column as float64, or as categories that are text."""
    if kind is Kind.NUMERIC:
        return cells.astype("float64")
    if cells.dtype == "category":
        return cells
    if cells.dtype == "float64":  # whole numbers with gaps
        cells = cells.astype("Int64")
    text = cells if isinstance(cells.dtype, pd.StringDtype) else _text(cells)
    return text.astype("category")


def _text(cells: "pd.Series[Any]") -> "pd.Series[Any]":
    return cells.map(as_text, na_action="ignore").astype("str")
