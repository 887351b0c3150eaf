"""How cost grows, fitted to runs: with the size of the work, over cores; where engines cross."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import ndtri, stdtrit

from tandem.records import Array

DRAWS = 400
MOST = 4  # workers that Amdahl's law is drawn on to
_OUTER = (5.0, 95.0)  # percentiles of an interval


@dataclass(frozen=True, slots=True)
class Interval:
    """A value, and the 5th and 95th percentile of what else it might be, in one unit."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Growth:
    """cost(x) = sum_j c_j x_j with all c_j >= 0, for terms x (1, rows, ...).

    `coefficients`: shape (terms,), c in units of the cost by unit of each term; `draws`: shape
    (draws, terms), c of every bootstrap draw; `ratios`: shape (runs,), measured / fitted, spread
    to what new runs show.
    """

    coefficients: Array
    draws: Array
    ratios: Array

    def at(self, terms: Sequence[float]) -> Interval:
        """The cost of one more run of size x = `terms`, with the scatter that the runs had."""
        x = np.asarray(terms, dtype=np.float64)
        rng = np.random.default_rng(0)
        scatter = rng.choice(self.ratios, len(self.draws))
        low, high = np.percentile(self.draws @ x * scatter, _OUTER)
        return Interval(float(self.coefficients @ x), float(low), float(high))

    def interval(self, term: int) -> Interval:
        """Coefficient c_j, j = `term`."""
        low, high = np.percentile(self.draws[:, term], _OUTER)
        return Interval(float(self.coefficients[term]), float(low), float(high))


@dataclass(frozen=True, slots=True)
class Crossover:
    """From how many rows on one engine beats another.

    `rows` None: it never does; 0: always. `low`, `high`: percentiles of the draws, infinite where
    they do not cross. `share`: of the draws that say the same of whether they cross.
    """

    rows: float | None
    low: float
    high: float
    share: float


def fit(terms: Sequence[Sequence[float]], costs: Sequence[float], seed: int = 0) -> Growth:
    """Least squares of relative errors: min sum_i ((cost_i - c'x_i) / cost_i)^2, c >= 0.

    `terms[i]`: x_i of run i; `costs[i]`: what it took, above 0, in any unit; `seed`: of the draws.
    Costs scatter in proportion to their size. The intervals are of a residual bootstrap (Efron
    1979): ratios of measured to fitted cost are drawn with replacement, and the fit is repeated.
    Raises ValueError where there are fewer runs than terms.
    """
    x, y = np.asarray(terms, dtype=np.float64), np.asarray(costs, dtype=np.float64)
    if len(y) < x.shape[1]:
        raise ValueError(f"{len(y)} runs for {x.shape[1]} terms")
    found = _solve(x, y)
    fitted = x @ found
    # Fitted points lie nearer to the line than new ones will, and few of them tell little of how
    # far: Student's quantile instead of the normal one.
    free = max(len(y) - x.shape[1], 1)
    spread = np.sqrt(len(y) / free) * stdtrit(free, _OUTER[1] / 100) / ndtri(_OUTER[1] / 100)
    ratios = np.exp(np.log(y / fitted) * spread)
    rng = np.random.default_rng(seed)
    drawn = fitted * rng.choice(ratios, (DRAWS, len(y)))
    return Growth(found, np.array([_solve(x, one) for one in drawn]), ratios)


def crossover(slow: Growth, fast: Growth) -> Crossover:
    """Where fast(n) = a' + b'n falls below slow(n) = a + bn: n = (a' - a) / (b - b').

    Both are fitted to terms (1, rows) and costs in one unit.
    """
    point = _cross(slow.coefficients[None], fast.coefficients[None])[0]
    draws = _cross(slow.draws, fast.draws)
    low, high = np.percentile(draws, _OUTER, method="nearest")
    same = np.isfinite(draws) == np.isfinite(point)
    rows = float(point) if np.isfinite(point) else None
    return Crossover(rows, float(low), float(high), float(same.mean()))


def cost(distributed: Growth, best: float, rows: float, cores: int, most: int = 4096) -> int | None:
    """COST: the fewest cores c with a + b rows cores / c < `best`; None: at no number up to `most`.

    `best` is the time of one thread of the best engine on one machine, `cores` those that
    `distributed` was measured on. That its work b is shared out perfectly favours it. The measure
    is McSherry, Isard and Murray's (Scalability! But at what COST?, HotOS 2015).
    """
    fixed, slope = distributed.coefficients
    if fixed >= best:
        return None
    needed = int(np.floor(slope * rows * cores / (best - fixed))) + 1
    return needed if needed <= most else None


def amdahl(workers: Sequence[float], seconds: Sequence[float]) -> Growth:
    """t(w) = a + b / w: `a` is not shared out, `b` is (Amdahl, AFIPS 1967).

    `workers`, `seconds`: of every run. The coefficients are [a, b], in seconds. Raises
    ValueError where there are fewer than two runs.
    """
    return fit([(1.0, 1.0 / count) for count in workers], seconds)


def amdahl_table(
    runs: Mapping[tuple[str, str], Sequence[tuple[float, float]]], unit: str, cores: int
) -> tuple[str, dict[str, float]]:
    """A Markdown table of (workers, seconds) by (engine, size), and metrics of a study's parent.

    `unit`: what a worker is called, in head and metrics.
    The law is fitted to the counts of workers up to `cores`, which have a core each.
    """
    counts = sorted({int(count) for points in runs.values() for count, _ in points})
    heads = [*(f"{unit}={count}, s" for count in counts), f"gain by {cores}", "not shared out"]
    heads.append(f"{MOST} on {MOST} cores, drawn on, s")
    text = [f"| engine | on | {' | '.join(heads)} |", "|---|---:|" + "---:|" * len(heads)]
    metrics: dict[str, float] = {}
    for (engine, size), points in runs.items():
        middles = {
            count: median(taken for at, taken in points if at == count)
            for count in sorted({int(count) for count, _ in points})
        }
        cells = [f"{middles[count]:.2f}" if count in middles else "" for count in counts]
        if len(middles) > 1:
            real = [(count, taken) for count, taken in points if count <= cores]
            law = amdahl([count for count, _ in real], [taken for _, taken in real])
            alone, far = law.coefficients[0] / law.coefficients.sum(), law.at((1, 1 / MOST))
            gain = middles[1] / middles[cores]
            cells += [f"{gain:.2f}x", f"{alone:.0%}"]
            drawn = f"{far.value:.2f} ({far.low:.2f} to {far.high:.2f})"
            cells.append(drawn if alone < 1 else "no gain to draw on")
            name = f"{unit}/{engine}_{size.replace(',', '').replace(' ', '_')}"
            metrics |= {f"{name}_gain": gain, f"{name}_alone": float(alone)}
        else:
            cells += ["", "", ""]
        text.append(f"| {engine} | {size} | {' | '.join(cells)} |")
    return "\n".join(text) + "\n", metrics


def _solve(x: Array, y: Array) -> Array:
    scale = np.where(np.abs(x).max(axis=0) > 0, np.abs(x).max(axis=0), 1.0)
    found: Array = nnls(x / scale / y[:, None], np.ones(len(y)))[0] / scale
    return found


def _cross(slow: Array, fast: Array) -> "NDArray[Any]":
    """Rows from which fast is below slow, by draw: 0 always, infinite never."""
    head_start, gain = fast[:, 0] - slow[:, 0], slow[:, 1] - fast[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        rows = np.where(gain > 0, np.maximum(head_start, 0.0) / gain, np.inf)
    return np.where((gain <= 0) & (head_start < 0), 0.0, rows)
