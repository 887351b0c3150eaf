"""What a comparison found, as one value: medians, spreads, the certificate, the plain words."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tandem.answers import Answer
from tandem.parity import Certificate
from tandem.timing import STAGES

# Engines on Spark, and the same without it.
WITHOUT_SPARK = {"distributed": "sequential", "distributed_scan": "scan"}


@dataclass(frozen=True)
class Comparison:
    """Engines on one task. `turns[engine]`: the metrics of every measured run, by key.

    `failed`: engine -> why it has no result; `findings`: what a careful reader would ask;
    `task`: the configuration that all share; `crossings`: what other runs say of other sizes.
    """

    dataset: str
    turns: Mapping[str, Sequence[Mapping[str, float]]]
    answers: Sequence[Answer]
    certificate: Certificate
    failed: Mapping[str, str]
    findings: Sequence[str]
    machine: Mapping[str, str]
    task: Mapping[str, str]
    crossings: Sequence[str] = ()

    @property
    def engines(self) -> tuple[str, ...]:
        """Those with a result, in the order that was asked for."""
        return tuple(self.turns)

    @property
    def repeats(self) -> int:
        """Measured runs of each engine."""
        return max(map(len, self.turns.values()), default=0)

    def answer(self, engine: str) -> Answer:
        """The first answer of `engine`."""
        return next(answer for answer in self.answers if answer.engine == engine)

    def median(self, engine: str, key: str) -> float | None:
        """Of metric `key` over the runs of `engine`; None where it has no such metric."""
        values = [metrics[key] for metrics in self.turns[engine] if key in metrics]
        return median(values) if values else None

    def total(self, engine: str) -> float:
        """Median seconds from start to refit."""
        return self.median(engine, "time/total_s") or 0.0

    def work(self, engine: str) -> float:
        """Median seconds apart from starting up: imports, the JVM, Spark's session."""
        return self.total(engine) - (self.median(engine, "time/session_s") or 0.0)

    def spread(self, engine: str) -> float:
        """Largest less smallest total time, in seconds."""
        totals = [metrics["time/total_s"] for metrics in self.turns[engine]]
        return max(totals) - min(totals)

    def speedup(self, engine: str) -> float:
        """Total time of the first engine / that of `engine`."""
        return self.total(self.engines[0]) / self.total(engine)

    def metrics(self) -> list[tuple[str, float, int]]:
        """What the parent run logs: (key, value, step)."""
        found = []
        for engine in self.engines:
            found += [
                (f"speedup/{engine}", self.speedup(engine), 0),
                (f"seconds/{engine}", self.total(engine), 0),
                (f"seconds_spread/{engine}", self.spread(engine), 0),
            ]
        for name in ("rmse", "mae", "prediction", "coefficient"):
            pairs = [d for p in self.certificate.pairs for d in p.largest if d.what == name]
            if pairs:
                found.append((f"parity/{name}_max_rel", max(d.relative for d in pairs), 0))
        shares = self.certificate.shares.items()
        found += [(f"parity/{name}_share_max", min(share, 1e9), 0) for name, share in shares]
        return found


def verdict(found: Comparison) -> list[str]:
    """The result in plain words: who is how fast, whether Spark pays, whether the answers agree."""
    lines = [_speed(found)] if found.engines else []
    lines += [
        _spark(found, engine)
        for engine in found.engines
        if WITHOUT_SPARK.get(engine) in found.turns
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
    alone = WITHOUT_SPARK[engine]
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
    worst = max((pair.worst for pair in certificate.pairs), key=lambda d: d.share)
    if worst.share == 0:
        return "Every engine gives the same answer, bit for bit."
    rmse = max(d.relative for p in certificate.pairs for d in p.largest if d.what == "rmse")
    return (
        f"Every engine gives the same answer: RMSEs differ by at most {rmse:.1e} of themselves, "
        f"and nothing by more than {max(worst.share, 0.001):.1%} of what the solvers' tolerances "
        "allow."
    )


def table(found: Comparison) -> list[list[str]]:
    """Header, then a row per figure and a column per engine; medians over the runs."""
    figures = [(f"{stage} s", f"time/{stage}_s", "{:.2f}") for stage in (*STAGES, "total")]
    figures += [
        ("peak memory MB", "memory/peak_mb", "{:.0f}"),
        ("RMSE", "cv/rmse_mean", "{:.8g}"),
        ("R2", "cv/r2_mean", "{:.6g}"),
        ("MAE", "cv/mae_mean", "{:.8g}"),
        ("scans of the rows", "data/scans", "{:.0f}"),
        ("Spark tasks", "spark/tasks", "{:.0f}"),
        ("unconverged fits", "cv/unconverged_fits", "{:.0f}"),
    ]
    rows = [["", *found.engines]]
    for label, key, form in figures:
        values = [found.median(engine, key) for engine in found.engines]
        if any(values) or key.startswith("time/"):
            rows.append([label, *("-" if v is None else form.format(v) for v in values)])
    if found.repeats > 1:
        spreads = [f"{found.spread(engine):.2f}" for engine in found.engines]
        rows.insert(2 + len(STAGES), ["largest - smallest total s", *spreads])
    rows.append(["speed-up", *(f"{found.speedup(engine):.3g}x" for engine in found.engines)])
    return rows


def parity_table(certificate: Certificate) -> list[list[str]]:
    """Header, then a row per pair: the largest differences and the share of what is allowed."""
    header = ["engines", "parity", "RMSE, relative", "coefficient", "of what is allowed", "allowed"]
    rows = [header]
    for pair in certificate.pairs:
        by = {difference.what: difference for difference in pair.largest}
        rmse, slope = (by.get(name) for name in ("rmse", "coefficient"))
        rows.append(
            [
                f"{pair.left} - {pair.right}",
                "pass" if pair.passed else "FAIL",
                f"{rmse.relative:.1e}" if rmse else "-",
                f"{slope.relative:.1e}" if slope else "-",
                f"{pair.worst.share:.1%}" if pair.largest else "-",
                pair.tolerance,
            ]
        )
    return rows


def _rows(found: Comparison) -> str:
    rows = found.median(found.engines[0], "data/rows") or 0
    runs = f" (medians of {found.repeats} runs)" if found.repeats > 1 else ""
    return f"{rows:,.0f} rows{runs}"


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value < 100 else f"{value:,.0f} s"


def _times(ratio: float) -> str:
    return f"{ratio:.1f}x" if ratio < 10 else f"{ratio:,.0f}x"
