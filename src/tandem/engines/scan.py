"""One pass over the Parquet row groups: per-fold moments, from which every fit follows.

`load` reads footers only; `prepare` scans, with the plan that their missing counts lead to, and
once more where NaN, which only rows tell, changes it; files whose sums the cache holds are left
out. `cross_validate` and `refit` solve, without rows, unless absolute errors are asked for, or a
squared one is so small that moments lack its digits: errors of all models take one more scan then.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

from threadpoolctl import threadpool_limits

from tandem.categories import features_of
from tandem.engines.base import Decide, Progress
from tandem.errors import ConfigurationError
from tandem.model_keys import GridPoint
from tandem.records import Array, Ledger, Plan, Profile, Task
from tandem.results import ErrorSums, Facts, LinearModel
from tandem.scan import (
    MAXIMUM_FOLDS,
    NotFiniteError,
    Scanned,
    Scanner,
    Stretch,
    Ways,
    Work,
    in_order,
)
from tandem.scores import judge
from tandem.settings import Encoding, FitOn
from tandem.solver import (
    DigitsLostError,
    Folding,
    OfParts,
    Protocol,
    Refitted,
    RowErrors,
    canonical,
    centres_for,
    cross_validate,
    frequent_levels,
    held_out_errors,
    hold_out,
    make_ready,
    medians,
    recentred,
    refit,
)
from tandem.splits import Splits, check_folds

T = TypeVar("T")

# Each scan brings the centres nearer by all the digits of a float64.
_RECENTRINGS = 6
# 0/1 features whose fits take no time that anybody would notice.
_FEW_FEATURES = 200


class Engine:
    """One machine at the speed of reading the file; or another one, by its `ways` to scan."""

    def __init__(self, task: Task, progress: Progress, ways: Ways | None = None) -> None:
        self.task = task
        self._progress = progress
        ways = ways or Ways(self._run)
        self._scanner = Scanner(task.dataset, task.folds, ways, kept=task.cache_moments)
        self._splits = Splits.of(task.folds)
        self._scanned: Scanned | None = None
        self._folding: Folding
        self._measured: ErrorSums | None = None
        self._chosen: GridPoint | None = None
        self._told: Refitted | None = None
        self._limits: threadpool_limits | None = None

    @property
    def folding(self) -> Folding:
        """The training sets and what they hold out; after `cross_validate`."""
        return self._folding

    def row_errors(self) -> Callable[..., list[RowErrors]]:
        """`solver.held_out_errors` of any slopes, row by row; after `cross_validate`."""
        assert self._scanned is not None
        again = partial(self._scanner.errors, self._scanned, shares=self.task.scores.mape)
        return partial(held_out_errors, self._folding, sum_errors=again)

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """What a scan goes through, in order."""
        return self._scanner.footers.stretches

    def unsupported(self) -> str | None:
        if self._splits.parts > MAXIMUM_FOLDS:
            return f"folds.k: at most {MAXIMUM_FOLDS} folds"
        return None

    def start(self) -> None:
        # First: what is imported later has threads of its own.
        make_ready(self.task.grid, len(self.task.dataset.features))
        self._limit()

    def _limit(self) -> None:
        """One thread for every library: the threads are ours."""
        if self._limits:
            self._limits.restore_original_limits()
        self._limits = threadpool_limits(1)

    def load(self) -> None:
        self._scanner.load()

    def prepare(self, decide: Decide) -> tuple[Plan, Ledger]:
        found = None
        if profile := self._scanner.foretold():
            with suppress(NotFiniteError):  # NaN among the numbers: the footers missed some
                found = self._scan(decide(profile), profile)
        if found is None:
            profile = self._scanner.profile()
            found = self._scan(decide(profile), profile)
        self._scanned = found
        return found.plan, found.ledger

    def cross_validate(self) -> ErrorSums:
        assert self._scanned is not None
        check_folds(self._scanned.moments.rows.tolist(), self.task.folds)
        on_all = self.task.cleaning.fit_on is FitOn.ALL
        self._scanned.check_means(self._splits.fitted(on_all=on_all))
        self._fold(self._scanned)
        self._measured = self._solved(self._cross_validated)
        return self._measured

    def median_errors(self, point: GridPoint) -> Array:
        assert self._scanned is not None
        assert self._measured is not None
        assert self._measured.slopes is not None
        slopes = self._measured.slopes[:, [self.task.grid.index(point)]]
        return medians(self._folding, slopes, partial(self._scanner.error_counts, self._scanned))

    def refit(self, point: GridPoint) -> LinearModel:
        assert self._scanned is not None
        plan, self._chosen = self._scanned.plan, point
        weighed = self._weighed if self.task.scores.robust_errors else None
        self._told = self._solved(lambda: refit(self._folding, plan, point, weighed))
        return self._told.model

    def _weighed(self, models: OfParts) -> Folding | None:
        """Sums of rows that count as their squared errors, with the cleaning of the rows."""
        scanned, own = self._scanned, self._folding.protocol
        assert scanned is not None
        if scanned.moments.counted or own.smoothing:
            return None
        moments = canonical(self._scanner.spread(scanned, models))
        whole = {**dict(enumerate(scanned.moments.categories)), **own.whole}
        vector = replace(scanned.vector, exact=False)
        return Folding(moments, vector, replace(own, whole=whole))

    def hold_out(self) -> ErrorSums | None:
        point = self._chosen
        assert self._scanned is not None
        assert point is not None
        again = partial(self._scanner.errors, self._scanned)
        return self._solved(lambda: hold_out(self._folding, point, again))

    def facts(self) -> Facts:
        if self._scanned is None:
            return Facts(self._scanner.scans)
        plan, moments = self._scanned.plan, self._scanned.moments
        counted = {*moments.counted, *self._scanned.whole}
        names = tuple(plan.categorical[c].name for c in sorted(counted))
        scans, size = self._scanner.scans, moments.nbytes / 1e6
        found = Facts(scans, moments_mb=size, counted=names, encodings=self._encodings())
        if told := self._told:
            found = replace(found, inference=told.inference, correlations=told.correlations)
        return found

    def close(self) -> None:
        self._scanned = None
        if self._limits:
            self._limits.restore_original_limits()
            self._limits = None

    def _fold(self, found: Scanned) -> None:
        scanned = replace(found, moments=canonical(found.moments))
        protocol = self._protocol(scanned)
        if {*protocol.one_hot} & {*scanned.moments.counted}:
            training = self._splits.fitted(on_all=protocol.on_all)
            often = frequent_levels(scanned.moments, protocol, training=training)
            scanned = self._scanner.merged(scanned, often)
            scanned = replace(scanned, moments=canonical(scanned.moments))
            protocol = replace(protocol, whole=scanned.whole)
        self._scanned = scanned
        self._folding = self._folded(scanned, protocol)
        make_ready(self.task.grid, self._folding.features)
        self._limit()

    def _folded(self, scanned: Scanned, protocol: Protocol) -> Folding:
        again = partial(self._scanner.index_sums, scanned)
        moments, vector = scanned.moments, scanned.vector
        return Folding(moments, vector, protocol, second_scan=again, slices=scanned.slices)

    def _encodings(self) -> dict[Encoding, float]:
        """Of every encoding, from the same sums, the RMSE at the chosen penalty."""
        scanned, point, measured = self._scanned, self._chosen, self._measured
        if not (scanned and point and measured) or scanned.moments.counted or scanned.kept:
            return {}
        if self.task.dataset.in_logs:  # errors in its unit take a scan
            return {}
        categories, present = scanned.moments.categories, self._protocol(scanned)
        every, found = tuple(range(len(categories))), {}
        for encoding in Encoding if every else ():
            places = every if encoding is Encoding.TARGET else ()
            smoothing = dict.fromkeys(places, self.task.cleaning.smoothing * self._unit())
            one_hot = every if encoding is Encoding.ONE_HOT else ()
            if (smoothing, one_hot) == (present.smoothing, present.one_hot):
                rmse = judge(measured).rmse_mean[self.task.grid.index(point)]
                found[encoding] = float(rmse)
                continue
            counts = (features_of(len(categories[c].levels), present.max_levels) for c in one_hot)
            if sum(counts) > _FEW_FEATURES:
                continue
            with suppress(DigitsLostError):  # more than a line of words is worth
                other = replace(present, one_hot=one_hot, smoothing=smoothing, rounded=True)
                folding = self._folded(scanned, other)
                sums = cross_validate(folding, [point], _no_scan, lambda _: None, by_row=())
                found[encoding] = float(judge(sums).rmse_mean[0])
        return found

    def _protocol(self, scanned: Scanned) -> Protocol:
        plan, cleaning = scanned.plan, self.task.cleaning
        found = [plan.categorical.index(column) for column in plan.target_encoded]
        one_hot = tuple(plan.categorical.index(column) for column in plan.one_hot)
        for c in scanned.moments.counted:
            if c in found or (one_hot and c not in one_hot):
                name = plan.categorical[c].name
                raise ConfigurationError(
                    f"cleaning.encoding: column '{name}' has too many levels for sums by level -> "
                    f"'cleaning.encodings={{{name}: one_hot}}', or engine=sequential"
                )
        return Protocol(
            on_all=cleaning.fit_on is FitOn.ALL,
            one_hot=one_hot,
            max_levels=cleaning.max_levels,
            smoothing=dict.fromkeys(found, cleaning.smoothing * self._unit()),
            whole=scanned.whole,
            splits=self._splits,
            unit=self._unit(),
            in_logs=self.task.dataset.in_logs,
        )

    def _cross_validated(self) -> ErrorSums:
        assert self._scanned is not None
        grid, scores = self.task.grid, self.task.scores
        advance = self._progress(self._splits.count * len(grid), "fits")
        again = partial(self._scanner.errors, self._scanned, shares=scores.mape)
        asked = self._folding, grid, again, advance
        return cross_validate(*asked, by_row=scores.by_row, threads=self._threads)

    def _solved(self, ask: Callable[[], T]) -> T:
        """What is asked for; of exact sums where rounded ones would show."""
        try:
            return ask()
        except DigitsLostError:
            assert self._scanned is not None
            self._fold(self._scanner.exactly(self._scanned))
            return ask()

    def _scan(self, plan: Plan, profile: Profile) -> Scanned:
        """The moments, summed about centres that are near every training set."""
        found, whole = self._scanner.moments(plan, profile), self._scanner.whole(plan)
        for _ in range(_RECENTRINGS):
            centres = centres_for(found.moments, found.vector, whole, self._splits.training)
            if centres is None:
                break
            found = self._scanner.about(found, centres)
        moments, vector = recentred(found.moments, found.vector)
        return replace(found, moments=moments, vector=vector)

    def _unit(self) -> float:
        """What weights of rows are multiplied by."""
        weights = self.task.dataset.weights
        return weights.unit if weights else 1.0

    @property
    def _threads(self) -> int:
        return self.task.threads or os.cpu_count() or 1

    def _run(self, work: Work[T], stretches: Sequence[Stretch]) -> Iterator[T]:
        advance = self._progress(sum(stretch.rows for stretch in stretches), "rows")
        results = in_order(work, stretches, self._threads)
        for stretch, result in zip(stretches, results, strict=True):
            advance(stretch.rows)
            yield result


def _no_scan(_models: OfParts) -> Array:
    raise DigitsLostError
