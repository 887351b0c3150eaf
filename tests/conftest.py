"""One cache, one migrated tracking store and one Spark session for the whole test session."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from tandem.registry import ENGINES, without_spark

# A shell that starts the tests in the background has them ignore Ctrl-C, and all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes is up to the machine; what was found is kept as a test of its own.
hypothesis.settings.register_profile("ours", deadline=None, database=None)
hypothesis.settings.load_profile("ours")


class ByFile(LoadFileScheduling):
    """A file stays with one worker; those that share the Spark session are as one file."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        text = (self.config.rootpath / file).read_text(encoding="utf-8")
        spark = "one_session" in text or any(name in nodeid for name in without_spark())
        return "spark" if spark else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    """Of xdist: who runs what."""
    return ByFile(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Of pytest: an option of ours."""
    text = "the engines that tests of all engines run, as in --engines=scan,sequential"
    parser.addoption("--engines", default=",".join(ENGINES), help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Of pytest: an engine that there is not is an error, not a run without tests."""
    if unknown := {*config.getoption("--engines").split(",")} - {*ENGINES}:
        raise pytest.UsageError(f"--engines: {min(unknown)}: one of {', '.join(ENGINES)}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `engine` runs with each of the registry, or of its mark `engines`."""
    if "engine" not in metafunc.fixturenames:
        return
    asked = metafunc.config.getoption("--engines").split(",")
    mark = metafunc.definition.get_closest_marker("engines")
    names = [name for name in (mark.args if mark else ENGINES) if name in asked]
    slow = {name: [pytest.mark.slow] for name in without_spark()}
    chosen = [pytest.param(name, marks=slow.get(name, [])) for name in names]
    metafunc.parametrize("engine", chosen, indirect=True)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """The name of an engine; one of Spark's uses the session of all tests."""
    name: str = request.param
    if name in without_spark():
        request.getfixturevalue("one_session")
    return name


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Prepared data goes to a folder of this test session."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TANDEM_CACHE", str(folder))
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("MLFLOW_RUN_ID", raising=False)
        yield folder


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for one test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TANDEM_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def migrated_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite store; creating one takes seconds, copying it does not."""
    import mlflow

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def place(tmp_path: Path, migrated_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory with a tracking store in it."""
    import mlflow

    shutil.copy(migrated_store, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    # MLflow sets variables of the environment, too, which commands of other tests would follow.
    mlflow.set_tracking_uri(None)
    os.environ.pop("MLFLOW_EXPERIMENT_ID", None)


@pytest.fixture(scope="session")
def one_session() -> Iterator[None]:
    """Every engine of this test session uses the Spark session that the first one starts."""
    from pyspark.sql import SparkSession

    stop = SparkSession.stop
    with pytest.MonkeyPatch.context() as patch:
        # What a test leaves in memory goes, as it would with a session of its own.
        patch.setattr(SparkSession, "stop", lambda session: session.catalog.clearCache())
        yield
    if session := SparkSession.getActiveSession():
        stop(session)
