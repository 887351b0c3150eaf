"""When two answers count as the same, and what is said of two that are not."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tandem.answers import Answer
from tandem.comparison.parity import Certificate, certify, differences
from tandem.dataset.parquet import as_pandas
from tandem.dataset.samples import sample
from tandem.model_keys import GridPoint
from tandem.records import Array
from tandem.tracking.folder import read_answer, write_record
from tandem.tracking.record import describe
from tests.tasks import drive, make_task, synthetic

OPTIONS = ("dataset=files", "dataset.target=y", "folds.k=3", "model.reg_param=[0.1,0.01]")


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Answer, pd.DataFrame]:
    """The answer of a real run, read back from its record, and raw rows of its dataset."""
    place = tmp_path_factory.mktemp("answer")
    synthetic(place / "data", rows=900, seed=1, files=3)
    result = drive("scan", make_task(*OPTIONS, f"dataset.path={place / 'data'}"))
    write_record(place, result, describe(result, {"model.tol": "null"}, "0"), "")
    answer = read_answer("scan", 1, place)
    assert answer.metrics["rmse"].tobytes() == result.scores.rmse.tobytes()
    assert answer.best == result.best
    return answer, as_pandas(sample(result.task.dataset, ["y", *result.model.coefficients]))


def moved(answer: Answer, engine: str, by: float, fold: int = 1, index: int = 4) -> Answer:
    """`answer` of another engine, with one RMSE off by `by` of itself."""
    rmse: Array = answer.metrics["rmse"].copy()
    rmse[fold, index] *= 1 + by
    return replace(answer, engine=engine, metrics={**answer.metrics, "rmse": rmse})


def certificate(left: Answer, right: Answer, rows: pd.DataFrame) -> Certificate:
    found = certify([left, right], rows)
    json.dumps(found.as_dict())
    return found


def test_the_sample_has_rows_of_every_file_and_a_target(
    answered: tuple[Answer, pd.DataFrame],
) -> None:
    _, rows = answered
    assert 800 < len(rows) < 900
    assert rows["y"].notna().all()


@pytest.mark.parametrize(
    ("other", "by", "passes"),
    [
        ("distributed_scan", 0.0, True),
        ("distributed_scan", 1e-15, False),  # it promises the same bits
        ("sequential", 1e-3, True),  # lasso points: scikit-learn stops at a duality gap of 1e-4
        ("sequential", 0.1, False),
        ("distributed", 1e-3, True),
        ("distributed", 0.02, False),
    ],
)
def test_an_rmse_may_differ_by_what_the_solvers_leave(
    answered: tuple[Answer, pd.DataFrame], other: str, by: float, *, passes: bool
) -> None:
    answer, rows = answered
    found = certificate(answer, moved(answer, other, by), rows)
    assert found.passed is passes
    if not passes:
        (fault,) = found.faults
        assert f"scan and {other}: rmse differs" in fault
        assert "fold 1, reg_param=0.01, elastic_net_param=0.5" in fault


@pytest.mark.parametrize("other", ["sequential", "distributed"])
def test_ridge_is_in_closed_form_and_leaves_rounding_only(
    answered: tuple[Answer, pd.DataFrame], other: str
) -> None:
    answer, rows = answered
    assert answer.grid[3] == GridPoint(0.01, 0.0)
    assert certificate(answer, moved(answer, other, 1e-11, index=3), rows).passed
    assert not certificate(answer, moved(answer, other, 1e-7, index=3), rows).passed


def test_a_tighter_tolerance_is_held_to(answered: tuple[Answer, pd.DataFrame]) -> None:
    answer, rows = answered
    tight = replace(moved(answer, "sequential", 1e-3), tol=1e-10)
    assert not certificate(answer, tight, rows).passed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cleaning": {"ledger": {}, "decisions": []}}, "rows and cleaning"),
        ({"test_rows": (1, 2, 3)}, "folds"),
        ({"grid": (GridPoint(1.0, 0.0),)}, "grid"),
    ],
)
def test_what_must_be_the_same_is_named(
    answered: tuple[Answer, pd.DataFrame], change: Mapping[str, Any], says: str
) -> None:
    answer, rows = answered
    found = certificate(answer, replace(answer, engine="sequential", **change), rows)
    assert found.faults == (f"scan and sequential: not the same {says}",)


def test_equal_sizes_with_other_rows_in_them_are_other_folds(
    answered: tuple[Answer, pd.DataFrame],
) -> None:
    answer, rows = answered
    other = replace(answer, engine="sequential", target_deviation=answer.target_deviation[::-1])
    assert certificate(answer, other, rows).faults == ("scan and sequential: not the same folds",)


def test_another_winner_is_a_fault_unless_both_are_as_good(
    answered: tuple[Answer, pd.DataFrame],
) -> None:
    answer, rows = answered
    assert answer.best != answer.grid[0]
    other = replace(answer, engine="sequential", best=answer.grid[0], tol=1e-14)
    assert certificate(answer, other, rows).faults == (
        "scan and sequential: not the same winning grid point",
    )
    rmse = np.repeat(answer.metrics["rmse"][:, :1], len(answer.grid), axis=1)
    flat = replace(answer, metrics={**answer.metrics, "rmse": rmse, "r2": np.zeros_like(rmse)})
    assert certificate(flat, replace(flat, engine="sequential", best=flat.grid[0]), rows).passed


def test_a_wrong_coefficient_shows(answered: tuple[Answer, pd.DataFrame]) -> None:
    answer, rows = answered
    slopes = {**answer.model.coefficients}
    slopes["a"] *= 1.05
    model = replace(answer.model, coefficients=slopes)
    found = certificate(answer, replace(answer, engine="distributed", model=model), rows)
    (pair,) = found.pairs
    by = {difference.what: difference for difference in pair.largest}
    assert by["prediction"].share > 1
    assert by["coefficient"].where.startswith("a, standardised")
    assert not found.passed


def test_every_turn_is_compared_with_the_first(answered: tuple[Answer, pd.DataFrame]) -> None:
    answer, rows = answered
    second = replace(moved(answer, "scan", 1e-14), turn=2)
    found = certify([answer, second, replace(answer, engine="distributed_scan")], rows)
    assert [(p.left, p.right, p.passed) for p in found.pairs] == [
        ("scan", "distributed_scan", True),
        ("scan (turn 1)", "scan (turn 2)", False),
    ]


def test_every_difference_is_listed(answered: tuple[Answer, pd.DataFrame]) -> None:
    answer, _ = answered
    table = differences(answer, moved(answer, "sequential", 1e-3))
    assert len(table) == 2 * 3 * 6
    (row,) = table[table.absolute > 0].to_dict("records")
    assert (row["metric"], row["fold"], row["reg_param"]) == ("rmse", 1, 0.01)
    assert row["relative"] == pytest.approx(1e-3, rel=1e-2)
