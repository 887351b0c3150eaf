"""Every fold and grid point from the moments; rows are asked for only where digits are missing."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from tandem.categories import MISSING, by_column
from tandem.model_keys import GridPoint
from tandem.records import Advance, Array, Plan
from tandem.results import Design, ErrorSums, Inference, LinearModel
from tandem.solver.fits import LOST, Fitted, errors, fit, intercept
from tandem.solver.inference import correlations, inference
from tandem.solver.solve import KKT_TOLERANCE
from tandem.solver.splits import FEW, Normal, Split
from tandem.solver.system import SHOWS
from tandem.solver.training_sets import Folding
from tandem.solver.trials import OfParts, SumErrors, Trials

# So few rows of so few features are summed again to the last digits: it takes no time.
_FEW_ROWS, _FEW_FEATURES, _LAST_DIGITS = 20_000, 200, 1e-14


# Sums of rows that count as their squared errors under the first of them; None: none are known.
Weighed = Callable[[OfParts], Folding | None]


class DigitsLostError(Exception):
    """The sums were rounded, and what is solved from them would show it."""


def cross_validate(  # noqa: PLR0913 - what is asked of the rows, and how
    folding: Folding,
    grid: Sequence[GridPoint],
    sum_errors: SumErrors,
    advance: Advance,
    *,
    by_row: Sequence[str],
    threads: int = 1,
) -> ErrorSums:
    """Held-out error sums of every fold and grid point: SSE = yy - 2 w'q + w'Qw by fold.

    `sum_errors`, as `Trials.summed` takes it, is asked for absolute errors ("mae" in `by_row`),
    for these as shares of the target ("mape"), for squared ones that are so small against the
    target that the moments have lost their digits, and for all where the target is a logarithm.
    `advance` is told of every fold's fits; of many features, so many `threads` solve folds. Raises
    DigitsLostError where the rows should be summed exactly.
    """
    scheme = folding.scheme
    sse = np.empty((scheme.count, len(grid)))
    sst, share = np.empty(scheme.count), np.empty_like(sse)
    trials = Trials(folding)
    slopes: list[Array] = []
    designs: list[Design] = []
    unsolved = 0
    threads = threads if folding.features > FEW else 1
    for fold, one in enumerate(_ahead(partial(_solved, folding, grid), scheme.count, threads)):
        sse[fold], share[fold] = one.errors
        sst[fold] = one.split.sst
        unsolved += int(np.count_nonzero(one.kkt > KKT_TOLERANCE))
        designs.append(one.design)
        slopes.append(one.slopes)
        trials.add(one.split, one.slopes, scheme.tested[fold])
        advance(len(grid))
    others = dict[str, Array]()
    in_logs = folding.protocol.in_logs
    if in_logs or by_row or np.any(share < LOST):
        rows = trials.summed(sum_errors)
        sse = np.where(in_logs | (share < LOST), [one.squared for one in rows], sse)
        absolute = np.stack([one.absolute for one in rows], axis=1)
        others = {name: absolute[("mae", "mape").index(name)] for name in by_row}
        if in_logs:
            sst = np.where(sst > 0.0, [one.sst for one in rows], 0.0)
    known = tuple(designs), np.stack(slopes)
    found = ErrorSums(sse, sst, *scheme.rows(folding.rows), unsolved, others, *known)
    return replace(_in_rows(found, folding.protocol.unit), features=folding.by_column)


class _Fold(NamedTuple):
    """What the sums say of one fold; `errors`: as `fits.errors` has them."""

    split: Split
    errors: tuple[Array, Array]
    slopes: Array
    kkt: Array
    design: Design


def _solved(folding: Folding, grid: Sequence[GridPoint], fold: int) -> _Fold:
    split = folding.split(fold)
    assert split.test is not None
    fitted = _fit(split.train, grid, folding)
    slopes = fitted.slopes.rounded()
    found = errors(split.test, slopes)
    return _Fold(split, found, slopes, fitted.solution.kkt, fitted.design)


def _ahead(work: Callable[[int], _Fold], count: int, threads: int) -> Iterator[_Fold]:
    """What becomes of the folds, in order; so many are worked on at once."""
    if threads == 1:
        yield from map(work, range(count))
        return
    with ThreadPoolExecutor(threads, "folds") as pool:
        waiting = deque(pool.submit(work, fold) for fold in range(min(threads, count)))
        for fold in range(threads, threads + count):
            yield waiting.popleft().result()
            if fold < count:
                waiting.append(pool.submit(work, fold))


def _in_rows(sums: ErrorSums, unit: float) -> ErrorSums:
    """`sums` of weights times `unit` as those of the weights."""
    if unit == 1.0:
        return sums
    n_train, n_test = (tuple(n / unit for n in rows) for rows in (sums.n_train, sums.n_test))
    by_row = {name: of / unit for name, of in sums.by_row.items()}
    sums = replace(sums, sse=sums.sse / unit, sst=sums.sst / unit, by_row=by_row)
    return replace(sums, n_train=n_train, n_test=n_test)


class Refitted(NamedTuple):
    """The model of all rows, what they tell of its coefficients, and how features go together.

    `correlations`: shape (p + 1, p + 1), as `inference.correlations` has them.
    """

    model: LinearModel
    inference: Inference | None
    correlations: Array | None


def refit(
    folding: Folding, plan: Plan, point: GridPoint, weighed: Weighed | None = None
) -> Refitted:
    """The model of `point` on all rows. Raises DigitsLostError as `cross_validate` does.

    `weighed(models)`: sums of all rows, each as often as its squared error, under the models of
    its part; None: no robust errors are wanted.
    """
    split = folding.whole()
    fitted = _fit(split.train, [point], folding)
    slopes = fitted.slopes[0]
    rounded = slopes.rounded()
    levels = {
        column.name: tuple(None if names[i] == MISSING else names[i] for i in order.tolist())
        for column, names, order in zip(plan.categorical, folding.levels, split.orders, strict=True)
    }
    means = split.means.rounded()
    own = (rounded[span] for span in split.spans)
    coefficients, effects = by_column(plan, own, levels, folding.protocol.max_levels)
    model = LinearModel(
        intercept=intercept(split, slopes),
        coefficients=coefficients,
        means={c.name: float(mean) for c, mean in zip(plan.numeric, means, strict=True)},
        levels=levels,
        encodings={plan.categorical[c].name: e for c, e in split.encodings.items()} | effects,
        sources=plan.sources,
    )
    told = None
    if not folding.weighted:  # errors of weighted rows depend on what the weights mean
        rows, penalised, spread = int(split.train.rows), point.reg_param > 0.0, None
        if weighed and not penalised:
            spread = _spread(folding, split, rounded[None, :], weighed)
        told = inference(fitted.standard, rows, spread, penalised=penalised)
    return Refitted(model, told, correlations(fitted.standard))


def _spread(folding: Folding, split: Split, slopes: Array, weighed: Weighed) -> Array | None:
    """sum e^2 (x - mean)(x - mean)' over the rows of `split`, as `inference` takes it."""
    trials = Trials(folding)
    trials.add(split, slopes, folding.scheme.training[-1])
    found = weighed(trials.models)
    test = folding.whole(found).test if found else None
    return test.gram.hi[:-1, :-1] if test else None


def hold_out(folding: Folding, point: GridPoint, sum_errors: SumErrors) -> ErrorSums | None:
    """Error sums of the model of `point` on the hold-out, as of one fold; None: there is none.

    `sum_errors` as of `cross_validate`. Raises DigitsLostError as it does.
    """
    split, scheme = folding.whole(), folding.scheme
    if split.test is None or scheme.holdout is None:
        return None
    slopes = _fit(split.train, [point], folding).slopes.rounded()
    sse, share = errors(split.test, slopes)
    sst, in_logs = split.sst, folding.protocol.in_logs
    if in_logs or share[0] < LOST:
        trials = Trials(folding)
        trials.add(split, slopes, scheme.of_holdout)
        (found,) = trials.summed(sum_errors)
        sse, sst = found.squared, found.sst if in_logs and sst > 0.0 else sst
    rows = folding.rows
    trained = sum(n for n, own in zip(rows, scheme.training[-1], strict=True) if own)
    sums = sse[None, :], np.array([sst]), (trained,), (rows[scheme.holdout],)
    return _in_rows(ErrorSums(*sums, slopes=slopes[None, :]), folding.protocol.unit)


def _fit(train: Normal, grid: Sequence[GridPoint], folding: Folding) -> Fitted:
    """Raises DigitsLostError where rounding shows; of few rows, unless it may, its last digits.

    But not where rows have weights that nobody can sum without rounding.
    """
    fitted = fit(train, grid)
    moved = float(np.max(fitted.solution.rounding, initial=0.0))
    strict = not folding.protocol.rounded and train.rows <= _FEW_ROWS
    few = strict and len(train.squares) <= _FEW_FEATURES
    exact = train.exact or folding.vector.rounded
    if not exact and moved > (_LAST_DIGITS if few else SHOWS):
        raise DigitsLostError
    return fitted
