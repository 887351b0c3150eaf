"""A run in a process of its own, which ends when the process that started it is gone."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

_LIFELINE = "TANDEM_LIFELINE"  # environment variable: standard input ends when the starter does
JOB_KEY = "TANDEM_JOB_KEY"  # environment variable: the key of the sweep's job that a child is
_OWN = (JOB_KEY, "MLFLOW_RUN_ID")  # the parent's, never its children's
_LAST_SECONDS = 5  # for a child to end by itself


def under(parent: str, uri: str) -> list[str]:
    """The overrides that make a run a child of the run `parent` in the store at `uri`."""
    return [f"tracking.parent_run_id={parent}", f"tracking.uri='{uri}'"]


def start(
    overrides: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    keep: Sequence[int] = (),
    stdout: int | None = None,
    stderr: int | None = None,
) -> subprocess.Popen[str]:
    """Start `tandem` with `overrides`; it inherits the file descriptors `keep`.

    A signal of the terminal reaches it through its starter only, so that it never gets two.
    """
    inherited = {key: value for key, value in os.environ.items() if key not in _OWN}
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "tandem", *overrides],
        env={**inherited, **(environment or {}), _LIFELINE: "stdin"},
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        pass_fds=keep,
        process_group=0,
        text=True,
        errors="replace",
    )


def run(overrides: Sequence[str]) -> int:
    """Run a child to its end; its exit status. It is ended where waiting is interrupted."""
    with start(overrides) as process:
        try:
            return process.wait()
        except BaseException:
            stop([process])
            raise


def stop(processes: Sequence[subprocess.Popen[str]], seconds: float = 10) -> None:
    """Ask all to end; kill those that live `seconds` later."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + seconds
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()


def end_with_starter() -> None:
    """In a child: end as on SIGTERM when the process that started this one is gone."""
    if os.environ.pop(_LIFELINE, None):
        threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_LAST_SECONDS)
    os._exit(128 + signal.SIGTERM)
