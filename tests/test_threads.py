"""The threads of the scan: the same results in the same order, whoever did which piece."""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from tandem.records import File
from tandem.row_groups import Stretch
from tandem.threads import Together, alone, in_order

THREADS = [1, 2, 3, 4, 8]


def stretches(count: int) -> list[Stretch]:
    return [Stretch(File("a", 100, 0), i, (5,), 5 * i) for i in range(count)]


class Cells:
    """What is decoded."""

    def __init__(self, number: int) -> None:
        self.number = number
        HELD.add(self)


HELD = weakref.WeakSet[Cells]()


@dataclass
class Work:
    """The pieces' numbers as they are added up, of stretch i: 10 i, 10 i + 1, ..."""

    pieces: int = 7
    bad_piece: int = -1
    bad_work: int = -1
    open: set[int] = field(default_factory=set)
    most_open: int = 0
    workers: set[int] = field(default_factory=set)

    def __call__(self, stretch: Stretch, together: Together = alone) -> list[int]:
        return [*together(self.worker, self.decoded(stretch.first))]

    def decoded(self, first: int) -> Iterator[Cells]:
        self.open.add(first)
        self.most_open = max(self.most_open, len(self.open))
        for number in range(10 * first, 10 * first + self.pieces):
            if number == self.bad_piece:
                raise OSError(f"decoding {number}")
            time.sleep(0.001)
            yield Cells(number)
        self.open.remove(first)

    def worker(self) -> Callable[[Cells], int]:
        self.workers.add(threading.get_ident())
        return self.part

    def part(self, piece: Cells) -> int:
        if piece.number == self.bad_work:
            raise ValueError(f"working on {piece.number}")
        time.sleep(0.002 * (piece.number % 3))
        return piece.number


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("count", [1, 2, 9])
@pytest.mark.parametrize("pieces", [1, 7])
def test_parts_and_results_are_in_order(threads: int, count: int, pieces: int) -> None:
    work = Work(pieces)
    found = [*in_order(work, stretches(count), threads)]
    assert found == [[10 * i + j for j in range(pieces)] for i in range(count)]


def test_no_stretch() -> None:
    assert [*in_order(Work(), [], 4)] == []


@pytest.mark.parametrize(("threads", "readers"), [(1, 1), (2, 1), (3, 2), (4, 2)])
def test_two_threads_share_a_reader(threads: int, readers: int) -> None:
    work = Work()
    for _ in in_order(work, stretches(12), threads):
        pass
    assert work.most_open == readers


def test_all_threads_help_with_a_single_stretch() -> None:
    work = Work(pieces=9)
    assert [*in_order(work, stretches(1), 4)] == [[*range(9)]]
    assert len(work.workers) == 4


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("number", [0, 4, 23, 36])
def test_what_is_wrong_reaches_the_caller(threads: int, number: int) -> None:
    for work, message in (
        (Work(bad_piece=number), f"decoding {number}"),
        (Work(bad_work=number), f"working on {number}"),
    ):
        found: list[list[int]] = []
        with pytest.raises((OSError, ValueError), match=message):
            found.extend(in_order(work, stretches(5), threads))
        assert len(found) == number // 10


@pytest.mark.parametrize("threads", THREADS)
def test_the_caller_may_stop(threads: int) -> None:
    results = in_order(Work(), stretches(20), threads)
    assert next(results) == [*range(7)]
    results.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("scan")]


def test_a_work_that_fails_at_once_leaves_nobody_waiting() -> None:
    def work(stretch: Stretch, _: Together = alone) -> int:
        raise RuntimeError(str(stretch.first))

    with pytest.raises(RuntimeError, match="0"):
        [*in_order(work, stretches(5), 4)]


@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 3), (4, 6)])
def test_a_thread_holds_one_piece_and_two_another(threads: int, most: int) -> None:
    """The memory of a scan is what its threads hold, and what waits for them."""
    seen = []

    class Counting(Work):
        def part(self, piece: Cells) -> int:
            seen.append(len(HELD))
            return super().part(piece)

    gc.collect()
    for _ in in_order(Counting(), stretches(9), threads):
        pass
    assert np.max(seen) <= most
