"""Seconds, memory and cost of a run on a cluster, from the constants of one machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from measure import Constants, K, formula

from tandem.moments import Allowance, table_bytes
from tandem.scan import WIDE, levels

_LONG = 2_097_152  # rows of a stretch, from which on it is not made longer
_POINTS = 6  # of the default grid
_CELL = 8  # bytes of a number, as it is stored and sent


@dataclass(frozen=True, slots=True)
class Cluster:
    """What is assumed of the machines and the store; see README.md for the sources.

    `net`, `driver_net`: bytes per second of an executor and of the driver; `latency_s`: until the
    first byte of a file; `ahead`: files that the driver asks for at once; `dollars`: of an executor
    and of the driver per hour.
    """

    name: str = "m5.xlarge executors, an m5.8xlarge driver"
    cores: int = 4
    memory: float = 16e9
    net: float = 1.25e9 / 8
    driver_net: float = 10e9 / 8
    driver_cores: int = 32
    latency_s: float = 0.15
    ahead: int = 16
    dollars: tuple[float, float] = (0.192, 1.536)


HERE = Cluster("this machine", 2, 0.0, 1e12, 1e12, 2, 0.0, 16, (0.0, 0.0))


@dataclass(frozen=True, slots=True)
class Scenario:
    """A table of `p` columns of numbers, and of a category where it has `levels`."""

    rows: float
    p: int
    executors: int
    files: int = 100_000
    groups: int = 1_000_000
    levels: int = 0

    @property
    def stored(self) -> float:
        """Bytes of the table."""
        return self.rows * (self.p + 1) * _CELL

    @property
    def chunks(self) -> float:
        """Columns times row groups of a file."""
        return self.groups / self.files * (self.p + 1)

    @property
    def stretches(self) -> int:
        """Of all files."""
        each, rows = self.groups / self.files, self.rows / self.groups
        together = max(ceil(min(self.rows / self.files / 8, _LONG) / rows), 1)
        return self.files * ceil(each / together)


def partial_bytes(c: Constants, s: Scenario) -> float:
    """Of the sums of a file: the Grams, and of a category its rows, or its sums too."""
    width = s.p + 2 + (s.levels > 0)
    if counted(s):
        return c.partial * formula(s.p) + c.level_bytes * K * s.levels
    return c.partial * formula(s.p) + K * s.levels * 8.0 * (width + 1)


def counted(s: Scenario) -> bool:
    """Whether the sums of the category are too large, so that a second scan is needed."""
    return bool(s.levels) and table_bytes(s.levels, K, s.p + 2) > Allowance().limit


def scan_stages(c: Constants, cluster: Cluster, s: Scenario) -> dict[str, float]:
    """Seconds of every stage of `distributed_scan`."""
    cores, size = cluster.cores * s.executors, partial_bytes(c, s)
    footer = c.footer_s[0] + c.footer_s[1] * s.chunks
    told = c.told_s * s.chunks
    tasks = min(s.files, max(4 * cores, s.stretches // 64))
    row = c.row_s[0] + c.row_s[1] * s.p + c.row_s[2] * s.p**2
    level = K * s.levels * c.level_s
    work = s.rows * row + s.groups * c.group_s + s.stretches * level
    cpu = work / min(cores, tasks)
    moved = s.stored / cluster.net / s.executors
    added, last = 0.0, s.files
    for last in levels(s.files):
        waves = ceil(last / cores)
        added += waves * WIDE * (level + size * (c.add_s + 1 / cluster.net))
        tasks += last
    last = min(last, s.stretches) if levels(s.files) else s.stretches
    scans = 2 if counted(s) else 1
    digest = max(c.digest_s / cluster.driver_cores, 1 / cluster.driver_net)
    return {
        "fingerprint": s.stored * digest,
        "footers": s.files * (2 * max(cluster.latency_s / cluster.ahead, footer) + told),
        "footers in tasks": s.files * (cluster.latency_s + footer + told) / cores,
        "tasks": scans * (c.job_s + tasks * c.task_s),
        "scan": scans * max(cpu, moved),
        "ranges": added,
        "driver adds": last * (level + size * (c.add_s + 1 / cluster.driver_net)),
        "fits": c.solve_s[0] + c.solve_s[1] * s.p**2 + c.solve_s[2] * s.p**3,
    }


def flat_s(c: Constants, cluster: Cluster, s: Scenario) -> float:
    """Seconds in which the driver would add the sums of all stretches itself."""
    moved = partial_bytes(c, s) * (c.add_s + 1 / cluster.driver_net)
    return s.stretches * (K * s.levels * c.level_s + moved)


def driver_bytes(c: Constants, cluster: Cluster, s: Scenario) -> float:
    """The most that the driver holds: stretches and footers, then sums or fits."""
    known = s.stretches * c.stretch_bytes + cluster.ahead * s.chunks * 1000
    return known + max(2.0, c.solve_bytes) * partial_bytes(c, s)


def spark_s(spark: Mapping[str, float], cluster: Cluster, s: Scenario) -> float:
    """Seconds of Spark's own pipeline: a pass over the rows for every fit, or for every step.

    Up to 4,096 features a fit is one pass, beyond it is 20 steps. A pass is linear in p, which
    favours Spark: its sums are not. A table beyond the memory is read again in every pass.
    """
    passes = (K * _POINTS + 1) * (1 if s.p <= 4096 else 20) + 2
    cores = cluster.cores * s.executors
    cpu = s.rows * s.p * spark["cell_s"] * passes / cores
    fits = s.stored <= 0.6 * cluster.memory * s.executors
    moved = s.stored / cluster.net / s.executors * (1 if fits else passes)
    return spark["start_s"] + max(cpu, moved)


def dollars(cluster: Cluster, s: Scenario, seconds: float) -> float:
    """What all machines cost for so long."""
    executor, driver = cluster.dollars
    return (executor * s.executors + driver) * seconds / 3600
