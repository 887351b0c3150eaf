"""What ends a run, and what is said of names."""

import pytest

from tandem.errors import Terminated, as_interrupted, several


def fail(error: BaseException | None = None) -> None:
    """With an error that came while `error` ended the work."""
    try:
        if error:
            raise error
    finally:
        try:
            {}["an answer to something else"]
        except KeyError as other:
            raise OSError("no way to end it") from other


@pytest.mark.parametrize("signal", [KeyboardInterrupt(), Terminated(1)])
def test_a_signal_counts_more_than_what_fails_on_the_way_out(signal: BaseException) -> None:
    with pytest.raises(type(signal)), as_interrupted():
        fail(signal)


def test_a_fault_without_a_signal_stays_what_it_is() -> None:
    with pytest.raises(OSError, match="no way"), as_interrupted():
        fail()
    with pytest.raises(OSError, match="no way"), as_interrupted():
        fail(ValueError())


def test_of_many_names_the_first_are_told() -> None:
    assert several("abc") == "a, b, c"
    assert several("abc", most=2) == "a, b and 1 more"
    assert several(map(str, range(1020)), most=1) == "0 and 1,019 more"
