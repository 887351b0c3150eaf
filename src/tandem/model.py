"""The trained model as plain data: JSON in, predictions on raw rows out. No Spark, no pickle.

MLflow loads this module by name (`_load_pyfunc`) from the copy that is logged with the model, so
it imports nothing of the package but the records, and what reads dates.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tandem.dates import read_off
from tandem.parts import Part
from tandem.records import Array, Source
from tandem.results import LinearModel

if TYPE_CHECKING:
    import pandas as pd

FORMATS = (1, 2, 3, 4)  # the second has `encodings`, the third `sources`, the fourth `log_target`


def to_json(model: LinearModel) -> str:
    """The model as JSON text; floats keep all their digits. Raises ValueError where one is NaN."""
    number = 4 if model.log_target else 3 if model.sources else 2 if model.encodings else 1
    fields: dict[str, Any] = {"format": number}
    fields |= {field.name: getattr(model, field.name) for field in dataclass_fields(model)}
    fields["sources"] = {name: asdict(source) for name, source in model.sources.items()}
    for key in ("encodings", "sources", "log_target"):  # as before there were any
        if not fields[key]:
            del fields[key]
    return _lines(fields, "\n ") + "\n"


def _lines(value: Any, line: str) -> str:
    """`value` as JSON, a line for every key; a list, which may be of a million, is one."""
    if not isinstance(value, Mapping) or not value:
        return json.dumps(value, allow_nan=False)
    each = (f"{line}{json.dumps(key)}: {_lines(one, line + ' ')}" for key, one in value.items())
    return f"{{{','.join(each)}{line[:-1]}}}"


def from_json(text: str) -> LinearModel:
    """The model that `to_json` wrote.

    Raises ValueError on another format number, a field that it does not know, and on numbers that
    are not finite.
    """
    fields = json.loads(text, parse_constant=_refused, parse_float=_finite)
    if (found := fields.pop("format", None)) not in FORMATS:
        raise ValueError(f"model format {found}: this version reads formats {FORMATS}")
    if unknown := fields.keys() - {field.name for field in dataclass_fields(LinearModel)}:
        raise ValueError(f"model: {min(unknown)}: no field of a model that this version reads")
    for key in ("levels", "encodings"):
        fields[key] = {name: tuple(listed) for name, listed in fields.get(key, {}).items()}
    for name, source in fields.get("sources", {}).items():
        fields["sources"][name] = Source(source["column"], Part(source["part"]), source["form"])
    return LinearModel(**fields)


def _refused(number: str) -> float:
    raise ValueError(f"model: {number}: a number of a model is finite")


def _finite(number: str) -> float:
    found = float(number)
    return found if np.isfinite(found) else _refused(number)


def predict(model: LinearModel, frame: "pd.DataFrame") -> Array:
    """intercept + sum_j coefficients[j] * x_j for every row of the raw `frame`, shape (rows,).

    Of a model of logarithms, exp of that. A missing number becomes the training mean; a category
    its frequency index, one unseen in training the index after the last, or the value of that
    index. What is read off a date, a time or a duration may stand there itself. Columns that the
    model does not know are ignored.
    Raises ValueError where a column is absent, or holds text in place of numbers or dates.
    """
    needed = {
        name: model.sources[name].column if name in model.sources else name
        for name in model.coefficients
    }
    raw = {name: one for name, one in needed.items() if name == one or name not in frame.columns}
    if absent := {one for one in raw.values() if one not in frame.columns}:
        needs = [*dict.fromkeys(needed.values())]
        raise ValueError(f"columns {sorted(absent)} are absent: the model needs {needs}")
    dates = read_off(frame, {n: s for n, s in model.sources.items() if n in raw})
    total = np.full(len(frame), model.intercept)
    for name, coefficient in model.coefficients.items():
        cells = dates[name] if name in dates else frame[name]
        total += coefficient * feature(model, cells, name)
    return np.exp(total) if model.log_target else total


def feature(model: LinearModel, cells: "pd.Series[Any]", name: str) -> Array:
    """x_j of column `name`: its raw `cells` as the model multiplies them, shape (rows,).

    Of what is read off dates, the numbers.

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
    asked = [*texts]
    wanted = {*asked}  # of levels, which may be a million
    index = {level: i for i, level in enumerate(levels) if level in wanted}
    return np.array([index.get(text, len(levels)) for text in asked], dtype=np.float64)


def as_text(cell: object) -> str:
    """A category as text: true and false as Spark writes them, whole numbers without a point, all
    else as it is.
    """
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)  # of a code, in a column with gaps
    return str(cell).lower() if isinstance(cell, (bool, np.bool_)) else str(cell)


@dataclass(frozen=True, slots=True)
class _PyFunc:
    """What `mlflow.pyfunc` calls."""

    model: LinearModel

    def predict(self, model_input: "pd.DataFrame", params: object = None) -> Array:  # noqa: ARG002 - the signature is MLflow's
        return predict(self.model, model_input)


def _load_pyfunc(path: str) -> _PyFunc:
    return _PyFunc(from_json(Path(path).read_text(encoding="utf-8")))
