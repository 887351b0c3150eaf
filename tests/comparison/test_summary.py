"""What a comparison says in plain words, in its table, and in its report."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tandem.commands.compare import schedule
from tandem.comparison.parity import certify
from tandem.comparison.summary import Comparison, Fit
from tandem.dataset.parquet import as_pandas, floats
from tandem.dataset.samples import sample
from tandem.model import predict
from tandem.reporting import charts
from tandem.reporting.page import page_html, page_markdown, page_note
from tandem.reporting.tables import table
from tandem.reporting.verdicts import verdict
from tandem.tracking.folder import read_answer, write_record
from tandem.tracking.record import describe
from tests.tasks import drive, make_task, synthetic


def test_no_engine_is_always_the_first(tmp_path: Path) -> None:
    turns = [(t.engine, t.number) for t in schedule(["a", "b"], 1, 3, tmp_path)]
    assert turns == [
        ("a", 0), ("b", 0), ("a", 1), ("b", 1), ("b", 2), ("a", 2), ("a", 3), ("b", 3),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """A comparison of four engines: real answers of `scan`, times as they might be."""
    place = tmp_path_factory.mktemp("comparison")
    synthetic(place / "data", rows=500, seed=2)
    task = make_task("dataset=files", "dataset.target=y", f"dataset.path={place / 'data'}")
    result = drive("scan", task)
    record = describe(result, {"model.tol": "null"}, "0")
    write_record(place, result, record, "")
    answer = read_answer("scan", 1, place)
    seconds = {"sequential": (8, 10, 9), "scan": (2, 3, 2), "distributed": (30, 31, 29)}
    seconds["distributed_scan"] = (20, 22, 21)
    answers = [replace(answer, engine=engine) for engine in seconds]
    used = [*answer.model.coefficients]
    rows = sample(task.dataset, ["y", *used])
    frame = as_pandas(rows)
    return Comparison(
        dataset="houses <b>",
        turns={engine: turns(record.values(), totals) for engine, totals in seconds.items()},
        answers=answers,
        certificate=certify(answers, frame),
        failed={},
        remarks=["the best reg_param is the smallest -> try smaller"],
        machine={"processor": "a fast one", "cores": "2"},
        task={"spark.master": "local[*]", "folds.k": "3", "dataset.target": "y"},
        fit=Fit(floats(rows["y"]), predict(answer.model, frame), dict.fromkeys(used, 0.25)),
    )


def turns(metrics: dict[str, float], totals: Sequence[float]) -> list[dict[str, float]]:
    return [metrics | {"time/session_s": 1.0, "time/total_s": float(t)} for t in totals]


def test_medians_are_what_is_compared(found: Comparison) -> None:
    assert found.total("sequential") == 9
    assert found.range_s("scan") == 1
    assert found.speedup("scan") == 4.5
    assert ("speedup/distributed", 0.3, 0) in found.metrics()
    rows = {row[0]: row[1:] for row in table(found)}
    assert rows["total s"] == ["9.00", "2.00", "30.00", "21.00"]
    assert rows["largest - smallest total s"] == ["2.00", "1.00", "2.00", "2.00"]
    assert rows["speed-up"] == ["1x", "4.5x", "0.3x", "0.429x"]


def test_the_verdict_is_plain(found: Comparison) -> None:
    speed, spark, spark_scan, same = verdict(found)
    assert speed == (
        "scan is 4.5x faster than sequential here, for 500 rows (medians of 3 runs): 2 s against "
        "9 s; apart from starting up 8.0x, 1 s against 8 s."
    )
    assert spark.startswith("Spark does not pay here on ")
    assert "distributed takes 3.3x as long as sequential (30 s against 9 s)" in spark
    assert "distributed_scan takes 10x as long as scan" in spark_scan
    assert same == "Every engine gives the same answer, bit for bit."


def test_where_spark_pays_it_says_so(found: Comparison) -> None:
    fast = {**found.turns, "distributed": [{"time/total_s": 3.0}]}
    assert "Spark pays here" in verdict(replace(found, turns=fast))[1]


def test_a_failed_engine_and_answers_that_differ_are_said(found: Comparison) -> None:
    wrong = [replace(a, test_rows=(1, 2)) if a.engine == "scan" else a for a in found.answers[:2]]
    bad = replace(
        found, certificate=certify(wrong, pd.DataFrame()), failed={"distributed": "status 4"}
    )
    lines = verdict(bad)
    assert "do NOT give the same answer: sequential and scan: not the same folds" in lines[-2]
    assert lines[-1] == "distributed has no result: status 4"
    assert "verdict fail" in page_html(bad, "tandem compare", {})


def test_the_report_carries_everything_in_itself(found: Comparison) -> None:
    page = page_html(found, "tandem compare folds.k=3", charts.draw(found))
    assert page.count("data:image/png;base64,") == len(charts.COMPARISON)
    assert "http" not in page.replace("http-equiv", "")
    assert "houses &lt;b&gt;" in page
    for text in (
        *verdict(found)[:1],
        *("y of houses", "Predicting the mean: ", "in units of y"),
        "+0.250",
        "distinct values",
        "a fast one",
        "tandem compare folds.k=3",
        "index by frequency",
    ):
        assert text in page
        if text != "index by frequency":
            assert text in page_markdown(found, "tandem compare folds.k=3")
    assert "4.5x" in page_note(found)
