"""A run around a block: begun beside the work, and in the outbox until the store has it."""

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

from tandem.beside import ask, later, store_uri, use_store, wait
from tandem.errors import AwayError, IncompleteError, RejectedError, Terminated, TrackingError
from tandem.machine import OUTCOME, at_force, write_atomically
from tandem.progress import Display
from tandem.redaction import shown
from tandem.settings import Tracking
from tandem.tracking import outbox
from tandem.tracking.folder import has_record, keep_record, read_record, write_rejects
from tandem.tracking.history import FINISHED, Known
from tandem.tracking.outbox import Entry
from tandem.tracking.record import Record
from tandem.tracking.sending import deliver, deliver_once, flush, start
from tandem.tracking.store import experiment_of, open_store

_mine: dict[str, str] = {}  # the key of what `mlflow run` has made, in this process
_adopted: list[str] = []  # the same, until it is taken
_LOOKS = 10  # at a run that is to go on: somebody may just look whether it is over
_KILLED_SECONDS = 2.0  # for the store to hear that a run was ended by a signal


class Run:
    """A run that is recorded. `key`: of its entry; `folder`: where its record is written."""

    def __init__(self, entry: Entry) -> None:
        self.key, self.folder = entry.key, outbox.record_of(entry.key)
        self._id = ""
        self._rmse: float | None = None  # of the record, which goes when it is sent
        self._entry, self.refused = entry, False
        self._opened = later(start, entry.key)
        if not entry.parent:
            later(flush)  # what earlier commands have left

    @property
    def id(self) -> str:
        """MLflow's; empty where the store has not heard of it yet."""
        return self._id or str(outbox.heard(self.key).get("run_id", ""))

    def check(self) -> None:
        """Raise TrackingError if it is known by now that the store refuses it."""
        if self._opened.done():
            self.wait()

    def wait(self) -> None:
        """Wait until the store has heard of it, or is away. Raises TrackingError as `check`."""
        try:
            with Display("tandem").stage("opening the tracking store"):
                wait(self._opened)
        except AwayError:
            return
        except TrackingError:
            self.refused = True
            raise

    def add(self, key: str, record: Record, place: int) -> None:
        """Add to a run below it, known by its key: number `place` of a comparison."""
        own = Tracking(None, self._entry.experiment, self.key)
        added = outbox.new_entry(own, "", "", {outbox.PLACE: str(place)}, outbox.new_key())
        outbox.begin(_of(added, key, self._entry))
        keep_record(outbox.record_of(added.key), record)
        outbox.finish(added.key, FINISHED)

    def end(self) -> None:
        """Send it. Raises TrackingError, which says where it stays, if that cannot be."""
        outbox.finish(self.key, FINISHED)
        self._tell(FINISHED)
        try:
            with Display("tandem").stage("tracking"):
                self._send(FINISHED)
        except TrackingError as error:
            raise TrackingError(_stays(str(error), self.key)) from error
        if warning := wait(self._opened) if not self._opened.exception() else "":
            Display("tandem").warn(warning)

    def fail(self, status: str, failure: Mapping[str, str]) -> None:
        """End it as `status`; where the store does not hear of it now, it stays in the outbox."""
        outbox.finish(self.key, status, failure)
        self._tell(status)
        with suppress(TrackingError, TimeoutError):  # the error at hand is told
            if status == "KILLED":
                wait(later(deliver_once, self.key, _KILLED_SECONDS), _KILLED_SECONDS)
            else:
                self._send(status)

    def _send(self, status: str) -> None:
        self._id = ask(deliver, self.key)
        self._tell(status)
        if not self._entry.parent and (left := ask(flush).left):  # what stands below it
            raise TrackingError(next(iter(left.values())))

    def _tell(self, status: str) -> None:
        """The process that started this one, if it wants to know, whether or not it is sent."""
        if path := os.environ.get(OUTCOME):
            if has_record(self.folder):
                self._rmse = read_record(self.folder).values().get("cv/rmse_mean")
            write_atomically(Path(path), json.dumps((status, self.id or self.key, self._rmse)))


def read_outcome(path: Path) -> tuple[str, str, float | None]:
    """What a process that has `path` as OUTCOME has told of its run: status, id or key, RMSE.

    Empty where it has told nothing.
    """
    if not path.exists():
        return "", "", None
    status, run_id, rmse = json.loads(path.read_text(encoding="utf-8"))
    return status, run_id, rmse


def _of(added: Entry, key: str, run: Entry) -> Entry:
    """`added`, of the same store as `run`, to the run with this key."""
    return replace(added, of=key, uri=run.uri, folder=run.folder, run_id=None)


def _stays(text: str, key: str) -> str:
    where = f"the record is in {outbox.place(key)}"
    return f"{text.removesuffix(' -> check it')}; {where} -> tandem send"


def opened_store(where: Tracking) -> str:
    """Use the store of `where` from now on; the id of its experiment, or of the parent's.

    Raises TrackingError where it does not answer.
    """
    use_store(where.uri)
    if where.parent_run_id:
        return ask(experiment_of, where.parent_run_id)
    return ask(open_store, where.experiment)


@contextmanager
def tracked(
    where: Tracking,
    name: str,
    tags: Mapping[str, str],
    reopen: Known | None = None,
    *,
    strict: bool = True,
) -> Iterator[Run]:
    """An MLflow run around the block, as `sending.start` opens it. Its status says what happened.

    FINISHED; KILLED on SIGINT and SIGTERM; FAILED on any other exception, with its class and
    message as tags. Where this process goes away without a word, FAILED as well. The block goes on
    where the store does not answer. Raises TrackingError after it where the store does not take the
    run, which stays in the outbox (unless `strict`, it warns of that), and IncompleteError where
    the run to `reopen` is running.
    """
    use_store(where.uri)
    key = _adopted.pop() if _adopted else (reopen.key if reopen else "") or outbox.new_key()
    mine = key == _mine.get("key")  # claimed already
    with nullcontext() if mine else outbox.claimed(key, partial(_busy, key, count())):
        entry = outbox.new_entry(where, store_uri(), name, tags, key)
        outbox.begin(replace(entry, run_id=reopen.run_id) if reopen else entry)
        run = Run(entry)
        forget = at_force(partial(outbox.finish, key, "KILLED", outbox.STOPPED))
        try:
            yield run
        except BaseException as error:
            forget()
            _fail(run, error)
            raise
        forget()
        try:
            run.end()
        except TrackingError as error:
            if strict:
                raise
            warnings.warn(str(error), stacklevel=3)


@contextmanager
def adopted() -> Iterator[None]:
    """The run that `mlflow run` has made, around the block: ended even before `tracked` takes it.

    Where the block ends without a signal, MLflow ends what `tracked` has not taken.
    """
    key = _mine["key"] = outbox.new_key()
    with outbox.claimed(key, lambda: None):
        outbox.begin(outbox.new_entry(Tracking(None, ""), store_uri(), "", {}, key))
        _adopted.append(key)
        forget = at_force(partial(outbox.finish, key, "KILLED", outbox.STOPPED))
        try:
            yield
        except (KeyboardInterrupt, Terminated):
            if _adopted:
                outbox.finish(key, "KILLED", outbox.STOPPED)
                with suppress(TrackingError, TimeoutError):
                    wait(later(deliver_once, key, _KILLED_SECONDS), _KILLED_SECONDS)
            raise
        else:
            if _adopted:
                outbox.remove(key)
        finally:
            forget()


def _busy(key: str, looks: Iterator[int]) -> None:
    if next(looks) > _LOOKS:
        raise IncompleteError(
            f"sweep.resume: the sweep {key} is running -> wait for its end, or end it"
        )


def _fail(run: Run, error: BaseException) -> None:
    if run.refused:  # there is nothing to be sent, and nobody who would take it
        outbox.remove(run.key)
        return
    killed = isinstance(error, (KeyboardInterrupt, Terminated))
    failure = {"class": type(error).__name__, "message": shown(str(error))[:1000]}
    run.fail("KILLED" if killed else "FAILED", failure)


@contextmanager
def listing_rejects(where: Tracking, name: str, tags: Mapping[str, str]) -> Iterator[None]:
    """Around what prepares the data: where rows are refused, a FAILED run lists them.

    Its name and tags are those that `tracked` would get. The error goes on to the user.
    """
    try:
        yield
    except RejectedError as error:
        with suppress(RejectedError, TrackingError), tracked(where, name, tags) as run:
            write_rejects(run.folder, error.listed)
            raise
        raise
