"""How the time of an engine falls with the workers that share its work: Amdahl's law."""

from collections.abc import Mapping, Sequence
from statistics import median

from tandem.scaling.growth import Growth, fit

MOST = 4  # workers that the law is drawn on to


def amdahl(workers: Sequence[float], seconds: Sequence[float]) -> Growth:
    """t(w) = a + b / w: `a` is not shared out, `b` is (Amdahl, AFIPS 1967).

    `workers`, `seconds`: of every run. The coefficients are [a, b], in seconds. Raises
    ValueError where there are fewer than two runs.
    """
    return fit([(1.0, 1.0 / count) for count in workers], seconds)


def verdict(
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
