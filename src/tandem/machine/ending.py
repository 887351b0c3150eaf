"""The end of a process on a signal: in its own way, or where that takes too long by force."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tandem.machine.scratch import clear_scratch

LIFELINE = "TANDEM_LIFELINE"  # environment variable: standard input ends when the starter does
_SECONDS, _CHILD_SECONDS = 3.0, 2.0  # a starter waits for its children
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK = 0.5  # seconds between two looks at the processes above
_last: list[Callable[[], None]] = []
_longer = [0.0]  # seconds that this process takes to end, at least


def at_force(function: Callable[[], None]) -> Callable[[], None]:
    """Have `function` called where this process is ended by force; what is returned takes it back.

    It is called in a thread, while the main one may be anywhere.
    """
    _last.append(function)
    return lambda: _last.remove(function) if function in _last else None


def end_later(seconds: float) -> None:
    """Let this process take so long to end, where `end_in_time` would not."""
    _longer.append(seconds)


def end_in_time() -> None:
    """From the first signal on, end within seconds, also where the main thread hears of none.

    A fit in C hears none until it is done. In a child, and in what `mlflow run` has started, the
    end of the starter is a signal, too.
    """
    seconds = _CHILD_SECONDS if os.environ.get(LIFELINE) else _SECONDS
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    threading.Thread(target=_watch_signals, args=(heard, seconds), daemon=True).start()
    if os.environ.pop(LIFELINE, None):
        threading.Thread(target=_watch_starter, daemon=True).start()
    elif "MLFLOW_RUN_ID" in os.environ:
        threading.Thread(target=_watch_above, args=(_above(),), daemon=True).start()


def _watch_signals(heard: int, seconds: float) -> None:
    signum = 0
    while signum not in _SIGNALS:
        signum = os.read(heard, 1)[0]
    time.sleep(max(seconds, *_longer))
    for function in _last:
        with suppress(Exception):  # there is no time to say so
            function()
    _end_children()
    clear_scratch()
    with suppress(Exception):
        sys.stdout.flush()
    os._exit(128 + signum)


def _end_children() -> None:
    """All but the helper, which tells the store, and ends when its callers have."""
    import psutil  # noqa: PLC0415 - slow

    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "tandem.machine.helper" not in " ".join(child.cmdline()):
                child.kill()


def _watch_starter() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _watch_above(above: list[int]) -> None:
    while _above() == above:
        time.sleep(_LOOK)
    os.kill(os.getpid(), signal.SIGTERM)


def _above() -> list[int]:
    """The process that started this one, and the one above it: a shell may be in between."""
    parent = os.getppid()
    try:
        stat = Path(f"/proc/{parent}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has ended, or the system has no such files
        return [parent]
    return [parent, int(stat.rpartition(")")[2].split()[1])]
