"""What is published appears whole or not at all."""

import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from threading import Barrier
from typing import Any, NamedTuple

import pytest

from tandem.errors import MachineError
from tandem.machine import digests
from tandem.machine.cache import cache_folder, check_disk, write_atomically
from tandem.machine.publish import MANIFEST, published
from tandem.machine.scratch import scratch_folder


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("TANDEM_CACHE", str(folder))
    return folder


def build(work: Path) -> dict[str, Any]:
    (work / "data.txt").write_text("data", encoding="utf-8")
    return {"rows": 4}


def must_not_build(work: Path) -> dict[str, Any]:
    pytest.fail(f"built again in {work}")


def files(folder: Path) -> set[str]:
    """What is published; locks are for ever, and nothing is left where things are built."""
    assert [*folder.glob("scratch/*/*")] == []
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if path.parts[0] != "locks"}


def test_what_is_published_is_built_once(own_cache: Path) -> None:
    folder = published("some/key", 0, build)
    assert folder == own_cache / "some" / "key"
    assert files(own_cache) == {"some/key/data.txt", f"some/key/{MANIFEST}"}
    digests = {"data.txt": sha256(b"data").hexdigest()}
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    assert manifest == {
        "rows": 4,
        "sha256": digests,
    }
    assert published("some/key", 0, must_not_build) == folder


def test_another_key_is_built_apart() -> None:
    assert published("a", 0, build) != published("b", 0, build)


def test_nothing_is_visible_before_all_is_there_and_the_manifest_comes_last(
    own_cache: Path,
) -> None:
    def look(work: Path) -> dict[str, Any]:
        assert not (own_cache / "key").exists()
        assert not (work / MANIFEST).exists()
        assert [*work.iterdir()] == []
        assert work.is_relative_to(own_cache)  # the same disk, so that a rename will do
        return build(work)

    assert (published("key", 0, look) / MANIFEST).exists()


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_nothing_is_left_of_a_build_that_fails(own_cache: Path, error: BaseException) -> None:
    def fail(work: Path) -> dict[str, Any]:
        build(work)
        raise error

    with pytest.raises(type(error)):
        published("key", 0, fail)
    assert files(own_cache) == set()
    published("key", 0, build)
    assert files(own_cache) == {"key/data.txt", f"key/{MANIFEST}"}


def test_a_manifest_that_cannot_be_written_leaves_nothing(own_cache: Path) -> None:
    with pytest.raises(TypeError):
        published("key", 0, lambda work: build(work) | {"path": work})
    assert files(own_cache) == set()


def test_a_folder_without_manifest_is_replaced(own_cache: Path) -> None:
    (own_cache / "key").mkdir(parents=True)
    (own_cache / "key" / "half").touch()
    published("key", 0, build)
    assert files(own_cache) == {"key/data.txt", f"key/{MANIFEST}"}


def test_the_first_of_two_builders_wins(own_cache: Path) -> None:
    def second(work: Path) -> dict[str, Any]:
        published("key", 0, build)
        (work / "data.txt").write_text("second", encoding="utf-8")
        return {}

    folder = published("key", 0, second)
    assert (folder / "data.txt").read_text(encoding="utf-8") == "data"
    assert files(own_cache) == {"key/data.txt", f"key/{MANIFEST}"}


def test_a_disk_that_is_too_small_is_refused_with_both_numbers(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(9, 6, 3_000_000))
    with pytest.raises(MachineError, match=r"5,000 MB needed.*, 3 MB free.*TANDEM_CACHE"):
        published("key", 5_000_000_000, must_not_build)
    assert files(own_cache) == set()
    assert published("key", 3_000_000, build).exists()  # just enough


def test_a_disk_without_a_byte_too_few_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(9, 6, 3))
    check_disk(tmp_path, 3)
    with pytest.raises(MachineError):
        check_disk(tmp_path, 4)


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_place_that_cannot_be_written_is_refused_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / "file" / below))
    with pytest.raises(MachineError, match=rf"{tmp_path}/file.*cannot write.*TANDEM_CACHE"):
        published("some/key", 0, must_not_build)


def test_a_disk_that_runs_full_is_a_fault_of_the_machine(own_cache: Path) -> None:
    def fill(work: Path) -> dict[str, Any]:
        build(work)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(MachineError, match="No space left"):
        published("key", 0, fill)
    assert files(own_cache) == set()


def test_the_folder_is_the_first_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TANDEM_CACHE", "named")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "named"
    monkeypatch.delenv("TANDEM_CACHE")
    assert cache_folder() == Path("/xdg/tandem")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == tmp_path / ".cache" / "tandem"


@pytest.mark.parametrize("home", [None, "", "/nowhere/at/all"])
def test_without_a_home_the_working_directory_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TANDEM_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if home is None:
        monkeypatch.delenv("HOME")
    else:
        monkeypatch.setenv("HOME", home)
    assert cache_folder() == tmp_path / ".cache" / "tandem"
    assert published("key", 0, build).is_relative_to(tmp_path)


def test_text_is_written_whole_with_its_mode_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_atomically(path, "old")
    write_atomically(path, "new \u20ac", mode=0o750)
    assert path.read_bytes() == "new \u20ac".encode()
    assert path.stat().st_mode & 0o777 == 0o750
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize("tick", [0, digests._TICK_NS])
def test_a_flipped_byte_is_seen_and_all_is_built_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tick: int
) -> None:
    monkeypatch.setattr(digests, "_TICK_NS", tick)  # 0: the digest is remembered at once
    file = published("key", 0, build) / "data.txt"
    assert published("key", 0, must_not_build) == file.parent
    file.write_text("date", encoding="utf-8")
    assert not caplog.records
    assert published("key", 0, build) == file.parent
    assert file.read_text(encoding="utf-8") == "data"
    assert [record.getMessage() for record in caplog.records] == [
        f"tandem: {file.parent}: damaged -> it is built again"
    ]
    assert published("key", 0, must_not_build) == file.parent


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_missing_or_empty_file_is_built_again(
    caplog: pytest.LogCaptureFixture, harm: Callable[[Path], object]
) -> None:
    file = published("key", 0, build) / "data.txt"
    harm(file)
    published("key", 0, build)
    assert file.read_text(encoding="utf-8") == "data"
    assert "damaged" in caplog.text


@pytest.mark.parametrize("text", ["", "{", '{"sha256": {}', '{"rows": 4}', "\xff"])
def test_a_manifest_that_tells_nothing_is_written_again(text: str) -> None:
    folder = published("key", 0, build)
    (folder / MANIFEST).write_text(text, encoding="latin-1")
    published("key", 0, build)
    assert published("key", 0, must_not_build) == folder


def test_of_several_that_meet_a_damaged_folder_each_finds_what_was_written() -> None:
    file = published("key", 0, build) / "data.txt"
    many = Barrier(4)

    def meet(_: int) -> str:
        many.wait()
        found = [
            (published("key", 0, build) / "data.txt").read_text(encoding="utf-8") for _ in range(50)
        ]
        return "".join(found)

    for harm in ("date", None):
        if harm:
            file.write_text(harm, encoding="utf-8")
        else:
            (file.parent / MANIFEST).unlink()
        with ThreadPoolExecutor(4) as pool:
            assert [*pool.map(meet, range(4))] == ["data" * 50] * 4
        assert [path.name for path in file.parent.parent.iterdir() if path.name[0] == "."] == []


def test_what_a_killed_process_has_left_goes_with_the_next_one(own_cache: Path) -> None:
    program = "import os; from tandem.machine import scratch_folder as s; (s() / 'x').touch(); {}"
    killed, ended = "os.kill(os.getpid(), 9)", "pass"
    for end in (killed, ended):
        subprocess.run([sys.executable, "-c", program.format(end)], check=False)
        found = [*own_cache.glob("scratch/*/x")]
        assert len(found) == (end == killed)


def test_threads_that_begin_together_have_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of a store are fetched by several threads of a process that has no folder yet."""
    together, often = Barrier(8), sys.getswitchinterval()

    def meet(_: int) -> tuple[Path, bool]:
        together.wait()
        found = scratch_folder()
        return found, found.is_dir()

    sys.setswitchinterval(1e-6)
    try:
        for turn in range(20):  # without a lock two thirds of them fail
            monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / str(turn)))
            with ThreadPoolExecutor(8) as pool:
                ((_, there),) = {*pool.map(meet, range(8))}
            assert there
    finally:
        sys.setswitchinterval(often)
