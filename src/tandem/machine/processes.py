"""A run in a process of its own, which ends when the process that started it is gone."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from shutil import which
from typing import Any

from tandem.machine.ending import LIFELINE
from tandem.redaction import shown_word

HELPER = "TANDEM_HELPER"  # environment variable: the socket of the starter's helper
JOB_KEY = "TANDEM_JOB_KEY"  # environment variable: the key of the sweep's job that a child is
_WORDS = "TANDEM_OVERRIDES"  # environment variable: words that no list of processes may show
OUTCOME = "TANDEM_OUTCOME"  # environment variable: the file in which a child says how it ended
_OWN = (JOB_KEY, OUTCOME, _WORDS, "MLFLOW_RUN_ID")  # the parent's, never its children's


@dataclass(frozen=True, slots=True)
class Place:
    """Where a child belongs: the run above it, the address of the store, the job that it is.

    `helper`: the socket of the helper that it shares with its starter; `outcome`: the file in which
    it says how it ended.
    """

    parent: str
    uri: str
    helper: str
    job: str | None = None
    outcome: str | None = None


def start_child(
    overrides: Sequence[str],
    place: Place,
    *,
    keep: Sequence[int] = (),
    stdout: int | None = None,
    stderr: int | None = None,
) -> subprocess.Popen[str]:
    """Start `tandem` with `overrides` at `place`; it inherits the file descriptors `keep`.

    `stdout`, `stderr`: as of subprocess.Popen, None for this process's own.
    The address of the store, and all overrides where one must not be shown, are handed over in the
    environment: everybody may read a command line. A signal of the terminal reaches the child
    through its starter only, so that it never gets two.
    """
    own = {key: value for key, value in os.environ.items() if key not in _OWN}
    own |= {LIFELINE: "stdin", HELPER: place.helper, "MLFLOW_TRACKING_URI": place.uri}
    if place.job:
        own[JOB_KEY] = place.job
    if place.outcome:
        own[OUTCOME] = place.outcome
    words = [word for word in overrides if not word.lstrip("+~").startswith("tracking.uri=")]
    words.append(f"tracking.parent_run_id={place.parent}")
    if any(shown_word(word) != word for word in words):
        own[_WORDS] = json.dumps(words)
        words = []
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "tandem", *words],
        env=own,
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        pass_fds=keep,
        process_group=0,
        text=True,
        errors="replace",
    )


def is_child() -> bool:
    """Whether this process has words that came by the environment."""
    return _WORDS in os.environ


def handed_over() -> list[str]:
    """In a child, once: the words of its command line that came by the environment."""
    words: list[str] = json.loads(os.environ.pop(_WORDS, "[]"))
    return words


def run_child(overrides: Sequence[str], place: Place) -> int:
    """Run a child to its end; its exit status, -n after signal n.

    It is ended where waiting is interrupted.
    """
    with start_child(overrides, place) as process:
        try:
            return process.wait()
        except BaseException:
            stop_children([process])
            raise


def stop_children(processes: Sequence[subprocess.Popen[Any]], seconds: float = 2.5) -> None:
    """Ask all to end; kill those that live `seconds` later."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + seconds
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()


def ended_with_us(signum: signal.Signals) -> list[str]:
    """Words before a program's that have the system send it `signum` when this process ends.

    None where the system cannot.
    """
    setpriv = which("setpriv")
    return [setpriv, "--pdeathsig", signum.name.removeprefix("SIG")] if setpriv else []


def end_family(*told_by: str, seconds: float = 2.5) -> None:
    """End the children of this process with any of `told_by` in their command lines.

    By force those that live `seconds` later: a JVM that is ended while it starts may wait for
    itself for ever.
    """
    import psutil  # noqa: PLC0415 - Spark's workers need not have it

    family = list[psutil.Process]()
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            line = " ".join(child.cmdline())
            if any(words in line for words in told_by):
                family.append(child)
    for child in family:
        child.terminate()
    _, alive = psutil.wait_procs(family, seconds)
    for child in alive:
        child.kill()
