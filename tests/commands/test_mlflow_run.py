"""`mlflow run` as a user types it, from the checkout."""

import os
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import mlflow
import pytest

from tandem.tracking.dashboard import TAG

ROOT = Path(__file__).parents[2]
SMALL = "dataset.rows=3000 model.reg_param=[0.1] folds.k=2"

slow = pytest.mark.slow


def mlflow_run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the project with the tracking store of `place`, no environment being active."""
    scripts = Path(sys.executable).parent
    return subprocess.run(
        [str(scripts / "mlflow"), "run", str(ROOT), "--experiment-name", "t", *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=place,
        env={
            **os.environ,
            "PATH": f"{scripts}:{os.environ['PATH']}",
            "MLFLOW_TRACKING_URI": f"sqlite:///{place / 'mlflow.db'}",
        },
    )


PAGES = [(ROOT / name).read_text("utf-8") for name in ("README.md", "conf/README.md")]
LINES = [line for page in PAGES for line in page.splitlines() if line.startswith("mlflow run")]


def test_the_pages_have_lines_to_try() -> None:
    assert len(LINES) == 3


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_pages_needs_no_pyenv_and_names_its_experiment(line: str) -> None:
    """MLflow's defaults want pyenv, and leave what does not start as RUNNING in `Default`."""
    words = shlex.split(line)
    for option in (["--env-manager", "local"], ["--experiment-name", "tandem"]):
        assert option in [[*pair] for pair in pairwise(words)]


def runs(place: Path) -> list[mlflow.entities.Run]:
    """All runs in the store of `place`, the newest last."""
    client = mlflow.MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("t")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], order_by=["start_time ASC"]))


@slow
def test_overrides_with_lists_and_quoted_text_arrive(place: Path) -> None:
    quoted = f"{SMALL} dataset.name='two words' dataset.exclude=[air_time,\"arr_delay\"]"
    done = mlflow_run(place, "--env-manager", "local", "-P", f"overrides={quoted}",
                      "-P", "folds.seed=5")  # fmt: skip
    assert done.returncode == 0, done.stderr
    (run,) = runs(place)
    assert run.info.status == "FINISHED"
    assert run.data.params["dataset.name"] == "two words"
    assert run.data.params["dataset.exclude"] == '["air_time", "arr_delay"]'
    assert run.data.params["folds.seed"] == "5"
    assert run.data.params["engine"] == "sequential"
    assert run.data.metrics["cv/rmse_mean"] > 0
    client = mlflow.MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    assert client.get_experiment(run.info.experiment_id).tags[TAG]
    assert "viewStateShareKey=" in done.stdout


@slow
def test_a_wrong_override_fails_with_one_line(place: Path) -> None:
    done = mlflow_run(place, "--env-manager", "local", "-P", "overrides=folds.kk=3")
    assert done.returncode != 0
    assert "folds.kk: there is no such key; did you mean 'folds.k'?" in done.stderr
    (run,) = runs(place)
    assert run.info.status == "FAILED"


@slow
def test_a_sweep_started_by_mlflow_run_has_one_parent(place: Path) -> None:
    overrides = f"overrides={SMALL} engine=scan folds.seed=1,2"
    done = mlflow_run(place, "-e", "sweep", "--env-manager", "local", "-P", overrides)
    assert done.returncode == 0, done.stderr
    parent, *children = runs(place)
    assert parent.data.metrics["sweep/done"] == 2
    assert parent.data.tags["kind"] == "sweep"
    assert parent.info.status == "FINISHED"
    assert len(children) == 2
    for child in children:
        assert child.info.status == "FINISHED"
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id


@slow
def test_the_uv_environment_works(place: Path) -> None:
    done = mlflow_run(place, "--env-manager", "uv", "-P", f"overrides={SMALL}")
    assert done.returncode == 0, done.stderr
    assert runs(place)[-1].data.metrics["cv/rmse_mean"] > 0
