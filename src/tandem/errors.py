"""What can go wrong, each with the exit status that the command ends with."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches


class TandemError(Exception):
    """A fault with one clear line for the user. `status` is the exit status of the process."""

    status = 70


class ConfigurationError(TandemError):
    """A key of the configuration holds a value that no run could use."""

    status = 2


class DataError(TandemError):
    """The data is missing, unreadable, or breaks a rule of the pipeline."""

    status = 3


class RejectedError(DataError):
    """Rows break a rule. `listed`: the first of them, a line of JSON each."""

    def __init__(self, message: str, listed: str) -> None:
        super().__init__(message)
        self.listed = listed


class MachineError(TandemError):
    """The machine lacks what the run needs: Java, memory, disk, a port."""

    status = 4


class TrackingError(TandemError):
    """The run is done and its record is on disk, but the tracking store did not take it."""

    status = 5


class AwayError(TrackingError):
    """The tracking store does not answer, or fails: later it may take what it does not take now."""


class IncompleteError(TandemError):
    """A sweep or comparison ended with at least one of its runs failed."""

    status = 6


class Terminated(BaseException):
    """The process was told to end by `signum`. Not an Exception: no handler may swallow it."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"ended by signal {signum}")
        self.status = 128 + signum


@contextmanager
def as_interrupted() -> Iterator[None]:
    """A signal ends the block as that signal does, whatever fails on the way out.

    What is interrupted while it talks to another process may take the next answer for its own.
    """
    try:
        yield
    except Exception as error:
        before = error.__context__
        while before:
            if isinstance(before, (KeyboardInterrupt, Terminated)):
                raise before from None
            before = before.__context__
        raise


def causes(error: BaseException) -> Iterator[BaseException]:
    """`error`, what it came of, and so on."""
    here: BaseException | None = error
    while here:
        yield here
        here = here.__cause__ or here.__context__


def several(names: Iterable[str], most: int = 20) -> str:
    """`a, b, c` of names; of very many the first ones, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def nearest(name: str, candidates: Iterable[str]) -> str:
    """The hint `; did you mean 'x'?` for the candidate closest to `name`, or an empty string.

    Of a mapping, x is what the candidate stands for.
    """
    for match in get_close_matches(name, list(candidates), n=1, cutoff=0.6):
        meant = candidates[match] if isinstance(candidates, Mapping) else match
        return f"; did you mean '{meant}'?"
    return ""
