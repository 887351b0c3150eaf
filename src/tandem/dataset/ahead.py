"""What is made while what was made before is used."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterable[T], waiting: int) -> Generator[T, None, None]:
    """`items`, none of them None, made by a thread; at most `waiting` wait for being taken.

    What is raised by the making of one is raised here, when its turn has come.
    """
    left = iter(items)
    with ThreadPoolExecutor(1, "ahead") as maker:
        made = deque(maker.submit(next, left, None) for _ in range(waiting))
        try:
            while (item := made.popleft().result()) is not None:
                made.append(maker.submit(next, left, None))
                yield item
        finally:
            maker.shutdown(cancel_futures=True)
