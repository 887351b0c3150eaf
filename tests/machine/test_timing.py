"""The sampler sees the memory of children and theirs, also of those that start later."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tandem.machine.timing import MemorySampler

_CHILD = """
import subprocess, sys
held = bytearray(60_000_000)
if sys.argv[1] == "0":
    print(flush=True)
    sys.stdin.read()
else:
    subprocess.run([sys.executable, "-c", sys.argv[2], "0", ""])
"""


@contextmanager
def holding(generations: int) -> Iterator[int]:
    """The id of a child that holds 60 MB, as its own child does where there are two."""
    words = [sys.executable, "-c", _CHILD, str(generations - 1), _CHILD]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
        child.stdin.close()


@pytest.mark.parametrize("generations", [1, 2])
def test_children_and_theirs_are_counted(generations: int) -> None:
    with MemorySampler(0.01) as memory:
        alone = memory.peak_mb
        with holding(generations):
            deadline = time.monotonic() + 10.0
            while memory.peak_mb < alone + 60 * generations and time.monotonic() < deadline:
                time.sleep(0.01)
    assert alone + 60 * generations <= memory.peak_mb < alone + 100 * generations


def test_a_child_that_is_left_out_is_not_counted() -> None:
    with MemorySampler() as before:
        pass
    with holding(1) as pid, MemorySampler(without=pid) as memory:
        pass
    assert 0 < memory.peak_mb < before.peak_mb + 50
