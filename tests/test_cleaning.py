"""The plan, the valid row and the ledger against explicit loops."""

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.categories import frequency_order
from tandem.cleaning import decide, take_ledger, valid_row
from tandem.errors import ConfigurationError, DataError
from tandem.fold_keys import Folds
from tandem.records import Action, Column, Decision, Kind, Ledger, Plan, Profile
from tandem.settings import Cleaning, Encoding, FitOn, MissingCategory
from tandem.splits import check_folds
from tests.tasks import make_task

TARGET = Column("c0", "y", Kind.NUMERIC)
NUMBER = Column("c1", "number", Kind.NUMERIC)
TEXT = Column("c2", "text", Kind.CATEGORICAL)

libraries = pytest.mark.parametrize("library", ["pandas", "pyarrow"])


def cleaning(
    above: float = 0.60, below: float = 0.05, missing: MissingCategory = MissingCategory.KEEP
) -> Cleaning:
    return Cleaning(above, below, FitOn.TRAIN, missing, Encoding.INDEX, 100, 10.0)


def decision(column: Column, missing: int, rows: int, thresholds: Cleaning) -> Decision:
    spare = Column("c9", "spare", Kind.CATEGORICAL)  # so that a feature is left
    profile = Profile(rows, {column.id: missing, spare.id: 0})
    return decide(TARGET, [column, spare], profile, thresholds).decisions[0]


@pytest.mark.parametrize(
    ("missing", "action"),
    [
        (0, Action.KEEP),
        (1, Action.DROP_ROWS),
        (50, Action.DROP_ROWS),  # at most
        (51, Action.IMPUTE),
        (600, Action.IMPUTE),  # no more than
        (601, Action.DROP_COLUMN),
        (1000, Action.DROP_COLUMN),
    ],
)
def test_a_number_is_treated_by_its_share_of_missing_cells(missing: int, action: Action) -> None:
    found = decision(NUMBER, missing, 1000, cleaning())
    assert (found.action, found.missing) == (action, missing)


@pytest.mark.parametrize("rows", [10, 20, 60, 140, 1000, 336_776])
@pytest.mark.parametrize("above", [0.1, 0.3, 0.6, 0.7])
def test_the_upper_threshold_is_exact_whatever_the_number_of_rows(rows: int, above: float) -> None:
    tenths = round(above * 10)
    last_kept = rows * tenths // 10
    thresholds = cleaning(above=above, below=0.0)
    assert decision(NUMBER, last_kept, rows, thresholds).action is Action.IMPUTE
    assert decision(NUMBER, last_kept + 1, rows, thresholds).action is Action.DROP_COLUMN


def test_thresholds_of_zero_drop_whatever_has_a_gap() -> None:
    assert decision(NUMBER, 1, 1000, cleaning(above=0.0, below=0.0)).action is Action.DROP_COLUMN
    assert decision(NUMBER, 0, 1000, cleaning(above=0.0, below=0.0)).action is Action.KEEP


@pytest.mark.parametrize("missing", [0, 1, 50, 51, 601, 1000])
def test_a_missing_category_is_a_category_or_drops_its_row(missing: int) -> None:
    keep, drop = (cleaning(missing=choice) for choice in MissingCategory)
    dropping = Action.INDEX_DROP_ROWS if missing else Action.INDEX
    assert decision(TEXT, missing, 1000, keep).action is Action.INDEX
    assert decision(TEXT, missing, 1000, drop).action is dropping


def test_the_plan_is_a_pure_function_of_profile_and_thresholds() -> None:
    missing: Mapping[str, int] = MappingProxyType({"c1": 30, "c2": 4})
    profile = Profile(100, missing)
    plan = decide(TARGET, [NUMBER, TEXT], profile, cleaning())
    assert plan == decide(TARGET, [NUMBER, TEXT], Profile(100, dict(missing)), cleaning())
    assert plan != decide(TARGET, [NUMBER, TEXT], profile, cleaning(below=0.3))
    turned = decide(TARGET, [TEXT, NUMBER], profile, cleaning())
    assert turned.decisions == plan.decisions[::-1]


def test_every_decision_gives_its_reason() -> None:
    reasons = [decision(NUMBER, n, 1000, cleaning()).reason for n in (0, 50, 51, 601)]
    assert reasons[0] == "complete"
    assert [reason.split("%")[0] for reason in reasons[1:]] == ["5.0", "5.1", "60.1"]


def test_a_category_is_encoded_as_its_name_or_all_say() -> None:
    by_name = {"text": Encoding.TARGET}
    profile = Profile(10, {"c1": 0, "c2": 1})
    for encoding, encodings, action in (
        (Encoding.INDEX, {}, Action.INDEX),
        (Encoding.TARGET, {}, Action.TARGET),
        (Encoding.INDEX, by_name, Action.TARGET),
        (Encoding.TARGET, {"text": Encoding.INDEX}, Action.INDEX),
    ):
        chosen = replace(cleaning(), encoding=encoding, encodings=encodings)
        assert decide(TARGET, [NUMBER, TEXT], profile, chosen).decisions[1].action is action
    dropping = replace(cleaning(missing=MissingCategory.DROP), encodings=by_name)
    plan = decide(TARGET, [NUMBER, TEXT], profile, dropping)
    assert plan.decisions[1].action is Action.TARGET_DROP_ROWS
    assert plan.required == plan.target_encoded == (TEXT,)


@pytest.mark.parametrize("name", ["number", "txt"])
def test_what_is_no_category_cannot_be_encoded(name: str) -> None:
    chosen = replace(cleaning(), encodings={name: Encoding.TARGET})
    with pytest.raises(ConfigurationError, match=f"there is no category '{name}'.* some of text"):
        decide(TARGET, [NUMBER, TEXT], Profile(10, {"c1": 0, "c2": 0}), chosen)


def test_a_plan_without_features_is_refused() -> None:
    with pytest.raises(DataError, match="no feature left: 1 of 1"):
        decide(TARGET, [NUMBER], Profile(100, {"c1": 61}), cleaning())


def ordered(counts: Mapping[str, int]) -> list[str]:
    levels = [*counts]
    return [levels[i] for i in frequency_order(levels, np.array([*counts.values()], np.int64))]


def test_levels_are_ordered_by_descending_frequency() -> None:
    assert ordered({"a": 1, "b": 3, "c": 2}) == ["b", "c", "a"]


def test_levels_that_do_not_occur_have_no_place() -> None:
    assert ordered({"a": 0, "b": 3, "c": 0, "d": 4}) == ["d", "b"]
    assert ordered({"a": 0}) == []


ODD = ("b", "a", "\uff5e", "\U0001f600", "null", "", "B c", "\ue000", "\U00010000", "zz", "\xe9")


def test_ties_go_by_code_point() -> None:
    # By UTF-16 code unit, as Java compares, U+1F600 (0xD83D first) would come before U+FF5E.
    assert ordered(dict.fromkeys(ODD, 2))[-4:] == ["\ue000", "\uff5e", "\U00010000", "\U0001f600"]


@pytest.mark.slow
@pytest.mark.usefixtures("one_session")
def test_ties_go_as_in_spark() -> None:
    from pyspark.ml.feature import StringIndexer

    from tandem.spark import start

    session = start.start_session(make_task("dataset.rows=10").spark, "test")
    rows = session.createDataFrame([(level,) for level in ODD] * 3, ["c"]).repartition(2)
    found = StringIndexer(inputCol="c", outputCol="index").fit(rows)
    assert found.labels == ordered(dict.fromkeys(ODD, 3))


def test_a_prefix_comes_first_among_equals() -> None:
    assert ordered({"ab": 1, "a": 1, "B": 1, "b": 1, "a\x00": 1}) == ["B", "a", "a\x00", "ab", "b"]


@settings(max_examples=100)
@given(st.dictionaries(st.text(max_size=3), st.integers(0, 3), max_size=8))
def test_the_order_is_that_of_count_and_text(counts: dict[str, int]) -> None:
    present = [level for level, count in counts.items() if count]
    assert ordered(counts) == sorted(present, key=lambda x: (-counts[x], x))


# One column for every action that rows can meet.
PLAN = Plan(
    TARGET,
    (
        Decision(Column("c1", "kept", Kind.NUMERIC), Action.KEEP, 0, ""),
        Decision(Column("c2", "required", Kind.NUMERIC), Action.DROP_ROWS, 1, ""),
        Decision(Column("c3", "imputed", Kind.NUMERIC), Action.IMPUTE, 1, ""),
        Decision(Column("c4", "also imputed", Kind.NUMERIC), Action.IMPUTE, 1, ""),
        Decision(Column("c5", "indexed", Kind.CATEGORICAL), Action.INDEX, 1, ""),
        Decision(Column("c6", "required text", Kind.CATEGORICAL), Action.INDEX_DROP_ROWS, 1, ""),
        Decision(Column("c7", "dropped", Kind.NUMERIC), Action.DROP_COLUMN, 9, ""),
    ),
)
COLUMNS = (PLAN.target, *(d.column for d in PLAN.decisions))
NEEDED = ("c0", "c2", "c6")
IMPUTED = ("c3", "c4")

Row = dict[str, Any]

number = st.sampled_from([None, math.nan, 0.0, -1.5, 1e300])
text = st.sampled_from([None, "", "a", "nan", "null"])
rows = st.lists(
    st.fixed_dictionaries({c.id: number if c.kind is Kind.NUMERIC else text for c in COLUMNS}),
    min_size=1,
    max_size=12,
)


def native(cells: list[Row], library: str) -> Any:
    arrays = {}
    for column in COLUMNS:
        kind = pa.float64() if column.kind is Kind.NUMERIC else pa.string()
        arrays[column.id] = pa.array([row[column.id] for row in cells], kind, from_pandas=False)
    if library == "pyarrow":
        return pa.table(arrays)
    numbers = {c.id: "float64" for c in COLUMNS if c.kind is Kind.NUMERIC}
    texts = {c.id: "category" for c in COLUMNS if c.kind is Kind.CATEGORICAL}
    return pd.DataFrame({k: v.to_pylist() for k, v in arrays.items()}).astype(numbers | texts)


def lacks(row: Row, key: str) -> bool:
    return row[key] is None or (isinstance(row[key], float) and math.isnan(row[key]))


@libraries
@settings(max_examples=80)
@given(cells=rows)
def test_valid_rows_are_those_with_target_and_required_values(
    library: str, cells: list[Row]
) -> None:
    frame = nw.from_native(native(cells, library)).with_columns(valid=valid_row(PLAN))
    expected = [not any(lacks(row, key) for key in NEEDED) for row in cells]
    assert frame["valid"].to_list() == expected


@libraries
@settings(max_examples=80)
@given(cells=rows)
def test_the_ledger_tells_where_every_row_went(library: str, cells: list[Row]) -> None:
    no_target = used = imputed = 0
    for row in cells:
        if lacks(row, "c0"):
            no_target += 1
        elif not any(lacks(row, key) for key in NEEDED):
            used += 1
            imputed += sum(lacks(row, key) for key in IMPUTED)
    frame = nw.from_native(native(cells, library)).lazy()
    if used == 0:
        with pytest.raises(DataError, match="nothing left"):
            take_ledger(frame, PLAN)
        return
    missing = len(cells) - no_target - used
    ledger = take_ledger(frame, PLAN)
    assert ledger == Ledger(len(cells), used, no_target, missing, imputed)
    parts = ledger.rows_used + ledger.rows_dropped_target + ledger.rows_dropped_missing
    assert ledger.rows_in == parts


@libraries
def test_a_plan_that_drops_no_rows_keeps_every_row_with_a_target(library: str) -> None:
    plan = Plan(TARGET, (Decision(NUMBER, Action.KEEP, 0, ""),))
    columns = {"c0": [1.0, None, 3.0], "c1": [1.0, 2.0, 3.0]}
    table = pd.DataFrame(columns) if library == "pandas" else pa.table(columns)
    assert take_ledger(nw.from_native(table).lazy(), plan) == Ledger(3, 2, 1, 0, 0)


@libraries
def test_nothing_left_says_how_many_rows_went_where(library: str) -> None:
    plan = Plan(TARGET, (Decision(NUMBER, Action.DROP_ROWS, 2, ""),))
    columns = {"c0": [None, 2.0, 3.0], "c1": [1.0, None, None]}
    table = pd.DataFrame(columns) if library == "pandas" else pa.table(columns)
    with pytest.raises(DataError, match=r"nothing left .*: 1 rows have no target, 2 miss"):
        take_ledger(nw.from_native(table).lazy(), plan)


def test_more_folds_than_rows_are_refused_with_both_numbers() -> None:
    with pytest.raises(DataError, match=r"folds\.k: 5: more folds than the 4 rows"):
        check_folds([1, 1, 1, 1, 0], Folds(5, 0, 1))


def test_an_empty_fold_is_refused_by_its_number() -> None:
    with pytest.raises(DataError, match=r"folds\.k: 3: fold 1 is empty with 10 rows"):
        check_folds([4, 0, 6], Folds(3, 0, 1))


def test_as_many_folds_as_rows_are_allowed() -> None:
    check_folds([1, 1, 1], Folds(3, 0, 1))
