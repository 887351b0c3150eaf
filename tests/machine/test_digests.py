"""The digest of a file is computed again when, and only when, the file may have changed."""

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tandem.errors import DataError
from tandem.machine import digests
from tandem.machine.digests import marks, state

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read through."""
    names: list[str] = []
    original = hashlib.file_digest

    def counted(file: Any, algorithm: str) -> Any:
        names.append(Path(file.name).name)
        return original(file, algorithm)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    return names


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as old enough to be remembered."""
    monkeypatch.setattr(digests, "_TICK_NS", -(10**18))


def data(tmp_path: Path, *contents: bytes) -> list[Path]:
    files = [tmp_path / f"{i}.bin" for i in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    return files


def expected(*contents: bytes) -> list[str]:
    return [hashlib.sha256(content).hexdigest() for content in contents]


@pytest.mark.usefixtures("old")
def test_a_file_is_read_once(tmp_path: Path, hashed: list[str]) -> None:
    files = data(tmp_path, b"one", b"two", b"")
    for _ in range(2):
        assert [mark.digest for mark in marks(files)] == expected(b"one", b"two", b"")
        assert [mark.state for mark in marks(files)] == [state(file) for file in files]
    assert sorted(hashed) == ["0.bin", "1.bin", "2.bin"]


@pytest.mark.usefixtures("old")
def test_a_changed_byte_with_size_and_time_set_back_is_seen(
    tmp_path: Path, hashed: list[str]
) -> None:
    (file,) = data(tmp_path, b"one")
    marks([file])
    before = file.stat()
    time.sleep(0.05)  # a tick of the clock of the file system
    with file.open("r+b") as opened:
        opened.write(b"x")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_mtime_ns, file.stat().st_size) == (before.st_mtime_ns, before.st_size)
    assert [mark.digest for mark in marks([file])] == expected(b"xne")
    assert len(hashed) == 2


@pytest.mark.usefixtures("old")
def test_another_file_in_its_place_is_seen(tmp_path: Path) -> None:
    file, other = data(tmp_path, b"one", b"two")
    marks([file])
    other.rename(file)
    assert [mark.digest for mark in marks([file])] == expected(b"two")


def test_a_file_as_young_as_a_tick_is_not_remembered(
    tmp_path: Path, hashed: list[str], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may change again without a change of its times."""
    (file,) = data(tmp_path, b"one")
    marks([file])
    assert not own_cache.exists()
    time.sleep(0.05)
    monkeypatch.setattr(digests, "_TICK_NS", 20_000_000)
    marks([file])
    marks([file])
    assert len(hashed) == 2


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize("memo", [b"", b"{", b"[]", b'{"state": 1}', b'{"digest": "x"}', b"\xff"])
def test_a_damaged_memory_is_no_memory(
    tmp_path: Path, hashed: list[str], own_cache: Path, memo: bytes
) -> None:
    files = data(tmp_path, b"one")
    marks(files)
    (path,) = (own_cache / "digests").iterdir()
    path.write_bytes(memo)
    assert [mark.digest for mark in marks(files)] == expected(b"one")
    assert len(hashed) == 2
    marks(files)
    assert len(hashed) == 2


@pytest.mark.usefixtures("old")
def test_without_a_cache_that_can_be_written_files_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / "file"))
    assert [mark.digest for mark in marks(data(tmp_path, b"one"))] == expected(b"one")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.bin: cannot be read \(No such file"):
        marks([tmp_path / "gone.bin"])
