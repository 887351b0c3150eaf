"""A run that the store does not take now is computed, kept, and sent later, once."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow
import pytest
from mlflow.entities import Dataset, DatasetInput
from mlflow.exceptions import MlflowException

from tandem.errors import AwayError, TrackingError
from tandem.tracking import outbox
from tandem.tracking.folder import has_record, read_record
from tandem.tracking.store import Patience
from tests.shell import SMALL, runs, tandem

LOGIN = "http://reader:canaryLogin@127.0.0.1:9"


@pytest.mark.usefixtures("place", "own_cache")
def test_without_a_store_a_run_is_computed_told_and_kept() -> None:
    words = ("run", "engine=scan", *SMALL, "dataset.name=${oc.env:A_NAME}")
    done = tandem(*words, f"tracking.uri={LOGIN}", A_NAME="canaryName")
    assert done.returncode == 5
    assert "canary" not in done.stdout + done.stderr
    assert "RMSE" in done.stdout
    (key,) = outbox.keys()
    (line,) = [one for one in done.stderr.splitlines() if "tracking.uri" in one]
    assert line.endswith(f"the record is in {outbox.place(key)} -> tandem send")
    assert "http://***@127.0.0.1:9" in line
    folder = outbox.record_of(key)
    assert has_record(folder)
    assert read_record(folder).tags["engine"] == "scan"
    files = [path for path in outbox.place(key).rglob("*") if path.is_file()]
    assert not [path for path in files if b"canary" in path.read_bytes()]
    again = tandem("send")
    assert again.returncode == 5
    assert "http://***@127.0.0.1:9: its login is not kept" in again.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("own_cache")
def test_what_is_left_is_sent_by_the_next_command_once(place: Path) -> None:
    """The store is a file in a folder that nobody may write, then one that they may."""
    store = place / "mlflow.db"
    whole = store.read_bytes()
    store.write_bytes(b"no database" * 100)
    words = ("run", "engine=scan", *SMALL)
    assert tandem(*words).returncode == tandem(*words, "folds.seed=1").returncode == 5
    assert len(outbox.keys()) == 2
    store.write_bytes(whole)
    done = tandem(*words, "folds.seed=2")
    assert done.returncode == 0, done.stderr
    assert outbox.keys() == []
    seeds = [run.data.params["folds.seed"] for run in runs("run")]
    assert sorted(seeds) == ["0", "1", "2"]
    assert {run.info.status for run in runs("run")} == {"FINISHED"}
    done = tandem("send")
    assert (done.returncode, done.stdout) == (0, "0 sent, 0 left\n")


def fails(times: int, code: str, text: str = "away") -> Callable[[], int]:
    """A call that fails so often; then it returns how often it was made."""
    made: list[int] = []

    def call() -> int:
        made.append(1)
        if len(made) <= times:
            raise MlflowException(text, getattr(mlflow.protos.databricks_pb2, code))
        return len(made)

    return call


def test_a_call_is_made_again_where_the_store_fails_for_a_moment() -> None:
    assert Patience(5)(fails(2, "INTERNAL_ERROR")) == 3
    # MLflow's own race between two runs that log the same dataset.
    assert Patience(5)(fails(1, "BAD_REQUEST", "UNIQUE constraint failed: datasets")) == 2


def test_a_refusal_is_final_and_patience_ends() -> None:
    with pytest.raises(TrackingError, match="no such run") as refused:
        Patience(5)(fails(1, "RESOURCE_DOES_NOT_EXIST", "no such run"))
    assert not isinstance(refused.value, AwayError)
    begin = time.monotonic()
    with pytest.raises(AwayError, match="away"):
        Patience(1)(fails(1000, "INTERNAL_ERROR"))
    assert 0.3 < time.monotonic() - begin < 1.2
    with pytest.raises(AwayError):
        Patience(1, again=False)(fails(1, "INTERNAL_ERROR"))


@pytest.mark.slow
def test_runs_that_log_the_same_dataset_at_once_all_succeed(place: Path) -> None:
    client = mlflow.MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    for number in range(5):
        ids = [client.create_run("0").info.run_id for _ in range(8)]
        logged = [DatasetInput(Dataset(f"d{number}", "digest", "local", "{}"), [])]
        with ThreadPoolExecutor(8) as pool:
            calls = [pool.submit(Patience(30), client.log_inputs, one, logged) for one in ids]
            for call in calls:
                call.result()
        for one in ids:
            (found,) = client.get_run(one).inputs.dataset_inputs
            assert found.dataset.name == f"d{number}"
