"""Categories that are only counted in the first scan: the same answer, within the budget."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tandem.categories import MISSING
from tandem.errors import ConfigurationError
from tandem.moments import accumulate, budget
from tandem.moments.accumulate import total
from tandem.moments.budget import PAIR_WEIGHT, given_up, levels_of
from tandem.moments.moments import Moments
from tandem.results import Result
from tandem.scan import row_groups
from tandem.scan.arrow import categories
from tandem.scan.first_rows import expected_levels
from tandem.solver.encodings import Protocol
from tandem.solver.recentre import canonical
from tandem.solver.training_sets import Folding
from tandem.tracking.record import describe
from tests.engines.test_scan import check, identical, table_task, tables, write
from tests.moments.test_moments import Table, cut
from tests.tasks import drive, synthetic, truth_of


@contextmanager
def limit(size: int, **constants: int) -> Iterator[None]:
    """With a budget of `size` bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "LIMIT", size)
        for name, value in constants.items():
            patch.setattr(accumulate, name, value)
        yield


def close(found: Result, expected: Result) -> None:
    """The same but for the order of summation."""
    assert_allclose(found.sums.sse, expected.sums.sse, rtol=1e-12)
    assert_allclose(found.sums.sst, expected.sums.sst, rtol=1e-12)
    assert found.ledger == replace(expected.ledger, rows_from_cache=found.ledger.rows_from_cache)
    assert found.model.levels == expected.model.levels
    assert found.model.means == expected.model.means
    assert found.model.coefficients.keys() == expected.model.coefficients.keys()
    slopes = [*expected.model.coefficients.values()]
    largest = float(np.max(np.abs(slopes)))
    assert_allclose([*found.model.coefficients.values()], slopes, rtol=0, atol=1e-11 * largest)


@pytest.mark.parametrize("fit_on", ["train", "all"])
@pytest.mark.parametrize("missing_category", ["keep", "drop"])
@pytest.mark.parametrize(("k", "block"), [(3, 1), (5, 7), (4, 256)])
def test_every_protocol(
    tmp_path: Path, fit_on: str, missing_category: str, k: int, block: int
) -> None:
    synthetic(tmp_path, rows=400 if block < 256 else 3000, seed=k, files=k - 2)
    protocol = (f"cleaning.fit_on={fit_on}", f"cleaning.missing_category={missing_category}")
    task = table_task(tmp_path, f"folds.k={k}", f"folds.block={block}", *protocol)
    one_scan = drive("scan", task)
    assert one_scan.facts.counted == ()
    with limit(0):
        result = drive("scan", task)
    check(result, truth_of(task))
    close(result, one_scan)
    names = tuple(column.name for column in result.plan.categorical)
    assert result.facts.counted == names
    assert result.facts.scans == one_scan.facts.scans + 1


@pytest.mark.parametrize("fit_on", ["train", "all"])
@pytest.mark.parametrize("max_levels", [1, 3, 100])
def test_levels_as_features(tmp_path: Path, fit_on: str, max_levels: int) -> None:
    """The frequent ones are summed in a second scan, all others as one; the errors in a third."""
    synthetic(tmp_path, rows=400, seed=6, files=2)
    encoding = ("cleaning.encoding=one_hot", f"cleaning.max_levels={max_levels}")
    task = table_task(tmp_path, f"cleaning.fit_on={fit_on}", *encoding, "scores.mae=true")
    with limit(0):
        result = drive("scan", task)
    check(result, truth_of(task))
    one_scan = drive("scan", task)
    close(result, one_scan)
    assert_allclose(result.sums.by_row["mae"], one_scan.sums.by_row["mae"], rtol=1e-12)
    assert result.facts.scans == one_scan.facts.scans + 1
    for name, values in one_scan.model.encodings.items():
        assert_allclose(result.model.encodings[name], values, rtol=1e-10, atol=1e-12)


def test_the_target_has_no_sums_by_level_there(tmp_path: Path) -> None:
    synthetic(tmp_path, rows=400, seed=1)
    with limit(0), pytest.raises(ConfigurationError, match=r"column 'city' has too many levels"):
        drive("scan", table_task(tmp_path, "+cleaning.encodings={city: target}"))


@given(
    tables(),
    st.sampled_from(["train", "all"]),
    st.sampled_from(["keep", "drop"]),
    st.sampled_from([2, 3, 5]),
    st.sampled_from([7, 33, 1000]),
    st.sampled_from([0, 500, 1500, 3000, 8000]),
    st.sampled_from([0, 20, 8_000_000]),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_any_table_and_budget(  # noqa: PLR0917 - one strategy each
    tmp_path_factory: pytest.TempPathFactory,
    columns: dict[str, Any],
    fit_on: str,
    missing_category: str,
    k: int,
    row_group: int,
    size: int,
    dense_cells: int,
) -> None:
    folder = tmp_path_factory.mktemp("table")
    write(folder, columns, row_group)
    protocol = (f"cleaning.fit_on={fit_on}", f"cleaning.missing_category={missing_category}")
    task = table_task(folder, f"folds.k={k}", *protocol, "model.reg_param=[0.01,0.5]")
    with limit(size, DENSE_CELLS=dense_cells, _WAITING=10):
        check(drive("scan", task), truth_of(task), unique=False)


def ids_come_late(rows: int = 3000) -> dict[str, Any]:
    """Half way through, `id` begins to have a level of its own in every row."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, rows))
    of_own = np.where(np.arange(rows) < rows // 2, 0, np.arange(rows))
    city = rng.integers(0, 40, rows)
    return {
        "id": pa.array(of_own).cast(pa.string()),
        "x": x[0],
        "z": pa.array(x[1], mask=rng.random(rows) < 0.2),
        "city": pa.array(city, mask=rng.random(rows) < 0.1).cast(pa.string()),
        "shop": pa.array(city % 7).cast(pa.string()),
        "y": x.sum(axis=0) + 1e-3 * of_own + city,
    }


SIZE = 100_000  # bytes that hold the sums of `city` and `shop`, and of `id` in the first row groups


def test_what_the_first_rows_do_not_tell(tmp_path: Path) -> None:
    write(tmp_path, ids_come_late(), 200)
    task = table_task(tmp_path, "folds.k=4")
    one_scan = drive("scan", task)
    with limit(SIZE):
        one, *others = (drive("scan", replace(task, threads=threads)) for threads in (1, 2, 5))
    assert one.facts.counted == ("id",)
    assert one.facts.scans == 2
    check(one, truth_of(task))
    close(one, one_scan)
    for other in others:
        identical(other, one)


@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_every_row_its_own_level(tmp_path: Path, fit_on: str) -> None:
    """Of which the first rows tell; all held-out levels are unseen."""
    columns = ids_come_late(500)
    columns["id"] = pa.array(np.arange(500)).cast(pa.string())
    write(tmp_path, columns, 100)
    task = table_task(tmp_path, f"cleaning.fit_on={fit_on}", "scores.mae=true")
    one_scan = drive("scan", task)
    with limit(20_000):
        result = drive("scan", task)
    assert result.facts.counted == ("id",)
    assert result.facts.scans == 3  # moments, indices, absolute errors
    check(result, truth_of(task))
    assert_allclose(result.scores.others["mae"], one_scan.scores.others["mae"], rtol=1e-11)


def test_a_large_pair_costs_its_larger_category_the_sums(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, [64, 60, 3], (6000, 3)).T
    columns = {name: pa.array(codes[j]).cast(pa.string()) for j, name in enumerate("abc")}
    write(tmp_path, {**columns, "y": rng.normal(size=6000) + codes[0]}, 1000)
    task = table_task(tmp_path)
    one_scan = drive("scan", task)
    sums = 3 * accumulate.table_bytes(64, 3, 2)
    with limit(sums + 10_000):  # the counts of a and b: 64 * 64 * 3 * 4 bytes
        result = drive("scan", task)
    assert result.facts.counted == ("a",)
    close(result, one_scan)


def test_the_record_says_what_was_chosen(tmp_path: Path) -> None:
    write(tmp_path, ids_come_late(), 200)
    task = table_task(tmp_path)
    record = describe(drive("scan", task), {}, "")
    assert "data.counted_categories" not in record.tags
    with limit(SIZE // 2):
        counted = describe(drive("scan", task), {}, "")
    assert counted.tags["data.counted_categories"] == "id"
    assert counted.values()["data/scans"] == 2
    assert 0 < counted.values()["memory/moments_mb"] < record.values()["memory/moments_mb"]


def test_kept_sums_are_of_the_budget_that_they_were_made_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "data"
    data.mkdir()
    write(data, ids_come_late(), 200)
    task = table_task(data, "cache.moments=true")
    fresh = drive("scan", replace(task, cache_moments=False))
    with limit(SIZE):
        first, again = drive("scan", task), drive("scan", task)
    assert (first.facts.scans, again.facts.scans) == (2, 1)
    assert again.ledger.rows_from_cache == 3000
    identical(replace(again, ledger=first.ledger), first)
    identical(replace(drive("scan", task), ledger=fresh.ledger), fresh)


def test_levels_are_those_of_a_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 20_000
    rng = np.random.default_rng(0)
    ids = pa.array(np.arange(rows) // 2, mask=rng.random(rows) < 0.1).cast(pa.string())
    write(tmp_path, {"id": ids, "x": rng.normal(size=rows), "y": rng.normal(size=rows)}, rows)
    task = table_task(tmp_path)
    whole = drive("scan", task)
    monkeypatch.setattr(row_groups, "BATCH_CELLS", 1)
    close(drive("scan", task), whole)


def test_a_column_of_levels() -> None:
    words = pa.DictionaryArray.from_arrays(
        pa.array([3, None, 0, 2, 5, 4, 3], pa.int32()), ["a", "unused", None, "d", "a", "f"]
    )
    expected = ["d", MISSING, "a", MISSING, "f", "a", "d"]
    for column in (words, words.cast(pa.string())):
        codes, missing = categories(column)
        assert [codes.levels[code] for code in codes.codes] == expected
        assert len({*codes.levels}) == len(codes.levels)
        assert missing.tolist() == [1, 3]
    codes, missing = categories(words[4:6])
    assert [codes.levels[code] for code in codes.codes] == expected[4:6]
    assert "unused" not in codes.levels  # fewer rows than levels
    assert missing.tolist() == []


def full_and_counted() -> tuple[list[Moments], Moments]:
    parts = cut(Table(400, 2, whole=True), [50, 100, 300])
    return parts, canonical(total(parts))


def test_counts_are_the_first_column_of_the_sums() -> None:
    parts, full = full_and_counted()
    counted = canonical(total(parts, 0))
    assert counted.counted == (0, 1)
    assert counted.pairs == ()
    assert counted.nbytes < full.nbytes
    for one, other in zip(counted.categories, full.categories, strict=True):
        assert one.levels == other.levels
        assert_array_equal(one.keys, other.keys)
        assert_array_equal(one.sums, other.sums[:, :1])


def test_a_part_that_is_counted_counts_for_the_sum() -> None:
    parts, full = full_and_counted()
    for place in range(len(parts)):
        mixed = [*parts]
        mixed[place] = _counted(parts[place])
        found = canonical(total(mixed))
        assert found.counted == (0, 1)
        for one, other in zip(found.categories, full.categories, strict=True):
            assert_array_equal(one.keys, other.keys)
            assert_array_equal(one.sums, other.sums[:, :1])


def _counted(part: Moments) -> Moments:
    bare = tuple(replace(category, sums=category.sums[:, :1]) for category in part.categories)
    return Moments(part.gram, bare, ())


def test_counts_alone_are_refused() -> None:
    table = Table(100, 0)
    with pytest.raises(ValueError, match="second scan"):
        Folding(canonical(_counted(table.moments())), table.vector(), Protocol())


sizes = st.dictionaries(st.integers(0, 6), st.integers(0, 1000), min_size=1)


@given(sizes, st.data(), st.integers(0, 4000))
def test_what_is_left_fits(sums: dict[int, int], data: st.DataObject, most: int) -> None:
    places = sorted(sums)
    drawn = st.sampled_from([(a, b) for a in places for b in places if a < b] or [(-1, -1)])
    pairs = {
        pair: size
        for pair, size in data.draw(st.dictionaries(drawn, st.integers(0, 1000))).items()
        if pair[0] >= 0
    }
    gone = given_up(sums, pairs, most)

    def cost(without: frozenset[int]) -> float:
        counts = sum(size for pair, size in pairs.items() if not without & {*pair})
        return sum(sums[c] for c in sums.keys() - without) + PAIR_WEIGHT * counts

    assert cost(gone) <= most
    assert (not gone) == (cost(frozenset()) <= most)


def test_the_costliest_goes_first() -> None:
    assert given_up({0: 10, 1: 50, 2: 30}, {}, 45) == {1}
    assert given_up({0: 10, 1: 50, 2: 30}, {(0, 2): 200}, 130) == {2}


@pytest.mark.parametrize("levels", [3, 300, 20_000, 1_000_000])
def test_levels_are_told_by_the_first_rows(levels: int) -> None:
    rng = np.random.default_rng(0)
    first = pa.chunked_array([pa.array(rng.integers(0, levels, 65_536)).cast(pa.string())])
    assert expected_levels(first, 10_000_000) == pytest.approx(levels, rel=0.05)


def test_levels_are_at_most_the_rows() -> None:
    assert levels_of(65_536, 65_536, 1_000_000) == 1_000_000
    assert levels_of(1, 1, 1) == 1
    assert levels_of(5, 1000, 900) == 5
