"""A process that calls functions for others, so that slow imports pass beside their work.

It serves the process that starts it and the children of that one, one call after the other, and
ends with the last of them. What a caller leaves with it is done if the caller ends without a word.
"""

import ctypes
import os
import pickle
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from queue import SimpleQueue
from shutil import rmtree
from subprocess import DEVNULL, Popen, TimeoutExpired
from tempfile import mkdtemp
from typing import Any, ParamSpec, TypeVar

from tandem.errors import MachineError, TandemError
from tandem.machine.processes import HELPER
from tandem.machine.scratch import clear_scratch

P = ParamSpec("P")
T = TypeVar("T")
_Variables = dict[str, str]

_LAST_SECONDS = 2.0  # for the helper to end
_IDLE_SECONDS = 3.0  # on busy cores an idle process stands still: a long run would not show


class Helper:
    """The helper of this process: that of the process that started this one, else a new one.

    `environment`: the variables that calls see, asked for at each. Raises MachineError where no
    process can be started.
    """

    def __init__(self, environment: Callable[[], Mapping[str, str]]) -> None:
        self._environment = environment
        self._process: Popen[bytes] | None = None
        self._idle, self._asked, self._gone = True, False, False
        self._owner = os.getpid()
        try:
            self.path = os.environ.pop(HELPER, "")
            self._link = _connected(self.path) if self.path else self._start()
        except OSError as error:
            raise MachineError(f"no process beside this one: {error} -> see ulimit -u") from error
        self._waiting: SimpleQueue[tuple[Future[Any], bytes]] = SimpleQueue()
        # In a thread: signals reach the main one only, so that none cuts a message in two.
        threading.Thread(target=self._exchange, daemon=True).start()

    @property
    def pid(self) -> int | None:
        """Of its process, where this one has started it."""
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        """Whether it still answers: it does not know a fork of its caller."""
        return not self._gone and self._owner == os.getpid()

    def warm_up(self, function: Callable[[], object]) -> None:
        """Have it call `function`, which imports what takes long, while cores are idle."""
        self._send(function, (), {})

    def later(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Have it call `function`, and go on; calls are answered in their order.

        A TandemError comes as it is, another exception as a RuntimeError that tells of it.
        """
        self._asked = True
        return self._send(function, args, kwargs)

    def wait(self, future: "Future[T]", seconds: float | None = None) -> T:
        """What `future` holds. From now on, if not before, the helper takes its share."""
        self._hurry()
        return future.result(seconds)

    def ask(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Have it call `function`, and wait for what comes of it."""
        return self.wait(self.later(function, *args, **kwargs))

    def close(self) -> None:
        """Part from it. It ends when all have; at once if nothing was asked of it."""
        if self._owner != os.getpid():
            return
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        if self._process:
            if not self._asked:
                self._process.kill()
                rmtree(Path(self.path).parent, ignore_errors=True)
            with suppress(TimeoutExpired):
                self._process.wait(_LAST_SECONDS)

    def _start(self) -> socket.socket:
        self.path = str(Path(mkdtemp(prefix="tandem-"), "socket"))  # a folder that is ours alone
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self.path)
            listening.listen()
            link = _connected(self.path)  # first: it ends when nobody is there
            handle = listening.fileno()
            call = f"serve({handle}, {self.path!r}, {os.getpid()})"
            program = f"from tandem.machine.helper import serve; {call}"
            self._process = Popen(  # noqa: S603 - our own
                [sys.executable, "-P", "-c", program],
                env={**self._environment()},
                stdin=DEVNULL,
                stdout=DEVNULL,
                pass_fds=[handle],
                process_group=0,  # what a terminal sends is for its callers
            )
        _schedule(self._process.pid, "SCHED_IDLE")
        later = threading.Timer(_IDLE_SECONDS, self._hurry)
        later.daemon = True
        later.start()
        return link

    def _hurry(self) -> None:
        if self._idle and self._process and self._process.poll() is None:
            self._idle = False
            _schedule(self._process.pid, "SCHED_OTHER")

    def _send(
        self, function: Callable[..., T], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> "Future[T]":
        future: Future[T] = Future()
        here = (str(Path.cwd()), {**self._environment()})
        self._waiting.put((future, pickle.dumps((function, args, kwargs, *here))))
        return future

    def _exchange(self) -> None:
        link = Connection(os.dup(self._link.fileno()))
        while True:
            future, message = self._waiting.get()
            try:
                link.send_bytes(message)
                good, found = pickle.loads(link.recv_bytes())  # noqa: S301 - our own process's
            except (EOFError, OSError):
                self._gone = True
                good, found = False, MachineError("the process beside this one has ended -> again")
            if good:
                future.set_result(found)
            else:
                future.set_exception(found)


def leave(key: str, function: Callable[..., object], *args: Any) -> None:
    """In the helper: have `function` called if the caller at hand ends; until `revoke(key)`.

    Nothing, where there is no caller.
    """
    if _Caller.at_hand:
        _end_with_starter(0)
        _Caller.at_hand.left[key] = (function, args, str(Path.cwd()), dict(os.environ))


def revoke(key: str) -> None:
    """In the helper: nothing is left to do for `key`, by whichever caller."""
    for caller in _Caller.all:
        caller.left.pop(key, None)


def serve(handle: int, path: str, starter: int) -> None:
    """Be the helper: answer all that connect to the socket `handle`, bound to `path`.

    Until something is left with it, it ends at once with the process `starter`, where the system
    can do that: on busy cores it would go on importing, idly, for minutes.
    """
    _end_with_starter(signal.SIGKILL)
    if os.getppid() != starter:
        os._exit(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listening = socket.socket(fileno=handle)
    begun = False
    while _Caller.all or not begun:
        listened: list[Any] = [listening, *_Caller.all]
        for ready in wait(listened):
            if ready is listening:
                _Caller.all.append(_Caller(listening.accept()[0]))
                begun = True
            elif isinstance(ready, _Caller):
                ready.serve()
    rmtree(Path(path).parent, ignore_errors=True)
    clear_scratch()
    sys.stderr.flush()
    os._exit(0)  # nothing is left to be written: no second is lost on what was imported


class _Caller:
    """One that asks. `left`: by key, what is to be done when it is gone."""

    all: "list[_Caller]" = []  # noqa: RUF012 - of the one helper that a process is
    at_hand: "_Caller | None" = None

    def __init__(self, link: socket.socket) -> None:
        self._link = Connection(link.detach())
        self.left: dict[str, tuple[Callable[..., object], tuple[Any, ...], str, _Variables]] = {}

    def fileno(self) -> int:
        return self._link.fileno()

    def serve(self) -> None:
        """Answer its next call; where it is gone, do what it has left."""
        _Caller.at_hand = self
        try:
            self._link.send_bytes(_answer(self._link.recv_bytes()))
        except (EOFError, OSError):
            _Caller.all.remove(self)
            if self.left:
                _schedule(0, "SCHED_OTHER")  # the next command may wait for it
            for function, args, folder, environment in self.left.values():
                with suppress(Exception):  # nobody is there to be told
                    _go(folder, environment)
                    function(*args)


def _answer(message: bytes) -> bytes:
    try:
        function, args, kwargs, folder, environment = pickle.loads(message)  # noqa: S301 - ours
        _go(folder, environment)
        return pickle.dumps((True, function(*args, **kwargs)))
    except TandemError as error:
        return pickle.dumps((False, error))
    except Exception as error:  # noqa: BLE001 - whose class the caller may not be able to import
        told = RuntimeError(f"{type(error).__name__}: {error}")
        told.add_note("".join(traceback.format_exception(error)))
        return pickle.dumps((False, told))


def _go(folder: str, environment: _Variables) -> None:
    """To where a call is made, and to what it may look up."""
    os.chdir(folder)
    if environment != dict(os.environ):
        os.environ.clear()
        os.environ.update(environment)


def _end_with_starter(signum: int) -> None:
    """Get the signal when the starter ends; 0: none."""
    set_signal = 1  # PR_SET_PDEATHSIG
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(set_signal, signum)


def _connected(path: str) -> socket.socket:
    link = socket.socket(socket.AF_UNIX)
    link.connect(path)
    return link


def _schedule(pid: int, policy: str) -> None:
    """Let a process have idle cores only, or its share; where the system knows no such thing: its
    share.
    """
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(pid, getattr(os, policy), os.sched_param(0))
