"""What a comparison found, in plain words."""

import os

from tandem.comparison import Comparison
from tandem.registry import without_spark

_APART = 0.01  # of an RMSE: what is apart by more is not called the same


def verdict(found: Comparison) -> list[str]:
    """The result in plain words: who is how fast, whether Spark pays, whether the answers agree."""
    lines = [_speed(found)] if found.engines else []
    lines += [
        _spark(found, engine)
        for engine in found.engines
        if without_spark().get(engine) in found.turns
    ]
    lines += found.crossings
    if len(found.answers) > 1:
        lines.append(_agreement(found))
    lines += [f"{engine} has no result: {why}" for engine, why in found.failed.items()]
    return lines


def _speed(found: Comparison) -> str:
    first, *others = found.engines
    ranked = sorted(found.engines, key=found.total)
    fastest = ranked[0]
    rows = _rows(found)
    if not others:
        return f"{first} takes {_seconds(found.total(first))} for {rows}."
    if fastest == first:
        rival = ranked[1]
        return (
            f"{first} is the fastest here, for {rows}: {_seconds(found.total(first))}, "
            f"{_times(found.total(rival) / found.total(first))} faster than {rival}."
        )
    return (
        f"{fastest} is {_times(found.speedup(fastest))} faster than {first} here, for {rows}: "
        f"{_seconds(found.total(fastest))} against {_seconds(found.total(first))}; apart from "
        f"starting up {_times(found.work(first) / found.work(fastest))}, "
        f"{_seconds(found.work(fastest))} against {_seconds(found.work(first))}."
    )


def _spark(found: Comparison, engine: str) -> str:
    alone = without_spark()[engine]
    ratio = found.total(engine) / found.total(alone)
    where = f"on {os.cpu_count()} cores" if "local" in found.task.get("spark.master", "") else ""
    if ratio > 1:
        return (
            f"Spark does not pay here {where}: {engine} takes {_times(ratio)} as long as {alone} "
            f"({_seconds(found.total(engine))} against {_seconds(found.total(alone))})."
        ).replace("  ", " ")
    return (
        f"Spark pays here {where}: {engine} is {_times(1 / ratio)} faster than {alone} "
        f"({_seconds(found.total(engine))} against {_seconds(found.total(alone))})."
    ).replace("  ", " ")


def _agreement(found: Comparison) -> str:
    certificate = found.certificate
    if not certificate.passed:
        return "The engines do NOT give the same answer: " + "; ".join(certificate.faults) + "."
    if certificate.not_unique:
        return (
            "The engines are equally right and do not give the same answer: features follow from "
            "one another, and several models are the minimum -> drop one (dataset.exclude)."
        )
    worst = max((pair.worst for pair in certificate.pairs), key=lambda d: d.share)
    if worst.share == 0:
        return "Every engine gives the same answer, bit for bit."
    rmse, allowed = max(
        (d.relative, pair.tolerance)
        for pair in certificate.pairs
        for d in pair.largest
        if d.what == "rmse"
    )
    if rmse > _APART:
        return (
            f"The engines agree as far as their solvers go: RMSE differs by up to {rmse:.0%} "
            f"(allowed: {allowed}) -> model.tol=1e-9 model.max_iter=100000 brings them nearer."
        )
    percent = f"{100 * rmse:.1g}" if rmse >= 1e-6 else f"{100 * rmse:.0e}"
    return f"Every engine gives the same answer: RMSE agrees to {percent} %."


def _rows(found: Comparison) -> str:
    rows = found.median(found.engines[0], "data/rows") or 0
    runs = f" (medians of {found.repeats} runs)" if found.repeats > 1 else ""
    return f"{rows:,.0f} rows{runs}"


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value < 100 else f"{value:,.0f} s"


def _times(ratio: float) -> str:
    return f"{ratio:.1f}x" if ratio < 10 else f"{ratio:,.0f}x"
