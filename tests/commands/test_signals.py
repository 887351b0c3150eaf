"""A comparison that is ended at any moment, by any signal, leaves no run RUNNING and no JVM."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.shell import SMALL, lives, runs, tandem, until


@pytest.mark.slow
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("after", [0.5, 5])  # seconds: the JVM starts; Spark is at work
def test_nothing_is_left_of_a_comparison(name: signal.Signals, after: float) -> None:
    words = ("compare", "compare.engines=[distributed]", *SMALL)
    with subprocess.Popen([sys.executable, "-m", "tandem", *words]) as process:
        until(lambda: bool(family(process.pid, "java")))
        time.sleep(after)
        whole = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(name)
        status = process.wait(timeout=30)
    assert status == (-name if name == signal.SIGKILL else 128 + name)
    until(lambda: not any(map(lives, whole)))
    tandem("send")  # what ended before the store had heard of it
    ended = {
        run.info.run_name: run.info.status for kind in ("run", "comparison") for run in runs(kind)
    }
    assert len(ended) == 2
    assert {*ended.values()} <= {"KILLED", "FAILED"}


def family(process: int, name: str) -> list[psutil.Process]:
    try:
        children = psutil.Process(process).children(recursive=True)
        return [child for child in children if child.name() == name]
    except psutil.NoSuchProcess:
        return []
