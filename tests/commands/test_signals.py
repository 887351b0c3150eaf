"""A comparison that is ended at any moment, by any signal, leaves no run RUNNING and no JVM."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from shutil import which

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
    until(lambda: not any(map(lives, whole)), left=lambda: [p for p in whole if lives(p)])
    tandem("send")  # what ended before the store had heard of it
    ended = {
        run.info.run_name: run.info.status for kind in ("run", "comparison") for run in runs(kind)
    }
    assert len(ended) == 2
    assert {*ended.values()} <= {"KILLED", "FAILED"}


@pytest.mark.slow
@pytest.mark.usefixtures("place")
def test_the_shell_that_becomes_the_jvm_is_ended(tmp_path: Path) -> None:
    """Its launcher is slow here: a JVM that starts when its starter has ended may hang for ever."""
    java = tmp_path / "slow" / "bin" / "java"
    java.parent.mkdir(parents=True)
    slow = 'case "$*" in *launcher.Main*) sleep 5;; esac'
    java.write_text(f'#!/bin/sh\n{slow}\nexec "{which("java")}" "$@"\n', "utf-8")
    java.chmod(0o755)
    words = [sys.executable, "-m", "tandem", "run", "engine=distributed", *SMALL]
    own = {**os.environ, "JAVA_HOME": str(java.parent.parent)}
    with subprocess.Popen(words, env=own) as process:
        until(lambda: bool(family(process.pid, "sleep")))
        own_children = psutil.Process(process.pid).children()
        (shell,) = (child for child in own_children if child.name() == "bash")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 128 + signal.SIGTERM
    until(lambda: not lives(shell), 2)


def family(process: int, name: str) -> list[psutil.Process]:
    try:
        children = psutil.Process(process).children(recursive=True)
        return [child for child in children if child.name() == name]
    except psutil.NoSuchProcess:
        return []
