"""The store goes away anywhere in a command: is all of it there in the end, exactly once?"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from proxy import KINDS, Proxy
from store import content, server

TASK = ("table.csv", "--target", "y", "folds.k=2", "model.reg_param=[0.1]")
COMMANDS = {
    "run": ("run", *TASK, "engine=scan"),
    "refused": ("run", "bad.csv", *TASK[1:], "engine=scan"),
    "compare": ("compare", *TASK, "compare.engines=[scan,sequential]"),
    "sweep": ("sweep", *TASK, "engine=scan", "folds.seed=1,2"),
}
WEIGHTS = (6, 1, 2, 2)
EXITS = {"run": 0, "refused": 3, "compare": 0, "sweep": 0}
# More than without a fault: 2 until it is clear that a run cannot begin, 5 until it gives up; the
# rest is for a busy machine.
SECONDS = 60


@dataclass(frozen=True)
class Round:
    """One command under one fault, and what was wrong with it in the end; nothing: good."""

    command: str
    kind: str
    first: int
    seconds: float | None
    exit: int
    took: float
    faults: tuple[str, ...]


def table(folder: Path) -> None:
    """A small table, and one with a row that no reader may take."""
    draw = random.Random(1)  # noqa: S311 - data
    rows = [(draw.gauss(0, 1), draw.gauss(0, 1), draw.choice("abc")) for _ in range(120)]
    lines = ["x,z,c,y", *(f"{x:.6f},{z:.6f},{c},{2 * x - z:.6f}" for x, z, c in rows)]
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    (folder / "bad.csv").write_text("\n".join([*lines, "1,2,3,4,5"]) + "\n")


class Place:
    """A working directory, a server and a proxy before it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.direct = folder, f"http://127.0.0.1:{port}"
        self.proxy = Proxy(port)
        self.uri = f"http://127.0.0.1:{self.proxy.port}"
        # Nothing may linger in the cache of the user's own runs, nor of earlier rounds; and what
        # others leave in the place for temporary files is not ours.
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.environment = {
            **os.environ,
            "TANDEM_CACHE": str(folder / "cache"),
            "TMPDIR": str(self.temporary),
            "JAVA_TOOL_OPTIONS": f"-Djava.io.tmpdir={self.temporary}",
        }
        self.environment.pop("MLFLOW_RUN_ID", None)

    def tandem(self, *words: str) -> tuple[int, float, str]:
        """Exit status, seconds, and what was printed."""
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "tandem", *words, f"tracking.uri={self.uri}"],
            cwd=self.folder, env=self.environment, text=True, timeout=300, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.returncode, time.monotonic() - begin, done.stdout

    def waiting(self) -> list[str]:
        """What is in the outbox."""
        folder = self.folder / "cache" / "outbox"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@contextmanager
def place() -> Iterator[Place]:
    """One for all rounds."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        table(folder)
        (folder / "server").mkdir()
        with server(folder / "server") as port:
            here = Place(folder, port)
            yield here
            here.proxy.close()


def outages(rounds: int, seed: int) -> Iterator[Round]:
    """As many random rounds."""
    draw = random.Random(seed)  # noqa: S311 - moments
    with place() as here:
        calm = {}
        for number in range(rounds):
            (command,) = draw.choices([*COMMANDS], WEIGHTS)
            if command not in calm:
                here.tandem(*COMMANDS[command], "tracking.experiment=warm-up")
                here.proxy.misbehave("", 0, 0)
                experiment = f"calm-{command}"
                status, took, said = here.tandem(
                    *COMMANDS[command], f"tracking.experiment={experiment}"
                )
                assert status == EXITS[command], said
                assert not here.waiting(), said
                calm[command] = content(here.direct, experiment), here.proxy.requests, took
            kind, share = draw.choice(KINDS), draw.random()
            seconds = draw.choice([None, draw.uniform(0.2, 8)])
            first = int(share * calm[command][1])
            yield _round(here, f"{number}-{command}", (kind, first, seconds), calm[command])


def _round(
    here: Place,
    experiment: str,
    fault: tuple[str, int, float | None],
    calm: tuple[list[dict[str, object]], int, float],
) -> Round:
    command = experiment.partition("-")[2]
    here.proxy.misbehave(*fault)
    status, took, said = here.tandem(*COMMANDS[command], f"tracking.experiment={experiment}")
    here.proxy.heal()
    faults = [*_wrong(here, command, status, took - calm[2], said)]
    for _ in range(3):
        if here.waiting():
            sent, _, told = here.tandem("send")
            faults += [f"send: {told}"] if sent else []
    found = content(here.direct, experiment)
    if here.waiting():
        faults.append(f"left: {here.waiting()}")
    if found != calm[0]:
        faults.append(f"differs: {_difference(calm[0], found)}")
    return Round(command, *fault, status, took, tuple(faults))


def _wrong(here: Place, command: str, status: int, longer: float, said: str) -> Iterator[str]:
    wanted = 5 if here.waiting() and command != "refused" else EXITS[command]
    if status != wanted:
        yield f"status {status}, not {wanted}: {said[-800:]}"
    if status == 5 and not ("tandem send" in said and str(here.folder / "cache/outbox") in said):
        yield f"not told where: {said[-800:]}"
    if command != "refused" and "RMSE" not in said:
        yield f"no answer: {said[-800:]}"
    if longer > SECONDS:
        yield f"{longer:.1f} s longer"


def _difference(calm: list[dict[str, object]], found: list[dict[str, object]]) -> str:
    if len(calm) != len(found):
        return f"{len(found)} runs, not {len(calm)}"
    for one, other in zip(calm, found, strict=True):
        for key, value in one.items():
            if value != other[key]:
                return f"{key}: {json.dumps(value)[:500]} != {json.dumps(other[key])[:500]}"
    return "nothing"
