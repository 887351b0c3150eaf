"""What a comparison found, as one value: medians, ranges, the certificate, the plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tandem.answers import Answer
from tandem.comparison.parity import Certificate
from tandem.records import Array
from tandem.results import OTHERS


@dataclass(frozen=True)
class Fit:
    """The model of all rows on some of them: `true` and `predicted` have shape (rows,).

    `weights`: its standardised coefficients by feature.
    """

    true: Array
    predicted: Array
    weights: Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """Engines on one task. `turns[engine]`: the metrics of every measured run, by key.

    `failed`: engine -> why it has no result; `remarks`: what a careful reader would ask;
    `task`: the configuration that all share; `crossings`: what other runs say of other sizes;
    `fit`: the first answer's model, None where there is none.
    """

    dataset: str
    turns: Mapping[str, Sequence[Mapping[str, float]]]
    answers: Sequence[Answer]
    certificate: Certificate
    failed: Mapping[str, str]
    remarks: Sequence[str]
    machine: Mapping[str, str]
    task: Mapping[str, str]
    crossings: Sequence[str] = ()
    fit: Fit | None = None

    @property
    def target(self) -> str:
        """The name of what is predicted; errors are in its units."""
        return self.task.get("dataset.target", "the target")

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

    def range_s(self, engine: str) -> float:
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
                (f"seconds_spread/{engine}", self.range_s(engine), 0),
            ]
        for name in ("rmse", *OTHERS, "prediction", "coefficient"):
            pairs = [d for p in self.certificate.pairs for d in p.largest if d.what == name]
            if pairs:
                found.append((f"parity/{name}_max_rel", max(d.relative for d in pairs), 0))
        alone = [d.share for own in self.certificate.alone.values() for d in own]
        if alone:
            found.append(("parity/own_share_max", min(max(alone), 1e9), 0))
        shares = self.certificate.shares.items()
        found += [(f"parity/{name}_share_max", min(share, 1e9), 0) for name, share in shares]
        return found
