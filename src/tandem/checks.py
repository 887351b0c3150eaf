"""What a careful reader would ask of a cross-validation, where the answer is worth a line."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from tandem.dataset import floats
from tandem.model import encoded, indices
from tandem.records import Array
from tandem.results import LinearModel, Result
from tandem.scores import standard_error
from tandem.solver import NEARLY

_SPREAD = 0.1  # standard deviation of the RMSE over folds, of its mean
_WEAK = 1e-3  # standard deviations of the target: what no penalty of the grid reaches
_WORTH = 0.1  # standard errors of the mean RMSE that the last step of the grid gains
_FEW = 20  # steps from row to row, at least, that tell
_NAMES = 6  # features of a set that are named ...
_GROUPS = 3  # ... and sets
_BETTER = 0.01  # of RMSE, that makes another encoding worth a line
_ROUNDING = 1e-9  # deviations of the target: an RMSE below it is rounding
_LABELS = 0.95  # distinct values of a category per row, share of numbers that count the rows
_FEWEST, _CODES, _EACH = 3, 200, 10  # distinct numbers that may be codes; rows of each
_GAINED = 0.05  # share of the target's variance that makes codes worth a line
_SUSPECT = 0.95  # share of the target's variance that a single feature explains


def remarks(result: Result, rows: pa.Table) -> tuple[str, ...]:
    """Lines on the grid, the folds, the fit, collinearity, leakage; none where all is well.

    `rows`: raw rows with a target, from all over the dataset.
    """
    parts = (
        *(_weak(result), _edge(result), _folds(result), _mean(result), _collinear(result)),
        *(_leaks(result, rows), _labels(result, rows), _codes(result, rows), _encodings(result)),
    )
    return tuple(line for part in parts for line in part)


def _edge(result: Result) -> Iterator[str]:
    """Where the last step towards the edge of the grid still pays.

    The step: from the neighbouring reg_param to that of the best point, at its elastic_net_param.
    It pays where it lowers the mean RMSE over folds by more than a tenth of that mean's standard
    error, s / sqrt(k), with s the sample standard deviation of the folds' RMSE.
    """
    scores, best = result.scores, result.best
    means = {
        point.reg_param: float(mean)
        for point, mean in zip(result.task.grid, scores.rmse_mean, strict=True)
        if point.elastic_net_param == best.elastic_net_param
    }
    penalties = sorted(means)
    if len(penalties) == 1 or best.reg_param not in {penalties[0], penalties[-1]}:
        return
    largest = best.reg_param == penalties[-1]
    neighbour = penalties[-2] if largest else penalties[1]
    gain = means[neighbour] - means[best.reg_param]
    error = standard_error(scores.rmse[:, scores.best], result.task.folds.repeats)
    if best.reg_param > 0 and gain > _WORTH * error:  # below 0 there is nothing to try
        which, more = ("largest", "larger") if largest else ("smallest", "smaller")
        path = "" if result.task.path else ", or model.path=20"
        yield (
            f"the best reg_param, {best.reg_param:g}, is the {which} of the grid, and the step to "
            f"it from {neighbour:g} lowers RMSE by {gain:.2g} (standard error over folds "
            f"{error:.2g}) -> try {more} ones: model.reg_param=[...]{path}"
        )


def _weak(result: Result) -> Iterator[str]:
    """Where no penalty of the grid is anything against the target."""
    penalties = {point.reg_param for point in result.task.grid}
    largest = max(penalties)
    target = _deviation(result)
    if result.task.dataset.in_logs:  # penalties go by the logarithm's
        return
    if len(penalties) > 1 and largest < _WEAK * target:
        yield (
            f"reg_param {largest:g}, the largest of the grid, is nothing against the target, whose "
            f"standard deviation is {target:,.4g}: all its points are nearly one and the same -> "
            "model.path=20 lays penalties by the target"
        )


def _deviation(result: Result) -> float:
    """Of the target about the mean of each fold, over the held-out rows."""
    return float(np.sqrt(result.sums.sst.sum() / sum(result.sums.n_test)))


def _folds(result: Result) -> Iterator[str]:
    scores = result.scores
    mean, deviation = scores.rmse_mean[scores.best], scores.rmse_std[scores.best]
    if deviation > _SPREAD * mean and mean > _ROUNDING * _deviation(result):
        yield (
            f"RMSE differs between folds by {deviation / mean:.0%} of its mean (standard "
            "deviation) -> compare models with care; look for outliers, or use more rows"
        )


def _mean(result: Result) -> Iterator[str]:
    r2 = float(np.mean(result.scores.r2[:, result.scores.best]))
    if r2 <= 0:
        yield (
            f"R2 is {r2:.3g} on held-out rows: no better than predicting the mean -> these "
            "features do not tell the target linearly, or there are too few rows"
        )


def _collinear(result: Result) -> Iterator[str]:
    """Of the training set with the most features to spare, then with the largest condition."""
    designs = enumerate(result.sums.designs)
    fold, worst = max(designs, key=lambda d: (d[1].missing, d[1].condition), default=(0, None))
    if worst is None or not (worst.missing or worst.condition > NEARLY):
        return
    columns = zip(result.plan.used, result.sums.features, strict=True)
    names = [column.name for column, features in columns for _ in range(features)]
    tied = [_listed([*dict.fromkeys(names[place] for place in group)]) for group in worst.groups]
    who = "; ".join(tied[:_GROUPS])
    if len(tied) > _GROUPS:
        who += f"; and {len(tied) - _GROUPS} more such sets"
    how = "follow from one another" if worst.missing else "nearly follow from one another"
    unpenalised = any(point.reg_param == 0 for point in result.task.grid)
    step = ", or choose model.reg_param above 0" if unpenalised else ""
    yield (
        f"{who}: they {how} (rank {worst.rank} of {worst.features} features, condition number "
        f"{worst.condition:.1e}, training set of fold {fold}, to the digits at hand): their single "
        "coefficients mean little, and rows where they do not follow may be predicted badly -> "
        f"drop a feature (dataset.exclude){step}"
    )


def _listed(names: Sequence[str]) -> str:
    """`a, b and c`; of a long list the first few, and how many more."""
    shown = [*names[:_NAMES]]
    if more := len(names) - len(shown):
        return f"{', '.join(shown)} and {more} more"
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def _leaks(result: Result, rows: pa.Table) -> Iterator[str]:
    target = floats(rows[result.task.dataset.target.name])
    for name in result.model.coefficients:
        share = _explained(_feature(result.model, rows[name], name), target)
        yield from leak(name, share, len(rows))


def _labels(result: Result, rows: pa.Table) -> Iterator[str]:
    """Features that tell rows apart and no more: a value of its own for each, or its number."""
    for name, levels in result.model.levels.items():
        yield from label(name, len(levels), result.ledger.rows_used)
    for name in result.model.means:
        if name in result.model.sources:  # days go on from row to row
            continue
        steps = np.diff(floats(rows[name]))
        yield from counter(name, int(np.count_nonzero(steps == 1.0)), len(steps))


def leak(name: str, share: float, rows: int) -> Iterator[str]:
    """A line where feature `name` alone explains nearly all of the target: `share`, of `rows`."""
    if share > _SUSPECT:
        yield (
            f"{name} alone explains {share:.1%} of the target ({rows:,} rows): is it "
            f"known before the target is? -> if not, dataset.exclude=[{name}]"
        )


def label(name: str, levels: int, rows: int) -> Iterator[str]:
    """A line where category `name` has about as many levels as there are rows."""
    if levels > _LABELS * rows:
        yield (
            f"{name} has {levels:,} distinct values in {rows:,} rows: "
            f"it tells rows apart and no more -> dataset.exclude=[{name}]"
        )


def counter(name: str, ones: int, steps: int) -> Iterator[str]:
    """A line where nearly all `steps` of a number from row to row are by one: `ones` are."""
    if steps >= _FEW and ones > _LABELS * steps:
        yield f"{name} counts the rows: is it a feature? -> if not, dataset.exclude=[{name}]"


def _codes(result: Result, rows: pa.Table) -> Iterator[str]:
    """Whole numbers that tell more of the target as categories than as numbers.

    By the share of its variance: that of the means of every number, adjusted for how many there
    are, less that of a line.
    """
    target = floats(rows[result.task.dataset.target.name])
    for name in result.model.means:
        if name in result.model.sources:
            continue
        values = floats(rows[name])
        there = ~np.isnan(values)
        values, y = values[there], target[there]
        if np.any(values % 1.0) or np.ptp(y) == 0.0:
            continue
        numbers, places = np.unique(values, return_inverse=True)
        if not _FEWEST <= len(numbers) <= min(_CODES, len(y) / _EACH):
            continue
        means = np.bincount(places, y) / np.bincount(places)
        left = float(np.mean((y - means[places]) ** 2) / y.var())
        share = 1.0 - left * (len(y) - 1) / (len(y) - len(numbers))
        alone = _explained(values, y)
        if share > alone + _GAINED:
            yield (
                f"{name}: its {len(numbers)} numbers explain {share:.0%} of the target as "
                f"categories, {alone:.0%} as a number ({len(y):,} rows) -> if they are codes, "
                f"'cleaning.encodings={{{name}: one_hot}}'"
            )


def _encodings(result: Result) -> Iterator[str]:
    """Another encoding of the categories that lowers RMSE, at the same penalty."""
    rmse = float(result.scores.rmse_mean[result.scores.best])
    found = result.facts.encodings
    best = min(found, key=found.__getitem__, default=None)
    if best and found[best] < (1.0 - _BETTER) * rmse:
        yield (
            f"cleaning.encoding={best} would give an RMSE of {found[best]:,.5g} in place of "
            f"{rmse:,.5g}, at the same penalty -> try it"
        )


def weights(model: LinearModel, target: str, rows: pa.Table) -> dict[str, float]:
    """b_j s_j / s_y by feature: the standardised coefficients, with deviations of the raw `rows`.

    0 where the target is constant in them.
    """
    deviation = float(floats(rows[target]).std())
    return {
        name: slope * float(_feature(model, rows[name], name).std()) / (deviation or np.inf)
        for name, slope in model.coefficients.items()
    }


def _feature(model: LinearModel, cells: pa.ChunkedArray, name: str) -> Array:
    """x_j of column `name` as `model.feature` has it, without pandas; shape (rows,)."""
    levels = model.levels.get(name)
    if levels is None:
        values = floats(cells)
        return np.where(np.isnan(values), model.means[name], values)
    coded = cells.cast(pa.string()).combine_chunks().dictionary_encode()
    texts = [*coded.dictionary.to_pylist(), None]
    by_code = encoded(model, name, indices(texts, levels))
    codes = floats(pa.chunked_array([coded.indices]))
    codes[np.isnan(codes)] = len(by_code) - 1
    found: Array = by_code[codes.astype(np.int64)]
    return found


def _explained(x: Array, y: Array) -> float:
    """The squared correlation of x and y; 0 where one is constant."""
    x, y = x - x.mean(), y - y.mean()
    scale = float(x @ x) * float(y @ y)
    return float(x @ y) ** 2 / scale if scale > 0 else 0.0
