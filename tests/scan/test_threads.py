"""The threads of the scan: the same results in the same order, whoever did which piece."""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from tandem.records import File
from tandem.scan.cuts import Stretch
from tandem.scan.threads import in_order

THREADS = [1, 2, 3, 4, 8]


def stretches(count: int) -> list[Stretch]:
    return [Stretch(File("a", 100, 0), i, (5,), 5 * i) for i in range(count)]


class Cells:
    """What is decoded."""

    def __init__(self, number: int) -> None:
        self.number = number
        HELD.add(self)


HELD = weakref.WeakSet[Cells]()


class Numbers:
    """The pieces of stretch i: 10 i, 10 i + 1, ..."""

    def __init__(self, stretches: Sequence[Stretch], each: int) -> None:
        self.counts = (each,) * len(stretches)
        self._numbers = iter([10 * one.first + j for one in stretches for j in range(each)])
        self.stopped = threading.Event()

    def __iter__(self) -> Iterator[Callable[[], Iterator[int]]]:
        return self

    def __next__(self) -> Callable[[], Iterator[int]]:
        number = next(self._numbers)
        return lambda: iter([number])

    def stop(self) -> None:
        self.stopped.set()


@dataclass
class Work:
    """The pieces' numbers, as they are added up."""

    each: int = 7
    bad: int = -1
    most_done: int = 0
    done: int = 0
    total_s: float = 0.0

    def pieces(self, stretches: Sequence[Stretch], _: int) -> Numbers:
        return Numbers(stretches, self.each)

    def worker(self) -> Callable[[int], int]:
        return self.part

    def part(self, number: int) -> int:
        if number == self.bad:
            raise ValueError(f"working on {number}")
        cells = Cells(number)
        time.sleep(0.002 * (number % 3))
        self.done += 1
        return cells.number

    def total(self, parts: Iterable[int]) -> list[int]:
        found = [*parts]
        time.sleep(self.total_s)
        self.done -= len(found)
        self.most_done = max(self.most_done, self.done)
        return found


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("count", [1, 2, 9])
@pytest.mark.parametrize("each", [1, 7])
def test_parts_and_results_are_in_order(threads: int, count: int, each: int) -> None:
    found = [*in_order(Work(each), stretches(count), threads)]
    assert found == [[10 * i + j for j in range(each)] for i in range(count)]


@pytest.mark.parametrize("threads", THREADS)
def test_no_stretch(threads: int) -> None:
    assert [*in_order(Work(), [], threads)] == []


@pytest.mark.parametrize("threads", THREADS)
def test_all_threads_work_on_a_single_stretch(threads: int) -> None:
    together = threading.Barrier(threads)

    class Together(Work):
        def part(self, number: int) -> int:
            together.wait(timeout=10)
            return number

    assert [*in_order(Together(each=threads), stretches(1), threads)] == [[*range(threads)]]


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("number", [0, 4, 23, 36])
def test_what_is_wrong_reaches_the_caller(threads: int, number: int) -> None:
    found: list[list[int]] = []
    with pytest.raises(ValueError, match=f"working on {number}"):
        found.extend(in_order(Work(bad=number), stretches(5), threads))
    assert len(found) == number // 10


@pytest.mark.parametrize("threads", THREADS)
def test_the_caller_may_stop(threads: int) -> None:
    results = in_order(Work(), stretches(20), threads)
    assert next(results) == [*range(7)]
    results.close()  # type: ignore[attr-defined]  # it is a generator
    assert not [one for one in threading.enumerate() if one.name.startswith("scan")]


@pytest.mark.parametrize("threads", THREADS)
def test_threads_that_wait_for_a_piece_end_where_its_thread_is_interrupted(threads: int) -> None:
    """As by Ctrl-C, which reaches the thread that adds up."""

    class Interrupted(Work):
        def pieces(self, stretches: Sequence[Stretch], threads: int) -> Numbers:
            self.numbers = super().pieces(stretches, threads)
            return self.numbers

        def part(self, number: int) -> int:
            if threading.current_thread() is threading.main_thread():
                raise KeyboardInterrupt
            assert self.numbers.stopped.wait(timeout=10)
            return number

    with pytest.raises(KeyboardInterrupt):
        [*in_order(Interrupted(), stretches(3), threads)]
    assert not [one for one in threading.enumerate() if one.name.startswith("scan")]


@pytest.mark.parametrize("threads", THREADS)
def test_every_thread_holds_one_piece(threads: int) -> None:
    """The memory of a scan is what its threads hold."""
    seen = []

    class Counting(Work):
        def part(self, number: int) -> int:
            seen.append(len(HELD))
            return super().part(number)

    gc.collect()
    for _ in in_order(Counting(), stretches(9), threads):
        pass
    assert np.max(seen) <= threads


@pytest.mark.parametrize("threads", [2, 4])
def test_few_parts_wait_for_a_slow_sum(threads: int) -> None:
    work = Work(each=1, total_s=0.02)
    assert len([*in_order(work, stretches(60), threads)]) == 60
    assert work.most_done <= 4 * threads
