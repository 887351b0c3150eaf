"""One scan after another over the rows of a dataset, and what the first one tells the later."""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, TypeVar

import numpy as np

from tandem.cleaning import check_ledger, check_means, refuse_infinite
from tandem.fold_keys import Folds
from tandem.folds import Assignment
from tandem.moments import (
    Allowance,
    Category,
    Indices,
    Moments,
    Residual,
    RowVector,
    Slices,
    total,
)
from tandem.records import Action, Array, Column, Dataset, Ledger, Mask, Plan, Profile
from tandem.scan.arrow import decimals, is_floating
from tandem.scan.cuts import Stretch
from tandem.scan.error_counts import Bins, Counted, added
from tandem.scan.error_sums import Models
from tandem.scan.first_rows import allowance, common_shift
from tandem.scan.index_sums import Lookup
from tandem.scan.moments_cache import SecondLook
from tandem.scan.ranges import Add, summed
from tandem.scan.row_groups import Footers, Reader
from tandem.scan.threads import Ways, Work
from tandem.scan.work import (
    GroupCounts,
    GroupErrorCounts,
    GroupErrors,
    GroupIndexSums,
    GroupMoments,
    GroupSpread,
    Rows,
)

T = TypeVar("T")
OfParts = Sequence[Sequence[Residual]]  # the models of every part


@dataclass(frozen=True, slots=True)
class Scanned:
    """The moments of the rows that `plan` uses, and what their row vectors hold.

    `allowed`: which categories have sums; `ledger`: where every row went; `slices`: what the rows
    were cut into, so that `moments` are of `slices.whole`; None: they are of `vector`; `kept`: of
    the categories whose other levels are summed as one, by the column's id; `whole`: rows of all
    their levels, by position.
    """

    plan: Plan
    vector: RowVector
    moments: Moments
    allowed: Allowance
    ledger: Ledger
    slices: Slices | None = None
    kept: Mapping[str, frozenset[str]] = field(default_factory=dict)
    whole: Mapping[int, Category] = field(default_factory=dict)

    @property
    def places(self) -> tuple[dict[str, int], ...]:
        """level -> its position, of every category."""
        categories = self.moments.categories
        return tuple({level: i for i, level in enumerate(c.levels)} for c in categories)

    def check_means(self, training: Mask) -> None:
        """Raise DataError where a mean is of no row; `training`: shape (training sets, parts)."""
        places, rows = self.vector.indicator.items(), self.moments.gram[:, 0]
        there = {self.plan.numeric[feature]: rows[:, place] for feature, place in places}
        check_means(there, self.moments.rows, training)


class Scanner:
    """The rows of `dataset` by fold. Every method that says so is one scan, done in its `ways`.

    `scans`: how many were made; `kept`: whether sums are kept, and kept ones are used.
    """

    def __init__(self, dataset: Dataset, folds: Folds, ways: Ways, *, kept: bool) -> None:
        self.dataset = dataset
        self.scans = 0
        self._ways, self._kept = ways, kept
        self._folds = Assignment(folds, dataset.rows, dataset.fold_labels)
        self._reader = Reader(dataset)
        self._with_nan: frozenset[str] | None = None  # not known before a scan
        self.footers: Footers
        self._second_look: SecondLook

    def load(self) -> None:
        """Read the footers, and look for what is kept of the files."""
        self.footers = self._reader.footers(self._ways.tell)
        self._second_look = SecondLook(self.dataset.files, kept=self._kept)

    def foretold(self) -> Profile | None:
        """The missing cells that the footers tell of; None where they tell too little."""
        nulls, columns = self.footers.nulls, self.dataset.columns
        if all(c.name in nulls for c in columns) and not self._second_look.counted(columns):
            return Profile(self.dataset.rows, {c.id: nulls[c.name] for c in columns})
        return None

    def profile(self) -> Profile:
        """One scan: the missing cells, NaN among them. Raises DataError where one is infinite."""
        columns = self.dataset.columns
        missing, nan, infinite = (dict.fromkeys((c.id for c in columns), 0) for _ in range(3))
        work = GroupCounts(self._reader, columns)
        for counts in self._second_look.counts(work, self.footers.stretches, self._map):
            for id_, more in counts.items():
                missing[id_] += more[0]
                nan[id_] += more[1]
                infinite[id_] += more[2]
        for column in columns:
            refuse_infinite(column, infinite[column.id])
        self._with_nan = frozenset(id_ for id_, cells in nan.items() if cells)
        return Profile(self.dataset.rows, missing)

    def moments(self, plan: Plan, profile: Profile) -> Scanned:
        """One scan: the moments of the rows that `plan`, made of `profile`, uses.

        Raises NotFiniteError where NaN or an infinity stands among the numbers, and no scan has
        counted them.
        """
        first, numeric = self.footers.stretches[0], (*plan.numeric, plan.target)
        needed = {column.id for column in (plan.target, *plan.required)}
        required = [column for column in numeric if column.id in needed]
        shift = common_shift(self._reader.sample(first, numeric), numeric, required)
        places = tuple(decimals(self.footers.types[column.name]) for column in numeric)
        weights = self.dataset.weights
        rounded = weights is not None and weights.per_unit is None
        vector = RowVector.of(plan, shift, places, rounded=rounded)
        rows = self._rows(plan, *self._only_checked(plan))
        allowed = allowance(rows, vector, first, self.dataset.rows)
        moments = self._sum(rows, vector, allowed)
        ledger = self._ledger(moments, vector, profile.missing[plan.target.id])
        return Scanned(plan, vector, moments, allowed, ledger)

    def about(self, scanned: Scanned, centres: Array) -> Scanned:
        """One scan: the moments of `scanned`, each fold about its `centres`, shape (k, columns)."""
        return self._again(replace(scanned, vector=replace(scanned.vector, centres=centres)))

    def exactly(self, scanned: Scanned) -> Scanned:
        """One scan: the moments of `scanned`, of rows cut into slices, so that nothing is rounded.

        But for the numbers themselves, by 2**-53 of the column's largest about its shift.
        """
        most = max(self.dataset.rows, math.ceil(float(scanned.moments.gram[:, 0, 0].sum())))
        slices = Slices.of(scanned.vector, scanned.moments.gram, most)
        vector = replace(scanned.vector, exact=True)
        return self._again(replace(scanned, vector=vector, slices=slices))

    def merged(self, scanned: Scanned, kept: Mapping[int, frozenset[str]]) -> Scanned:
        """One scan: `scanned` with sums of categories that were only counted, by position.

        They are of the levels `kept`, and of all others together.
        """
        columns, categories = scanned.plan.categorical, scanned.moments.categories
        # Few levels are left: there is no need of a limit.
        allowed = Allowance(frozenset(scanned.moments.counted) - kept.keys(), sys.maxsize)
        of = {columns[c].id: levels for c, levels in kept.items()}
        whole = {c: categories[c] for c in kept}
        return self._again(replace(scanned, allowed=allowed, kept=of, whole=whole))

    def whole(self, plan: Plan) -> Mask:
        """Which of the numeric features, then the target, hold no fractions; shape (columns,)."""
        types = self.footers.types
        return np.array([not is_floating(types[c.name]) for c in (*plan.numeric, plan.target)])

    def index_sums(self, scanned: Scanned, indices: tuple[Indices, ...]) -> Array:
        """One scan: sums with the indices of the categories that were only counted.

        Shape as `moments.with_counted` takes it: (fits, k, counted, width + categories).
        """
        lookup = Lookup(indices, scanned.places, scanned.moments.counted)
        rows = replace(self._rows(scanned.plan), slices=scanned.slices, kept=scanned.kept)
        return self._added(GroupIndexSums(rows, _summed(scanned), lookup))

    def errors(self, scanned: Scanned, residuals: OfParts, *, shares: bool = False) -> Array:
        """One scan: squared and absolute errors of every row under the models of its part.

        Then, where asked for, as `shares` of the target. Shape (2 or 3, models, parts, points).
        """
        rows = replace(self._rows(scanned.plan), kept=scanned.kept)
        models = Models(tuple(map(tuple, residuals)), scanned.places, self.dataset.in_logs, shares)
        return self._added(GroupErrors(rows, scanned.vector, models))

    def error_counts(
        self, scanned: Scanned, residuals: OfParts, folds: Sequence[Sequence[int]], *bins: Any
    ) -> Counted:
        """One scan: rows of every fold by the bin of their absolute error.

        Under the first point of the models of their part; `folds` and `bins` as `Bins` has them.
        """
        rows = replace(self._rows(scanned.plan), kept=scanned.kept)
        models = Models(tuple(map(tuple, residuals)), scanned.places, self.dataset.in_logs)
        work = GroupErrorCounts(rows, scanned.vector, models, Bins(folds, *bins))
        return reduce(added, self._map(work, self.footers.stretches))

    def spread(self, scanned: Scanned, residuals: OfParts) -> Moments:
        """One scan: moments of rows that count as their squared errors under the models."""
        rows = replace(self._rows(scanned.plan), kept=scanned.kept)
        models = Models(tuple(map(tuple, residuals)), scanned.places)
        work = GroupSpread(rows, scanned.vector, scanned.allowed, models)
        return total(self._map(work, self.footers.stretches), scanned.allowed.limit)

    def _again(self, scanned: Scanned) -> Scanned:
        """What `scanned` asks for, summed."""
        rows = self._rows(scanned.plan, *self._only_checked(scanned.plan))
        rows = replace(rows, slices=scanned.slices, kept=scanned.kept)
        moments = self._sum(rows, _summed(scanned), scanned.allowed)
        ledger = replace(scanned.ledger, rows_from_cache=self._second_look.rows_from_cache)
        return replace(scanned, moments=moments, ledger=ledger)

    def _sum(self, rows: Rows, vector: RowVector, allowed: Allowance) -> Moments:
        work = GroupMoments(rows, vector, allowed)
        return self._second_look.moments(work, self.footers.stretches, self._map)

    def _added(self, work: Work[Array]) -> Array:
        parts = self._map(work, self.footers.stretches)
        found = next(parts)
        for part in parts:
            found += part
        return found

    def _map(
        self, work: Work[T], stretches: Sequence[Stretch], add: Add[T] | None = None
    ) -> Iterator[T]:
        self.scans += 1
        if add and self._ways.add_up:
            return self._ways.add_up(work, stretches, add)
        results = self._ways.run(work, stretches)
        return summed(results, stretches, add) if add else results

    def _rows(self, plan: Plan, *only_checked: Column) -> Rows:
        columns = [*plan.numeric, plan.target, *plan.categorical, *only_checked]
        columns += [column for column in self.dataset.beside if column not in columns]
        weights = self.dataset.weights
        known = self._folds, self._with_nan
        return Rows(self._reader, tuple(columns), plan, *known, weights=weights)

    def _only_checked(self, plan: Plan) -> tuple[Column, ...]:
        """Dropped columns that may hold NaN: how much of them is missing is reported."""
        if self._with_nan is not None:
            return ()
        dropped = plan.columns(Action.DROP_COLUMN)
        return tuple(c for c in dropped if is_floating(self.footers.types[c.name]))

    def _ledger(self, moments: Moments, vector: RowVector, no_target: int) -> Ledger:
        rows, used = self.dataset.rows, int(moments.rows.sum())
        complete, weightless = moments.gram[:, 0, 1 + vector.numeric : -1].sum(), 0
        if moments.tally is not None:
            no_target, weightless = moments.tally[:, 1:3].sum(axis=0).tolist()
            complete = moments.tally[:, 3:].sum()
        ledger = Ledger(
            rows_in=rows,
            rows_used=used,
            rows_dropped_target=no_target,
            rows_dropped_weight=weightless,
            rows_dropped_missing=rows - used - no_target - weightless,
            cells_imputed=used * len(vector.imputed) - int(np.rint(complete)),
            rows_from_cache=self._second_look.rows_from_cache,
        )
        check_ledger(ledger)
        return ledger


def _summed(scanned: Scanned) -> RowVector:
    """The row vector that is summed."""
    return scanned.slices.whole if scanned.slices else scanned.vector
