"""A run around a block: opened beside the work, ended as the block ends."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tandem.beside import ask, later, use_store, wait
from tandem.errors import RejectedError, Terminated, TrackingError
from tandem.progress import Display
from tandem.redaction import shown
from tandem.settings import Tracking
from tandem.tracking.folder import artifacts, write_rejects
from tandem.tracking.runs import Opened, end, log_files, start
from tandem.tracking.store import open_store

_KILLED_SECONDS = 4.0  # for the store to hear that a run was ended by a signal


class Run:
    """An MLflow run that is being opened."""

    def __init__(self, opened: "Future[Opened]") -> None:
        self._opened = opened

    @property
    def id(self) -> str:
        """Of the run; waited for. Raises TrackingError where the store does not answer."""
        if not self._opened.done():
            with Display("tandem").stage("opening the tracking store"):
                wait(self._opened)
        return wait(self._opened).run_id

    def check(self) -> None:
        """Raise TrackingError if it is known by now that the run cannot be opened."""
        if self._opened.done():
            wait(self._opened)

    def end(self, status: str, failure: Mapping[str, str] | None = None) -> None:
        """End it. Raises TrackingError where it could not be opened, or cannot be ended."""
        seconds = _KILLED_SECONDS if status == "KILLED" else None
        opened = wait(self._opened, seconds)
        wait(later(end, opened.run_id, status, failure), seconds)
        if opened.warning:
            Display("tandem").warn(opened.warning)


def opened_store(where: Tracking) -> str:
    """Use the store of `where` from now on; the id of its experiment, as `store.open_store` has it.

    Raises TrackingError where it does not answer.
    """
    use_store(where.uri)
    return ask(open_store, where)


@contextmanager
def tracked(
    where: Tracking, name: str, tags: Mapping[str, str], reopen: str | None = None
) -> Iterator[Run]:
    """An MLflow run around the block, as `runs.start` opens it. Its status says what happened.

    FINISHED; KILLED on SIGINT and SIGTERM; FAILED on any other exception, with its class and
    message as tags. Where this process goes away without a word, FAILED as well.
    """
    use_store(where.uri)
    run = Run(later(start, where, shown(name), tags, reopen))
    try:
        yield run
    except BaseException as error:
        killed = isinstance(error, (KeyboardInterrupt, Terminated))
        failure = {"class": type(error).__name__, "message": shown(str(error))[:1000]}
        with suppress(TrackingError, TimeoutError):  # the error at hand is told
            run.end("KILLED" if killed else "FAILED", failure)
        raise
    run.end("FINISHED")


@contextmanager
def listing_rejects(where: Tracking, name: str, tags: Mapping[str, str]) -> Iterator[None]:
    """Around what prepares the data: where rows are refused, a FAILED run lists them.

    Its name and tags are those that `tracked` would get. The error goes on to the user.
    """
    try:
        yield
    except RejectedError as error:
        with suppress(RejectedError, TrackingError), tracked(where, name, tags) as run:
            with TemporaryDirectory() as place:
                write_rejects(Path(place), error.listed)
                ask(log_files, run.id, artifacts(Path(place)))
            raise
        raise
