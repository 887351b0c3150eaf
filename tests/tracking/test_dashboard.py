"""The dashboard's tag and the links; how the page looks is for tests/tracking/test_browser.py."""

from pathlib import Path

import mlflow
import pytest

from tandem.tracking.dashboard import TAG, provide, view


def test_the_tag_is_written_where_it_is_missing_or_old_and_never_fails_a_run(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place / 'mlflow.db'}")
    client = mlflow.MlflowClient()
    experiment = client.create_experiment("t")

    def standing() -> str | None:
        return client.get_experiment(experiment).tags.get(TAG)

    assert not provide(experiment, {TAG: view()})
    assert standing() is None  # there is no need to ask, nor to write
    provide(experiment, {})
    assert standing() == view()
    client.set_experiment_tag(experiment, TAG, "of another version")
    provide(experiment, {TAG: "of another version"})
    assert standing() == view()
    client.delete_experiment(experiment)
    assert "no dashboard: " in provide(experiment, {})
