"""Files of an object store: copied into the cache, once for what they hold, and read there."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from glob import has_magic
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from pathlib import Path, PurePosixPath
from threading import Event, Thread
from typing import Any

import pyarrow as pa

from tandem.dataset.files import DELTA_LOG, check_kind, is_hidden
from tandem.errors import ConfigurationError, DataError, MachineError
from tandem.machine import cache_folder, check_disk, published
from tandem.records import Advance
from tandem.redaction import shown

_SCHEMES = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "hdfs")
_PATIENCE = 10  # seconds for the first answer; what the libraries have for it takes minutes
_STREAMS, _CHUNK = 4, 16_000_000  # files at once, bytes of each in memory
_DENIED = re.compile(r"(?i)ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE|TOKEN|HTTP (status )?40[13]")


def is_remote(path: str) -> bool:
    """Whether a path is an address: s3://bucket/folder."""
    return bool(re.match(r"[A-Za-z][\w+.-]*://", path))


def fetch(address: str, begin: Callable[[int, str], Advance] | None) -> dict[str, Path]:
    """The copies of the files at `address` (one, a folder, a pattern), by the address of each.

    Sorted, and chosen as `find_files` does. A file that the store says has not changed is not
    fetched again; `begin` shows how much is. Raises ConfigurationError where it is no address that
    is read, DataError where nothing is found or may be read, MachineError where the store does not
    answer or the disk has no room.
    """
    store = _opened(address)
    found = sorted(store.found(), key=lambda info: str(info.path))
    check_kind(address, [PurePosixPath(info.path) for info in found])
    stop = Event()
    with ThreadPoolExecutor(_STREAMS, "fetch") as pool:
        try:
            keys = [*pool.map(store.key, found)]
            new = [i for i, k in zip(found, keys, strict=True) if not (cache_folder() / k).exists()]
            with suppress(OSError):  # `published` tells of a cache that cannot be written
                cache_folder().mkdir(parents=True, exist_ok=True)
                check_disk(cache_folder(), sum(info.size for info in new))
            total = sum(_kilobytes(info.size) for info in new)
            advance = begin(total, "kB fetched") if begin and total else None
            copy = partial(store.copy, advance=advance, stop=stop)
            copies = [*pool.map(copy, found, keys)]
        finally:
            stop.set()
    return dict(zip((store.address(info.path) for info in found), copies, strict=True))


@dataclass(frozen=True, slots=True)
class _Store:
    """Where an address leads: `prefix` (s3://bucket) is `root` there, `path` what was asked for."""

    filesystem: Any
    prefix: str
    root: str
    path: PurePosixPath

    def address(self, path: object) -> str:
        """Of a path there."""
        return f"{self.prefix}/{str(path).removeprefix(self.root).lstrip('/')}"

    def found(self) -> list[Any]:
        """What the store says of every data file that was asked for."""
        with _telling(self.address(self.path)):
            asked = _within(partial(self.filesystem.get_file_info, str(self.path)))
            if asked.is_file:
                return [asked]
            parts = self.path.parts
            first = next((at for at, part in enumerate(parts) if has_magic(part)), len(parts))
            there = asked.type.name == "Directory"
            place = self.path if there else PurePosixPath(*parts[:first])
            pattern = ["**"] if there else parts[first:]
            self._check_delta(place.parents)
            return [
                info
                for info in self._below(place, deep=len(pattern) > 1 or "**" in pattern)
                if info.is_file
                and _matches(PurePosixPath(info.path).relative_to(place).parts, pattern)
                and not is_hidden(PurePosixPath(info.path), self.path)
            ]

    def _below(self, place: PurePosixPath, *, deep: bool) -> Sequence[Any]:
        from pyarrow.fs import FileSelector  # noqa: PLC0415 - for addresses only

        selector = FileSelector(str(place), allow_not_found=True, recursive=deep)
        listed: Sequence[Any] = self.filesystem.get_file_info(selector)
        for path in (PurePosixPath(info.path) for info in listed):
            if DELTA_LOG in path.parts:
                self._refuse_delta(*path.parts[: path.parts.index(DELTA_LOG)])
        return listed

    def _check_delta(self, folders: Sequence[PurePosixPath]) -> None:
        """Raise DataError where one of `folders` is a Delta table, as far as one may look."""
        for folder in folders:
            with suppress(OSError):
                log = self.filesystem.get_file_info(str(folder / DELTA_LOG))
                if folder.parts and log.type.name == "Directory":
                    self._refuse_delta(*folder.parts)

    def _refuse_delta(self, *parts: str) -> None:
        folder = self.address(PurePosixPath(*parts))
        raise DataError(
            f"{folder}: a Delta table, which is read on a disk only: among its files are removed "
            "ones -> copy its folder, with _delta_log, to a disk"
        )

    def key(self, info: Any) -> str:
        """The folder of the cache for a file as it is now: another one after any change."""
        address = self.address(info.path)
        with _telling(address), self._stream(info) as stream:
            told = {name.lower(): value for name, value in stream.metadata().items()}
        state = f"{address} {info.size} {info.mtime_ns} {told.get('etag')}"
        return f"remote/{sha256(state.encode()).hexdigest()[:32]}"

    def copy(self, info: Any, key: str, *, advance: Advance | None, stop: Event) -> Path:
        """The copy, in the folder `key`, of a file; fetched if it is not there."""
        name, address = PurePosixPath(info.path).name, self.address(info.path)

        def build(work: Path) -> dict[str, Any]:
            with (work / name).open("wb") as file:
                for chunk in self._chunks(info, stop):
                    file.write(chunk)
                    if advance:
                        advance(_kilobytes(len(chunk)))
                there = file.tell()
            if there != info.size or self.key(info) != key:
                raise DataError(f"{address}: it changed while it was fetched -> start again")
            return {"address": address, "bytes": there}

        return published(key, info.size, build) / name

    def _chunks(self, info: Any, stop: Event) -> Iterator[bytes]:
        with _telling(self.address(info.path)), self._stream(info) as stream:
            while chunk := stream.read(_CHUNK):
                if stop.is_set():
                    raise DataError(f"{self.address(info.path)}: not fetched -> start again")
                yield chunk

    def _stream(self, info: Any) -> Any:
        return self.filesystem.open_input_stream(info.path, compression=None)


def _opened(address: str) -> _Store:
    from pyarrow.fs import FileSystem  # noqa: PLC0415 - for addresses only

    scheme, _, rest = address.partition("://")
    host, _, path = rest.partition("/")
    if scheme not in _SCHEMES:
        raise ConfigurationError(
            f"dataset.path: {address}: {scheme}:// is not read -> a path, or s3://, gs://, "
            "abfs://, hdfs://"
        )
    # The container of abfs stands where others have a login.
    if "***@" in shown(address) and (":" in host or not scheme.startswith("abfs")):
        raise ConfigurationError(
            f"dataset.path: {shown(address)}: an address is recorded, a login is not -> "
            "leave it out, and set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    prefix = f"{scheme}://{host}"
    with _telling(address):
        if scheme.startswith("s3"):
            _knock()
        whole = prefix.replace("s3a://", "s3://")
        filesystem, root = _within(partial(FileSystem.from_uri, whole))
    return _Store(filesystem, prefix, root, PurePosixPath(root or "/", path))


def _knock() -> None:
    """Raise OSError where one's own S3, over HTTP, does not answer.

    Arrow would wait for minutes, and the end of the process for Arrow; not so where a connection
    cannot be made, or not be made safe.
    """
    own = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    if own.startswith("http://"):
        door = HTTPConnection(own.removeprefix("http://").split("/")[0], timeout=_PATIENCE)
        with closing(door), suppress(HTTPException):
            door.request("HEAD", "/")
            door.getresponse()


def _within(ask: Callable[[], Any]) -> Any:
    """What `ask` returns. Raises TimeoutError after some seconds; a thread goes on waiting."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(ask())
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future.result(_PATIENCE)


@contextmanager
def _telling(address: str) -> Iterator[None]:
    """Raise what `fetch` does, with the address, where the store fails in the block."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{address}: there is no such file -> check dataset.path") from error
    except pa.ArrowInvalid as error:
        raise ConfigurationError(f"dataset.path: {address}: {error} -> correct it") from error
    except (OSError, pa.ArrowException) as error:
        text = " ".join(str(error).split()) or f"no answer in {_PATIENCE} s"
        named = re.search(r"AWS Error (\w+)", text)
        what = named[1] if named else text
        if _DENIED.search(text):
            raise DataError(
                f"{address}: access is denied ({what}) -> check AWS_PROFILE, or AWS_ACCESS_KEY_ID "
                "and AWS_SECRET_ACCESS_KEY, and that they may list and read it"
            ) from error
        if "NO_SUCH_BUCKET" in text:
            raise DataError(f"{address}: there is no such bucket -> check dataset.path") from error
        raise MachineError(
            f"{address}: the store cannot be reached ({what}) -> check the network, the address "
            "and AWS_ENDPOINT_URL"
        ) from error


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path fits a pattern, folder by folder; ** stands for any number of them."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[at:], pattern[1:]) for at in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _kilobytes(size: int) -> int:
    return -(-size // 1000)
