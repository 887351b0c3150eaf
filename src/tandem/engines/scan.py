"""One pass over the Parquet row groups: per-fold moments, from which every fit follows.

Where the time is: `load` reads footers only; `profile` scans, because only the rows tell whether
a number is NaN, with the plan that the footers' missing counts lead to; `clean` scans again only
if NaN changed the plan; both leave out the files whose sums the cache holds; `cross_validate` and
`refit` solve, without rows, unless absolute errors are asked for, or a squared error is so small
against the target that the moments have lost its digits: then the errors of all models take one
more scan together.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from tandem.cleaning import MISSING, check_ledger, decide, refuse_infinite
from tandem.engines.base import Progress
from tandem.folds import check_folds
from tandem.moments import MAXIMUM_FOLDS, Form, Indices, Moments, Residual
from tandem.records import Action, Array, Column, FitOn, GridPoint, Ledger, Plan, Profile, Task
from tandem.results import ErrorSums, Facts, LinearModel
from tandem.scan import (
    Footers,
    GroupCounts,
    GroupErrors,
    GroupIndexSums,
    GroupMoments,
    GroupProducts,
    Lookup,
    NotFiniteError,
    Reader,
    Rows,
    SecondLook,
    Stretch,
    Work,
    allowance,
    common_shift,
    decimals,
    in_order,
    is_floating,
)
from tandem.solver import (
    KKT_TOLERANCE,
    LOST,
    Folding,
    Split,
    canonical,
    centres_for,
    errors,
    fit,
    intercepts,
    recentred,
    residual,
    settled,
)

T = TypeVar("T")

# Each scan brings the centres nearer by all the digits of a float64.
_RECENTRINGS = 6


class Engine:
    """One machine at the speed of reading the file."""

    def __init__(self, task: Task, progress: Progress) -> None:
        self.task = task
        self._progress = progress
        self._scans = 0
        self._threads = task.threads or os.cpu_count() or 1
        self._reader = Reader(task.dataset)
        self._footers: Footers
        self._with_nan: frozenset[str] | None = None  # not known before a scan
        self._scanned: tuple[Plan, Form, Moments] | None = None
        self._plan: Plan
        self._folding: Folding

    def unsupported(self) -> str | None:
        if self.task.folds.k > MAXIMUM_FOLDS:
            return f"folds.k: at most {MAXIMUM_FOLDS} folds"
        return None

    def start(self) -> None:
        threadpool_limits(1)  # the threads are ours

    def load(self) -> None:
        self._footers = self._reader.footers()
        files = self.task.dataset.files
        self._second_look = SecondLook(files, kept=self.task.cache_moments)

    def profile(self) -> Profile:
        nulls = self._footers.nulls
        columns = self.task.dataset.columns
        complete = all(column.name in nulls for column in columns)
        if complete and not self._second_look.counted(columns):
            profile = Profile(self.task.dataset.rows, {c.id: nulls[c.name] for c in columns})
            with suppress(NotFiniteError):  # NaN among the numbers: the footers missed some
                self._scan(self._decide(profile))
                return profile
        return self._count()

    def clean(self, plan: Plan) -> Ledger:
        if self._scanned is None or self._scanned[0] != plan:
            self._scan(plan)
        assert self._scanned is not None
        self._plan, form, moments = self._scanned
        used = int(moments.rows.sum())
        indicators = moments.gram[:, 0, 1 + form.numeric : -1]
        rows, no_target = self.task.dataset.rows, self._no_target
        ledger = Ledger(
            rows_in=rows,
            rows_used=used,
            rows_dropped_target=no_target,
            rows_dropped_missing=rows - used - no_target,
            rows_rejected=0,
            cells_imputed=used * len(form.imputed) - int(np.rint(indicators.sum())),
            rows_from_cache=self._second_look.rows_from_cache,
        )
        check_ledger(ledger)
        return ledger

    def cross_validate(self) -> ErrorSums:
        assert self._scanned is not None
        plan, form, moments = self._scanned
        n_test = moments.rows.tolist()
        check_folds(n_test, self.task.folds)
        on_all = self.task.cleaning.fit_on is FitOn.ALL
        moments = canonical(moments)
        self._scanned = (plan, form, moments)
        self._folding = Folding(moments, form, fit_on_all=on_all, second_scan=self._sum_indices)
        sse = np.empty((self.task.folds.k, len(self.task.grid)))
        sst, share = np.empty(self.task.folds.k), np.empty_like(sse)
        residuals, designs, unsolved = [], [], 0
        advance = self._progress(sse.size, "fits")
        for fold, split in enumerate(self._folding.splits()):
            assert split.test is not None
            fitted = fit(split.train, self.task.grid)
            sse[fold], share[fold] = errors(split.test, fitted.slopes)
            sst[fold] = split.sst
            unsolved += int(np.count_nonzero(fitted.solution.kkt > KKT_TOLERANCE))
            designs.append(fitted.design)
            residuals.append(residual(split, fitted.slopes, form.of_fold(fold)))
            advance(len(self.task.grid))
        sae = None
        if self.task.mae or np.any(share < LOST):
            squared, absolute = self._sum_errors(residuals)
            sse = np.where(share < LOST, squared, sse)
            sae = absolute if self.task.mae else None
        n_train = tuple(sum(n_test) - rows for rows in n_test)
        return ErrorSums(sse, sst, n_train, tuple(n_test), unsolved, sae, tuple(designs))

    def refit(self, point: GridPoint) -> LinearModel:
        assert self._scanned is not None
        split = self._folding.whole()
        form = self._scanned[1].about(split.shift)  # one model of all rows
        slopes = settled(split, form, point, partial(self._sum_products, form))
        return _model(self._plan, split, slopes[0], self._folding.levels)

    def facts(self) -> Facts:
        if self._scanned is None:
            return Facts(self._scans)
        plan, _, moments = self._scanned
        counted = tuple(plan.categorical[c].name for c in moments.counted)
        return Facts(self._scans, moments_mb=moments.nbytes / 1e6, counted=counted)

    def close(self) -> None:
        self._scanned = None

    def _decide(self, profile: Profile) -> Plan:
        dataset = self.task.dataset
        self._no_target = profile.missing[dataset.target.id]
        return decide(dataset.target, dataset.features, profile, self.task.cleaning)

    def _count(self) -> Profile:
        """The profile from a pass over the rows: some footer or some number was not enough."""
        dataset = self.task.dataset
        columns = dataset.columns
        missing, nan, infinite = (dict.fromkeys((c.id for c in columns), 0) for _ in range(3))
        work, stretches = GroupCounts(self._reader, columns), self._footers.stretches
        for counts in self._second_look.counts(work, stretches, self._map):
            for id_, more in counts.items():
                missing[id_] += more[0]
                nan[id_] += more[1]
                infinite[id_] += more[2]
        for column in columns:
            refuse_infinite(column, infinite[column.id])
        self._with_nan = frozenset(id_ for id_, cells in nan.items() if cells)
        self._no_target = missing[dataset.target.id]
        return Profile(dataset.rows, missing)

    def _scan(self, plan: Plan) -> None:
        stretches = self._footers.stretches
        numeric = (*plan.numeric, plan.target)
        required = [column for column in numeric if column in (plan.target, *plan.required)]
        shift = common_shift(self._reader.sample(stretches[0], numeric), numeric, required)
        places = tuple(decimals(self._footers.types[column.name]) for column in numeric)
        form = Form.of(plan, shift, places)
        rows = self._rows(plan, *self._only_checked(plan))
        allowed = allowance(rows, form, stretches[0], self.task.dataset.rows)
        moments = self._sum(GroupMoments(rows, form, allowed))
        whole = np.array([not is_floating(self._footers.types[c.name]) for c in numeric])
        for _ in range(_RECENTRINGS):
            centres = centres_for(moments, form, whole)
            if centres is None:
                break
            form = replace(form, centres=centres)
            moments = self._sum(GroupMoments(rows, form, allowed))
        moments, form = recentred(moments, form)
        self._scanned = (plan, form, moments)

    def _sum(self, work: GroupMoments) -> Moments:
        return self._second_look.moments(work, self._footers.stretches, self._map)

    def _sum_indices(self, indices: tuple[Indices, ...]) -> Array:
        """One more scan: sums with the indices of the categories that were only counted."""
        assert self._scanned is not None
        plan, form, moments = self._scanned
        lookup = Lookup(indices, _places(moments), moments.counted)
        work = GroupIndexSums(self._rows(plan), form, lookup)
        parts = self._map(work, self._footers.stretches)
        found = next(parts)
        for part in parts:
            found += part
        return found

    def _sum_errors(self, residuals: Sequence[Residual]) -> Array:
        """One more scan: squared and absolute errors of every row under the models of its fold."""
        assert self._scanned is not None
        plan, form, moments = self._scanned
        places = _places(moments)
        found = np.zeros((2, len(residuals), len(self.task.grid)))
        work = GroupErrors(self._rows(plan), form, tuple(residuals), places)
        for part in self._map(work, self._footers.stretches):
            found += part
        return found

    def _sum_products(self, form: Form, model: Residual) -> Array:
        """One more scan: the sums of every number of a row times its residual."""
        assert self._scanned is not None
        plan, _, moments = self._scanned
        work = GroupProducts(self._rows(plan), form, model, _places(moments))
        found = np.zeros(form.width + len(plan.categorical))
        for part in self._map(work, self._footers.stretches):
            found += part
        return found

    def _map(self, work: Work[T], stretches: Sequence[Stretch]) -> Iterator[T]:
        """work(stretch) for every one of `stretches`, in their order: one scan."""
        self._scans += 1
        return self._results(work, stretches)

    def _results(self, work: Work[T], stretches: Sequence[Stretch]) -> Iterator[T]:
        """What `_map` says; `distributed_scan` has its own."""
        advance = self._progress(sum(stretch.rows for stretch in stretches), "rows")
        results = in_order(work, stretches, self._threads)
        for stretch, result in zip(stretches, results, strict=True):
            advance(stretch.rows)
            yield result

    def _rows(self, plan: Plan, *only_checked: Column) -> Rows:
        columns = (*plan.numeric, plan.target, *plan.categorical, *only_checked)
        return Rows(self._reader, columns, plan, self.task.folds, self._with_nan)

    def _only_checked(self, plan: Plan) -> tuple[Column, ...]:
        """Dropped columns that may hold NaN: how much of them is missing is reported."""
        if self._with_nan is not None:
            return ()
        dropped = plan.columns(Action.DROP_COLUMN)
        return tuple(c for c in dropped if is_floating(self._footers.types[c.name]))


def _places(moments: Moments) -> tuple[dict[str, int], ...]:
    """level -> its position, of every category."""
    return tuple({level: i for i, level in enumerate(c.levels)} for c in moments.categories)


def _model(
    plan: Plan, split: Split, slopes: Array, levels: tuple[tuple[str, ...], ...]
) -> LinearModel:
    ordered = (
        tuple(None if names[i] == MISSING else names[i] for i in order.tolist())
        for names, order in zip(levels, split.orders, strict=True)
    )
    means = split.means.rounded()
    return LinearModel(
        intercept=float(intercepts(split, slopes[None, :])[0]),
        coefficients={c.name: float(b) for c, b in zip(plan.used, slopes, strict=True)},
        means={c.name: float(mean) for c, mean in zip(plan.numeric, means, strict=True)},
        levels={c.name: names for c, names in zip(plan.categorical, ordered, strict=True)},
    )
