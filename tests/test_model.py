"""The model as plain data: what is written is what is read, and raw rows are predicted."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose

from tandem.model import from_json, predict, to_json
from tandem.results import LinearModel

MODEL = LinearModel(
    intercept=10.0,
    coefficients={"distance": 0.5, "city": 100.0, "late": 1000.0, "dot.ted `name`": -3.0},
    means={"distance": 7.0, "dot.ted `name`": 2.0},
    levels={"city": ("Rome", None, "Oslo"), "late": ("false", "true")},
)


def slow_prediction(model: LinearModel, row: dict[str, Any]) -> float:
    total = model.intercept
    for name, coefficient in model.coefficients.items():
        cell = row[name]
        missing = cell is None or cell is pd.NA or (isinstance(cell, float) and math.isnan(cell))
        if name in model.means:
            value = model.means[name] if missing else float(cell)
        else:
            text = {True: "true", False: "false"}.get(cell, cell) if not missing else None
            levels = model.levels[name]
            value = levels.index(text) if text in levels else len(levels)
        total += coefficient * value
    return float(total)


DISTANCE = [1.5, None, math.nan, -4.0, 0.0, 2.0]
CITY = ["Rome", None, "Paris", "Oslo", "", "None"]
LATE = [True, False, None, True, False, False]
OTHER = [1, 2, 3, 4, 5, 6]

TEXT_TYPES = ["object", "str", "string", "category", pd.ArrowDtype(pa.string())]


def table(**columns: Any) -> pd.DataFrame:
    cells: dict[str, Any] = {
        "distance": DISTANCE,
        "city": CITY,
        "late": pd.Series(LATE, dtype="object"),
        "dot.ted `name`": OTHER,
    }
    return pd.DataFrame(cells | columns)


def expected(model: LinearModel = MODEL, **columns: Sequence[Any]) -> list[float]:
    cells = {"distance": DISTANCE, "city": CITY, "late": LATE, "dot.ted `name`": OTHER} | columns
    rows = [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]
    return [slow_prediction(model, row) for row in rows]


def test_the_loop_itself_is_right_on_rows_done_by_hand() -> None:
    assert expected()[:3] == [
        10 + 0.75 + 0 + 1000 - 3,
        10 + 3.5 + 100 + 0 - 6,  # the mean; missing has index 1
        10 + 3.5 + 300 + 2000 - 9,  # unseen has the index after the last, for both
    ]


@pytest.mark.parametrize("kind", TEXT_TYPES, ids=str)
def test_dirty_rows_are_predicted_as_by_a_loop_whatever_holds_the_text(kind: Any) -> None:
    frame = table(city=pd.Series(CITY, dtype=kind))
    assert predict(MODEL, frame).tolist() == pytest.approx(expected(), rel=1e-15)


@pytest.mark.parametrize("kind", ["object", "boolean", "category", "bool[pyarrow]"])
def test_true_and_false_are_categories_however_they_are_held(kind: str) -> None:
    frame = table(late=pd.Series(LATE, dtype=kind))
    assert predict(MODEL, frame).tolist() == pytest.approx(expected(), rel=1e-15)


def test_plain_booleans_and_their_texts_are_the_same() -> None:
    late = [True, False, True, True, False, False]
    texts = ["true" if value else "false" for value in late]
    by_value = predict(MODEL, table(late=late)).tolist()
    assert by_value == predict(MODEL, table(late=texts)).tolist()
    assert by_value == pytest.approx(expected(late=late), rel=1e-15)


@pytest.mark.parametrize("kind", ["object", "Int64", "int64[pyarrow]", "float64", "Float64"])
def test_numbers_with_gaps_are_filled_however_they_are_held(kind: str) -> None:
    gaps = [1, None, 3, 4, None, 6]
    frame = table(distance=pd.Series(gaps, dtype=kind))
    assert predict(MODEL, frame).tolist() == pytest.approx(expected(distance=gaps), rel=1e-15)


def test_columns_that_are_missing_altogether_are_predicted() -> None:
    nothing = [None] * 6
    frame = table(distance=nothing, city=nothing, late=nothing)
    result = expected(distance=nothing, city=nothing, late=nothing)
    assert predict(MODEL, frame).tolist() == pytest.approx(result, rel=1e-15)


def test_a_missing_category_that_training_never_saw_is_unseen() -> None:
    model = LinearModel(0.0, {"city": 1.0}, {}, {"city": ("Rome", "Oslo")})
    assert predict(model, pd.DataFrame({"city": ["Oslo", None, "Paris"]})).tolist() == [1, 2, 2]


def test_order_index_and_further_columns_do_not_matter() -> None:
    frame = table()
    turned = frame[frame.columns[::-1]].assign(more="x").set_index(np.arange(6) * 7 % 6)
    assert predict(MODEL, turned).tolist() == predict(MODEL, frame).tolist()


def test_no_rows_give_no_predictions() -> None:
    assert predict(MODEL, table().iloc[:0]).tolist() == []


def test_the_frame_is_left_as_it_was() -> None:
    frame = table()
    before = frame.copy(deep=True)
    predict(MODEL, frame)
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("name", ["distance", "city"])
def test_an_absent_column_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=rf"columns \['{name}'\] are absent"):
        predict(MODEL, table().drop(columns=name))


def test_text_in_place_of_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="far"):
        predict(MODEL, table(distance=["far", *["1"] * 5]))


def test_json_keeps_every_digit_and_every_level() -> None:
    model = LinearModel(
        intercept=0.1 + 0.2,
        coefficients={"a": 1 / 3, "b.c": -5e-324, 'd"\\\u20ac': 1.7976931348623157e308},
        means={"a": math.pi * 1e-200},
        levels={"b.c": ("x", None, "\U0001f600", "", "null"), 'd"\\\u20ac': ()},
    )
    again = from_json(to_json(model))
    assert again == model
    assert [*again.coefficients] == [*model.coefficients]


def test_a_category_is_predicted_by_its_value_where_there_is_one() -> None:
    values = {"city": (10.5, 20.25, -3.0, 7.5)[: len(MODEL.levels["city"]) + 1]}
    values["city"] += (99.0,) * (len(MODEL.levels["city"]) + 1 - len(values["city"]))
    model = replace(MODEL, encodings=values)
    found = predict(model, table()) - predict(MODEL, table())
    levels = MODEL.levels["city"]
    places = [levels.index(city) if city in levels else len(levels) for city in CITY]
    wanted = [MODEL.coefficients["city"] * (values["city"][at] - at) for at in places]
    assert_allclose(found, wanted, rtol=1e-9)


def test_values_are_a_format_of_their_own() -> None:
    assert '"format": 1' in to_json(MODEL)
    assert "encodings" not in to_json(MODEL)
    model = replace(MODEL, encodings={"city": (0.1, 0.2)})
    assert '"format": 2' in to_json(model)
    assert from_json(to_json(model)) == model


def test_a_model_that_is_no_number_is_not_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_json(LinearModel(math.nan, {}, {}, {}))


def test_another_format_is_refused_by_its_number() -> None:
    text = to_json(MODEL).replace('"format": 1', '"format": 99')
    with pytest.raises(ValueError, match="model format 99"):
        from_json(text)
