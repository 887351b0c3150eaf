"""Tables in an object store: an S3 on loopback that checks signatures."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from tandem.commands.run import answer
from tandem.config import compose
from tandem.dataset.opening import open_dataset
from tandem.dataset.remote import _opened, fetch
from tandem.errors import ConfigurationError, DataError, MachineError
from tandem.records import Array, Dataset
from tandem.settings import Files
from tests.dataset.test_odd_tables import ROWS, frame
from tests.shell import free_port, tandem, until

KEY, SECRET = "canaryKeyId", "canary/Secret+key"

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Its address, and the folder whose folders are the buckets."""
    folder = tmp_path_factory.mktemp("s3")
    port = free_port()
    command = [sys.executable, "-m", "nanio", "serve", "--host", "127.0.0.1", "--port", str(port)]
    keys = {"NANIO_ACCESS_KEY": KEY, "NANIO_SECRET_KEY": SECRET}
    with (folder / "log").open("w") as log, subprocess.Popen(
        [*command, "--data-dir", folder], env={**os.environ, **keys}, stdout=log, stderr=log
    ) as process:  # fmt: skip
        address = f"http://127.0.0.1:{port}"
        try:
            until(lambda: process.poll() is not None or answers(address))
            yield address, folder
        finally:
            process.kill()


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=5).close()  # noqa: S310 - http
    except urllib.error.HTTPError:
        return True  # it wants a signature
    except OSError:
        return False
    return True


@pytest.fixture
def bucket(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """An empty bucket, which is a folder, and an environment that may read it."""
    address, folder = server
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    name = re.sub(r"[^a-z0-9]", "", tmp_path.name.lower())[-40:]
    (folder / name).mkdir()
    return folder / name


def put(bucket: Path, *names: str) -> None:
    """The rows of a table, in parts."""
    table, count = frame(), len(names)
    for part, name in enumerate(names):
        (bucket / name).parent.mkdir(parents=True, exist_ok=True)
        rows = table.iloc[part * ROWS // count : (part + 1) * ROWS // count]
        if ".csv" in name:
            rows.to_csv(bucket / name, index=False)
        else:
            rows.to_parquet(bucket / name)


def opened(path: str) -> Dataset:
    return open_dataset(Files(path=path, target="y"))


@pytest.mark.engines("scan", "sequential", "distributed_scan")
def test_a_file_a_folder_or_a_pattern_is_the_same_table_in_every_engine(
    bucket: Path, engine: str
) -> None:
    put(bucket, "t/a 1.parquet", "t/b=1/c.parquet")
    put(bucket, "_t/a.parquet", "t/_b/c.parquet")  # no data in a folder

    def found(path: str) -> tuple[str, Array]:
        words = ("dataset=files", f"dataset.path='{path}'", "dataset.target=y", "folds.k=2")
        result = answer(
            compose(*words, "model.reg_param=[0.1]", "model.elastic_net_param=[0.0]").settings,
            engine,
        )
        return result.task.dataset.fingerprint, result.scores.rmse

    prefix = bucket.name
    for there, here in (
        (f"s3://{prefix}/t", "t"),
        (f"s3a://{prefix}/t/**/*.parquet", "t/**/*.parquet"),
        (f"s3://{prefix}/t/a 1.parquet", "t/a 1.parquet"),
    ):
        (digest, rmse), (same, as_here) = found(there), found(str(bucket / here))
        assert digest == same
        np.testing.assert_allclose(rmse, as_here, rtol=1e-9)


def test_a_pattern_is_of_folders_as_on_a_disk(bucket: Path) -> None:
    put(bucket, "a1.csv", "a2.csv", "b.csv", "sub/a3.csv", "sub/deep/a4.csv", "a[1].csv")
    (bucket / "notes.txt").touch()

    def found(pattern: str) -> list[str]:
        prefix = f"s3://{bucket.name}/"
        return [address.removeprefix(prefix) for address in fetch(prefix + pattern, None)]

    assert found("a*.csv") == ["a1.csv", "a2.csv", "a[1].csv"]
    assert found("a[2-9].csv") == ["a2.csv"]
    assert found("a[1].csv") == ["a[1].csv"]
    assert found("*/a?.csv") == ["sub/a3.csv"]
    assert found("**/a[3-4].csv") == ["sub/a3.csv", "sub/deep/a4.csv"]


def test_csv_is_converted_and_packed_files_stay_packed(bucket: Path) -> None:
    put(bucket, "t.csv.gz")
    here = str(bucket / "t.csv.gz")
    assert opened(f"s3://{bucket.name}/t.csv.gz").fingerprint == opened(here).fingerprint
    put(bucket, "t.csv")
    with (bucket / "t.csv").open("a") as file:
        file.write("1,x,2\n")
    with pytest.raises(DataError, match=rf"t.csv:{ROWS + 2}: .*'x'"):
        opened(f"s3://{bucket.name}/t.csv")


def test_only_what_has_changed_is_fetched_and_it_is_shown(bucket: Path) -> None:
    put(bucket, "a.parquet", "b.parquet")
    told: list[tuple[int, str]] = []
    done: list[int] = []

    def begin(total: int, unit: str) -> object:
        told.append((total, unit))
        return done.append

    def kilobytes(*names: str) -> int:
        return sum(-(-(bucket / name).stat().st_size // 1000) for name in names)

    first = fetch(f"s3://{bucket.name}", begin)
    assert told == [(kilobytes("a.parquet", "b.parquet"), "kB fetched")]
    assert sum(done) == told[0][0]
    assert fetch(f"s3://{bucket.name}/*", begin) == first
    assert len(told) == 1
    frame().iloc[::-1].to_parquet(bucket / "b.parquet")
    second = fetch(f"s3://{bucket.name}", begin)
    assert told[1:] == [(kilobytes("b.parquet"), "kB fetched")]
    same, other = f"s3://{bucket.name}/a.parquet", f"s3://{bucket.name}/b.parquet"
    assert second[same] == first[same]
    assert second[other] != first[other]
    assert second[other].read_bytes() == (bucket / "b.parquet").read_bytes()


def test_what_changes_while_it_is_fetched_is_refused(bucket: Path) -> None:
    put(bucket, "a.parquet")
    store = _opened(f"s3://{bucket.name}/a.parquet")
    (info,) = store.found()
    key = store.key(info)
    frame().iloc[::-1].to_parquet(bucket / "a.parquet")
    with pytest.raises(DataError, match=r"a.parquet: it changed while it was fetched -> "):
        store.copy(info, key, advance=None, stop=Event())


def test_names_of_folders_are_told_of(bucket: Path) -> None:
    put(bucket, "t/year=2020/a.parquet", "t/year=2021/a.parquet")
    assert any("year: names of folders" in note for note in opened(f"s3://{bucket.name}/t").notes)


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("s3://{}/none.parquet", "no data file here .* -> "),
        ("s3://nobucket/*.parquet", "no data file here .* -> "),
        ("s3://nobucket", "no data file here .* -> "),
        ("s3://{}/odd", r"files of kind .csv, .parquet"),
    ],
)
def test_what_is_not_there_is_refused(bucket: Path, path: str, rule: str) -> None:
    put(bucket, "odd/a.csv", "odd/b.parquet")
    path = path.format(bucket.name)
    with pytest.raises(DataError, match=re.escape(path) + ".*" + rule):
        opened(path)


@pytest.mark.parametrize(("key", "value"), [("ACCESS_KEY_ID", "other"), ("SECRET_ACCESS_KEY", "o")])
@pytest.mark.parametrize("name", ["t.parquet", "*.parquet"])
def test_no_access_is_said(
    bucket: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: str, name: str
) -> None:
    put(bucket, "t.parquet")
    monkeypatch.setenv(f"AWS_{key}", value)
    with pytest.raises(DataError, match=r"parquet: access is denied .* -> check AWS_PROFILE"):
        opened(f"s3://{bucket.name}/{name}")


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("silent", [False, True])
def test_a_store_that_does_not_answer_is_not_waited_for(*, silent: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        if not silent:
            listener.close()
        begin = time.monotonic()
        done = tandem(
            *("s3://bucket/t.parquet", "--target", "y", "engine=scan"),
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        )
    assert time.monotonic() - begin < 20
    assert done.returncode == MachineError.status
    assert re.fullmatch(
        r"tandem: s3://bucket/t.parquet: the store cannot be reached \((.*refused|timed out)\) -> "
        r"check the network.*\n",
        done.stderr,
    )


@pytest.mark.parametrize(
    "path",
    [f"s3://{KEY}:{SECRET}@bucket/t.csv", "gs://me:hidden@b/t.csv", "abfs://c:hidden@a/t.csv"],
)
def test_a_login_in_an_address_is_refused_and_not_shown(path: str) -> None:
    with pytest.raises(ConfigurationError, match="a login is not -> leave it out") as refused:
        opened(path)
    assert not re.search(f"{KEY}|{re.escape(SECRET)}|hidden", str(refused.value))


@pytest.mark.parametrize(
    ("path", "rule"),
    [("https://host/t.csv", "https:// is not read -> "), ("s3:///t.csv", "correct it")],
)
def test_what_is_no_address_is_refused(path: str, rule: str) -> None:
    with pytest.raises(ConfigurationError, match=rule):
        opened(path)


def test_a_table_larger_than_the_disk_is_refused_before_it_is_fetched(bucket: Path) -> None:
    with (bucket / "t.parquet").open("wb") as file:
        file.truncate(10**13)  # of nothing but a hole
    with pytest.raises(MachineError, match=r"10,000,000 MB needed for the cache, .* free -> "):
        opened(f"s3://{bucket.name}/t.parquet")


def test_what_a_command_leaves_holds_no_key(bucket: Path, place: Path) -> None:
    put(bucket, "t.parquet")
    words = (f"s3://{bucket.name}/t.parquet", "--target", "y", "engine=scan", "folds.k=2")
    done = tandem(*words)
    assert done.returncode == 0, done.stderr
    denied = tandem(*words, AWS_ACCESS_KEY_ID="canaryKeyIdOther")
    assert denied.returncode == DataError.status
    assert "t.parquet: access is denied" in denied.stderr
    printed = done.stdout + done.stderr + denied.stdout + denied.stderr
    left = b"".join(path.read_bytes() for path in place.rglob("*") if path.is_file())
    assert f"s3://{bucket.name}/t.parquet".encode() in left
    for canary in (KEY, SECRET):
        assert canary not in printed
        assert canary.encode() not in left


@pytest.mark.parametrize("path", ["t", "", "t/*.parquet", "t/c=1", "t/c=1/*.parquet"])
def test_a_delta_table_is_not_read_without_its_log(bucket: Path, path: str) -> None:
    put(bucket, "t/a.parquet", "t/c=1/b.parquet")
    put(bucket, "t/_delta_log/0.checkpoint.parquet")
    with pytest.raises(DataError, match=f"s3://{bucket.name}/t: a Delta table, .* -> copy"):
        opened(f"s3://{bucket.name}/{path}")
    assert fetch(f"s3://{bucket.name}/t/a.parquet", None)  # who names one means it
