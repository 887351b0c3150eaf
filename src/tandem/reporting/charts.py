"""Pictures of a run and of a comparison: one colour per engine everywhere."""

import io
import warnings
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from tandem.comparison import Comparison
from tandem.records import STAGES
from tandem.registry import color as color_of
from tandem.results import Result
from tandem.scores import standard_error

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE = "#555555"
_BINS = 50
_LABELLED = 60  # features that have room for a name
_WEIGHTIEST = 30  # coefficients in a picture
_CURVE = 4  # penalties that make one
_STYLES = ("-", "--", ":", "-.")
_STAGES = ("#9d9d9d", "#d4a373", "#72b7b2", "#eeca3b", "#4c78a8", "#ff9da6")  # of the stages


def grid(result: Result) -> "Figure":
    """Held-out RMSE of every fold (dots) and its mean (line) by grid point.

    Of four penalties or more: the mean over reg_param, a line for every elastic_net_param.
    """
    figure = _figure(7, 4)
    axes = figure.subplots()
    if len({point.reg_param for point in result.task.grid}) >= _CURVE:
        _curves(axes, result)
        return figure
    positions = range(len(result.task.grid))
    color = color_of(result.engine)
    for by_point in result.scores.rmse:
        axes.plot(positions, by_point, ".", color=color, alpha=0.5)
    axes.plot(positions, result.scores.rmse_mean, "-", color=color, label="mean over folds")
    best = result.scores.best
    axes.plot(best, result.scores.rmse_mean[best], "o", color=color, label="chosen")
    labels = [f"{p.reg_param:g} / {p.elastic_net_param:g}" for p in result.task.grid]
    if len(labels) <= 20:
        axes.set_xticks(list(positions), labels, rotation=45, ha="right")
    axes.set_xlabel("reg_param / elastic_net_param")
    axes.set_ylabel(f"held-out RMSE of {result.task.dataset.target.name}")
    axes.legend()
    return figure


def _curves(axes: "Axes", result: Result) -> None:
    """With a band of one standard error about that of the chosen elastic_net_param."""
    points, means, best = result.task.grid, result.scores.rmse_mean, result.best
    color = color_of(result.engine)
    shares = dict.fromkeys(point.elastic_net_param for point in points)
    for share, style in zip(shares, cycle(_STYLES), strict=False):
        places = [g for g, point in enumerate(points) if point.elastic_net_param == share]
        places.sort(key=lambda place: points[place].reg_param)
        penalties = [points[place].reg_param for place in places]
        label = f"elastic_net_param {share:g}"
        axes.plot(penalties, means[places], style, color=color, label=label)
        if share == best.elastic_net_param:
            repeats, of = result.task.folds.repeats, result.scores.rmse.T
            error = np.array([standard_error(of[place], repeats) for place in places])
            low, high = means[places] - error, means[places] + error
            axes.fill_between(penalties, low, high, color=color, alpha=0.2, linewidth=0)
    axes.plot(best.reg_param, means[result.scores.best], "o", color=color, label="chosen")
    least = min((point.reg_param for point in points if point.reg_param > 0), default=1.0)
    axes.set_xscale("symlog", linthresh=least)
    axes.set_xlabel("reg_param")
    axes.set_ylabel(f"held-out RMSE of {result.task.dataset.target.name}, mean over folds")
    axes.legend()


def weightiest(table: "pd.DataFrame") -> "Figure":
    """Standardised coefficients, the largest first, of `run_texts.coefficients`.

    With their 95 % intervals; of a model with a penalty, with the range over training sets.
    """
    order = table.standardised.abs().sort_values(ascending=False).index[:_WEIGHTIEST]
    shown = table.loc[order].iloc[::-1]
    told = bool(shown.low_95.notna().any())
    ends = shown[["low_95", "high_95"]]
    if not told:
        folds = shown.filter(regex=r"^fold_\d+$")
        ends = folds.agg(["min", "max"], axis=1)
    scale = (shown.standardised / shown.coefficient).fillna(0.0).to_numpy()
    low, high = (ends.to_numpy() * scale[:, None]).T
    figure = _figure(7, 1.0 + 0.25 * len(shown))
    axes, places = figure.subplots(), range(len(shown))
    axes.axvline(0.0, color=_LINE, linewidth=0.8)
    axes.hlines(places, low, high, color=_LINE)
    axes.plot(shown.standardised, places, "o", color=color_of("scan"))
    axes.set_yticks([*places], [*shown.feature], parse_math=False)
    bars = "95 % interval" if told else "range over the training sets"
    axes.set_xlabel(f"standardised coefficient; bar: {bars}")
    return figure


def heat(table: "pd.DataFrame") -> "Figure":
    """Correlations, a square each: red where both grow together, blue where one falls."""
    size = len(table)
    figure = _figure(max(3.0, min(0.35 * size + 2.0, 12.0)), max(2.5, min(0.35 * size + 1.5, 11.0)))
    axes = figure.subplots()
    shown = axes.imshow(table.to_numpy(), cmap="RdBu_r", vmin=-1.0, vmax=1.0)
    figure.colorbar(shown, ax=axes, label="correlation")
    if size <= _LABELLED:
        axes.set_xticks(range(size), [*table.columns], rotation=90, parse_math=False)
        axes.set_yticks(range(size), [*table.index], parse_math=False)
    return figure


def stages(found: Comparison) -> "Figure":
    """Seconds of every engine, the medians of its stages stacked in the order they run in."""
    figure = _figure(7, 1.2 + 0.6 * len(found.engines))
    axes = figure.subplots()
    engines = [*found.engines][::-1]  # the first engine on top
    left = dict.fromkeys(engines, 0.0)
    for stage, color in zip(STAGES, _STAGES, strict=True):
        widths = [found.median(engine, f"time/{stage}_s") or 0.0 for engine in engines]
        axes.barh(engines, widths, left=[*left.values()], label=stage, color=color)
        left = {engine: left[engine] + width for engine, width in zip(engines, widths, strict=True)}
    for engine, total in left.items():
        _beside(axes, total, engine, f"{total:.1f} s")
    axes.set_xlim(0, 1.15 * max(left.values()))
    axes.set_xlabel("seconds")
    axes.legend(ncols=len(STAGES), loc="upper center", bbox_to_anchor=(0.5, 1.35), frameon=False)
    return figure


def speedups(found: Comparison) -> "Figure":
    """How many times as fast as the first engine each is, on a logarithmic axis."""
    label = f"times as fast as {found.engines[0]} (logarithmic)"
    return _bars(found, found.speedup, label, "{:.3g}x", log=True)


def memory(found: Comparison) -> "Figure":
    """Peak resident memory of every engine's processes."""
    peak = lambda engine: found.median(engine, "memory/peak_mb") or 0.0  # noqa: E731 - one value
    return _bars(found, peak, "peak memory, MB", "{:,.0f} MB", log=False)


def folds(found: Comparison) -> "Figure":
    """Held-out RMSE of the winning grid point by fold, a bar per engine."""
    figure = _figure(7, 3.2)
    axes = figure.subplots()
    width, answers = 0.8 / len(found.engines), [found.answer(engine) for engine in found.engines]
    for number, answer in enumerate(answers):
        rmse = answer.metrics["rmse"][:, answer.grid.index(answer.best)]
        places = [fold + (number - (len(answers) - 1) / 2) * width for fold in range(len(rmse))]
        color = color_of(answer.engine)
        axes.bar(places, rmse, width, label=answer.engine, color=color)
    axes.set_xticks(range(len(answers[0].test_rows)))
    axes.set_xlabel("fold")
    axes.set_ylabel(f"held-out RMSE, in units of {found.target}")
    axes.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, 1.2), frameon=False)
    return figure


def fit(found: Comparison) -> "Figure":
    """True over predicted values, and the residuals; how many rows are where, on a log scale."""
    assert found.fit  # noqa: S101 - drawn only where there is one
    true, predicted = found.fit.true, found.fit.predicted
    figure = _figure(10, 3.8)
    left, right = figure.subplots(1, 2)
    *_, cells = left.hist2d(predicted, true, bins=_BINS, norm="log", cmap="viridis")
    figure.colorbar(cells, ax=left, label="rows (logarithmic)")
    ends = (min(predicted.min(), true.min()), max(predicted.max(), true.max()))
    left.plot(ends, ends, color=_LINE, linewidth=0.8)
    left.set(xlabel=f"predicted {found.target}", ylabel=f"true {found.target}")
    right.hist(true - predicted, bins=_BINS, color=color_of(found.engines[0]))
    right.axvline(0.0, color=_LINE, linewidth=0.8)
    right.set(xlabel=f"true - predicted {found.target}", ylabel="rows")
    for axes in (left, right):
        axes.locator_params("x", nbins=5)
    return figure


def curves(
    series: Mapping[tuple[str, str], Sequence[tuple[float, float]]], across: str, up: str
) -> "Figure":
    """`up` over `across`, both logarithmic: a line through the medians of (engine, what) each."""
    figure = _figure(7, 4.5)
    axes = figure.subplots()
    whats = [*dict.fromkeys(what for _, what in series)]
    for (engine, what), points in series.items():
        places = sorted({x for x, _ in points})
        middles = [median(y for at, y in points if at == x) for x in places]
        color, style = color_of(engine), _STYLES[whats.index(what) % len(_STYLES)]
        axes.plot([x for x, _ in points], [y for _, y in points], ".", color=color)
        axes.plot(places, middles, style, color=color, label=f"{engine}, {what}")
    axes.set(xscale="log", yscale="log", xlabel=across, ylabel=up)
    ticks = sorted({x for points in series.values() for x, _ in points})
    axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
    axes.minorticks_off()
    axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    return figure


COMPARISON: dict[str, Callable[[Comparison], "Figure"]] = {
    "stages": stages,
    "speedup": speedups,
    "memory": memory,
    "folds": folds,
    "fit": fit,
}


def draw(found: Comparison) -> dict[str, bytes]:
    """Every picture of a comparison by its name, as PNG; none where no engine has a result."""
    names = [name for name in COMPARISON if found.engines and (name != "fit" or found.fit)]
    return {name: png(COMPARISON[name](found)) for name in names}


def png(figure: "Figure") -> bytes:
    """`figure` as the content of a PNG file."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # of names in other scripts: a box each
        figure.savefig(content, format="png", dpi=110, bbox_inches="tight")
    return content.getvalue()


def data_uri(picture: bytes) -> str:
    """A PNG as the address of an image that a page carries in itself."""
    return f"data:image/png;base64,{b64encode(picture).decode()}"


def _bars(
    found: Comparison, value: Callable[[str], float], label: str, form: str, *, log: bool
) -> "Figure":
    figure = _figure(7, 0.8 + 0.5 * len(found.engines))
    axes = figure.subplots()
    engines = [*found.engines][::-1]
    values = [value(engine) for engine in engines]
    colors = [color_of(engine) for engine in engines]
    begin = 1.0 if log else 0.0
    axes.barh(engines, [one - begin for one in values], left=begin, color=colors)
    for engine, one in zip(engines, values, strict=True):
        _beside(axes, max(one, begin), engine, form.format(one))
    if log:
        axes.set_xscale("log")
        axes.set_xlim(min(*values, 1.0) / 3, 5 * max(values))
        axes.axvline(begin, color=_LINE, linewidth=0.8)
    else:
        axes.set_xlim(0, 1.2 * max(values))
    axes.set_xlabel(label)
    return figure


def _beside(axes: "object", x: float, y: str, text: str) -> None:
    axes.annotate(text, (x, y), (4, 0), textcoords="offset points", va="center")  # type: ignore[attr-defined]  # matplotlib's Axes


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415 - only where a picture is drawn

    return Figure(figsize=(width, height), layout="constrained")
