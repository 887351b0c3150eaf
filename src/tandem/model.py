"""The trained model as plain data: JSON in, predictions on raw rows out. No Spark, no pickle.

MLflow loads this module by name (`_load_pyfunc`) from the copy that is logged with the model, so
it imports nothing of the package but the records.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tandem.records import Array
from tandem.results import LinearModel

if TYPE_CHECKING:
    import pandas as pd

FORMATS = (1, 2)  # the second has `encodings`


def to_json(model: LinearModel) -> str:
    """The model as JSON text; floats keep all their digits. Raises ValueError where one is NaN."""
    fields = asdict(model)
    if not model.encodings:  # as before there were any
        del fields["encodings"]
    number = FORMATS[bool(model.encodings)]
    return json.dumps({"format": number, **fields}, indent=1, allow_nan=False)


def from_json(text: str) -> LinearModel:
    """The model that `to_json` wrote. Raises ValueError on another format number."""
    fields = json.loads(text)
    if (found := fields.pop("format", None)) not in FORMATS:
        raise ValueError(f"model format {found}: this version reads formats {FORMATS}")
    for key in ("levels", "encodings"):
        fields[key] = {name: tuple(listed) for name, listed in fields.get(key, {}).items()}
    return LinearModel(**fields)


def predict(model: LinearModel, frame: "pd.DataFrame") -> Array:
    """intercept + sum_j coefficients[j] * x_j for every row of the raw `frame`, shape (rows,).

    A missing number becomes the training mean; a category becomes its frequency index, one unseen
    in training the index after the last, or the value of that index. Columns that the model does
    not know are ignored.
    Raises ValueError where a column is absent or holds text in place of numbers.
    """
    absent = [name for name in model.coefficients if name not in frame.columns]
    if absent:
        raise ValueError(f"columns {absent} are absent: the model needs {[*model.coefficients]}")
    total = np.full(len(frame), model.intercept)
    for name, coefficient in model.coefficients.items():
        total += coefficient * feature(model, frame[name], name)
    return total


def feature(model: LinearModel, cells: "pd.Series[Any]", name: str) -> Array:
    """x_j of column `name`: its raw `cells` as the model multiplies them, shape (rows,).

    Raises ValueError where a column of numbers holds text.
    """
    levels = model.levels.get(name)
    if levels is None:
        return _numbers(cells, model.means[name])
    return encoded(model, name, _indices(cells, levels))


def _numbers(cells: "pd.Series[Any]", mean: float) -> Array:
    import pandas as pd  # noqa: PLC0415 - a run needs none of it

    values = pd.to_numeric(cells).to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    values[np.isnan(values)] = mean
    return values


def _indices(cells: "pd.Series[Any]", levels: tuple[str | None, ...]) -> Array:
    import pandas as pd  # noqa: PLC0415 - a run needs none of it

    absent = cells.isna().to_numpy()
    codes, seen = pd.factorize(cells[~absent].map(as_text))
    values = np.full(len(cells), indices([None], levels)[0])
    values[~absent] = indices(seen, levels)[codes]
    return values


def encoded(model: LinearModel, name: str, found: Array) -> Array:
    """x_j of column `name` by the `found` indices, both of shape (rows,): they, or their values."""
    values = model.encodings.get(name)
    return found if values is None else np.array(values)[found.astype(np.int64)]


def indices(texts: Iterable[str | None], levels: Sequence[str | None]) -> Array:
    """The index of every category by frequency, shape (texts,); None: a missing one.

    One that is not among `levels` gets the index after the last.
    """
    index = {level: i for i, level in enumerate(levels)}
    return np.array([index.get(text, len(levels)) for text in texts], dtype=np.float64)


def as_text(cell: object) -> str:
    """A category as text: true and false as Spark writes them, all else as it is."""
    return str(cell).lower() if isinstance(cell, (bool, np.bool_)) else str(cell)


@dataclass(frozen=True, slots=True)
class _PyFunc:
    """What `mlflow.pyfunc` calls."""

    model: LinearModel

    def predict(self, model_input: "pd.DataFrame", params: object = None) -> Array:  # noqa: ARG002 - the signature is MLflow's
        return predict(self.model, model_input)


def _load_pyfunc(path: str) -> _PyFunc:
    return _PyFunc(from_json(Path(path).read_text(encoding="utf-8")))
