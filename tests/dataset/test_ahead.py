"""What is made ahead: in order, so many at most, and complaints in their turn."""

from collections.abc import Iterator

import pytest

from tandem.dataset.ahead import ahead


def test_items_come_in_their_order() -> None:
    assert [*ahead(range(100), 3)] == [*range(100)]
    assert [*ahead([], 3)] == []


def test_no_more_are_made_than_may_wait() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    taken = ahead(items(), 3)
    assert next(taken) == 0
    taken.close()  # waits for what is being made
    assert len(made) <= 1 + 3


def test_a_complaint_comes_in_its_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("2 cannot be made")

    taken = ahead(items(), 3)
    assert next(taken) == 1
    with pytest.raises(ValueError, match="2 cannot be made"):
        next(taken)
