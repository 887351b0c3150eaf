"""One cache, one migrated tracking store and one Spark session for the whole test session."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `-n 2` a file stays with one worker, and all that share the Spark session do."""
    for item in items:
        shared = "one_session" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("spark" if shared else item.path.name))
    items.sort(key=lambda item: "one_session" not in getattr(item, "fixturenames", ()))


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


@pytest.fixture(scope="session")
def migrated_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite store; creating one takes seconds, copying it does not."""
    import mlflow

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def place(tmp_path: Path, migrated_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory with a tracking store in it."""
    shutil.copy(migrated_store, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def one_session() -> Iterator[None]:
    """Every engine of this test session uses the Spark session that the first one starts."""
    from pyspark.sql import SparkSession

    stop = SparkSession.stop
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SparkSession, "stop", lambda _: None)
        yield
    if session := SparkSession.getActiveSession():
        stop(session)
