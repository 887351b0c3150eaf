"""The process that calls functions for others."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tandem.errors import DataError, MachineError
from tandem.machine.helper import Helper, leave, revoke
from tests.shell import until

# ---- what the helper calls: it finds them by their names


def pid() -> int:
    return os.getpid()


def refuse() -> None:
    raise DataError("no such column -> name it")


def fail() -> None:
    raise KeyError("strange")


def here(variable: str) -> tuple[str, str]:
    return str(Path.cwd()), os.environ[variable]


def will(path: Path, text: str) -> None:
    leave(text, inherit, path)


def inherit(path: Path) -> None:
    """Done where the caller was, with what it could look up."""
    path.write_text(f"{Path.cwd()} {os.environ['SEEN']}", encoding="utf-8")


@pytest.fixture
def helper(monkeypatch: pytest.MonkeyPatch) -> Iterator[Helper]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # it must find this file
    made = Helper(lambda: os.environ)
    yield made
    made.close()


def test_it_is_another_process_and_answers_in_turn(helper: Helper) -> None:
    first, second = helper.later(pid), helper.later(divmod, 17, 5)
    assert helper.wait(second) == (3, 2)
    assert first.done()
    assert helper.wait(first) == helper.pid != os.getpid()


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="Linux only")
def test_it_has_idle_cores_only_until_some_seconds_have_passed(helper: Helper) -> None:
    assert helper.pid
    assert os.sched_getscheduler(helper.pid) == os.SCHED_IDLE
    until(lambda: os.sched_getscheduler(helper.pid or 0) == os.SCHED_OTHER)


def test_our_errors_come_as_they_are_and_others_with_their_class(helper: Helper) -> None:
    with pytest.raises(DataError, match="no such column -> name it"):
        helper.ask(refuse)
    with pytest.raises(RuntimeError, match="KeyError: 'strange'") as told:
        helper.ask(fail)
    assert "in fail" in told.value.__notes__[0]
    assert helper.ask(divmod, 17, 5) == (3, 2)


def test_a_call_sees_the_folder_and_the_environment_of_its_caller(
    helper: Helper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        monkeypatch.setenv("SEEN", name)
        assert helper.ask(here, "SEEN") == (str(tmp_path / name), name)


def test_a_child_shares_it_and_what_it_has_left_is_done_when_it_is_gone(
    helper: Helper, tmp_path: Path
) -> None:
    """Nothing is left of what it has revoked; the helper lives on."""
    program = (
        "import os, pathlib; from tandem.machine.helper import Helper, revoke\n"
        "from tests.machine.test_helper import pid, will\n"
        "helper = Helper(lambda: os.environ)\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "for name in ('kept', 'revoked'): helper.ask(will, folder / name, name)\n"
        "helper.ask(revoke, 'revoked')\n"
        "print(helper.ask(pid), flush=True); os.kill(os.getpid(), 9)\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "TANDEM_HELPER": helper.path, "SEEN": "yes"},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        check=False,
        text=True,
    )
    assert child.returncode == -signal.SIGKILL
    assert int(child.stdout) == helper.pid
    until(lambda: [path.name for path in tmp_path.iterdir()] == ["kept"])
    until(lambda: (tmp_path / "kept").read_text() == f"{Path(__file__).parents[2]} yes")
    assert helper.ask(pid) == helper.pid


def test_it_ends_with_its_callers_and_leaves_nothing(helper: Helper) -> None:
    helper.ask(revoke, "nothing")
    assert psutil.pid_exists(helper.pid or 0)
    helper.close()
    assert not psutil.pid_exists(helper.pid or 0)
    assert not Path(helper.path).parent.exists()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # what it is about
def test_a_fork_of_its_caller_does_not_take_it_along(helper: Helper) -> None:
    helper.ask(revoke, "nothing")
    child = os.fork()
    if child == 0:
        helper.close()
        os._exit(int(helper.alive))
    assert os.waitpid(child, 0)[1] == 0
    assert helper.ask(pid) == helper.pid


def test_one_that_is_killed_is_told_of(helper: Helper) -> None:
    assert helper.pid
    os.kill(helper.pid, signal.SIGKILL)
    with pytest.raises(MachineError, match="has ended"):
        helper.ask(pid)
    assert not helper.alive
