"""Sweeps: jobs that fail, signals, kills at any moment, and what is left after them."""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import mlflow
import pandas as pd
import psutil
import pytest
from hydra import compose, initialize_config_dir

import tandem as package
from tandem.manual import configuration_folder
from tandem.sweeps import outcomes
from tandem.sweeps.jobs import Job, code_version, make_jobs, sweep_key
from tandem.sweeps.outcomes import Outcome, Status
from tests.shell import lives, runs, tandem, until

TINY = ("engine=scan", "dataset.rows=300", "model.reg_param=[0.1]", "folds.k=2")
LONG = ("engine=sequential", "dataset.rows=50000", "model.max_iter=100000", "model.tol=1e-12")

# What goes wrong in a job, by its folds.seed, when its run has begun.
BROKEN = """
import os, signal, sys
from importlib.abc import MetaPathFinder

class Break(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "tandem.engines.scan":
            return
        if "folds.seed=1" in sys.argv:
            raise RuntimeError("broken on purpose")
        if "folds.seed=2" in sys.argv:
            sys.exit(0)
        if "folds.seed=3" in sys.argv:
            os._exit(0)
        if "folds.seed=4" in sys.argv:
            os.kill(os.getpid(), signal.SIGKILL)

sys.meta_path.insert(0, Break())
"""


def starting(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tandem", "sweep", *arguments], stderr=subprocess.PIPE, text=True
    )


def parent_of_all() -> mlflow.entities.Run:
    (parent,) = runs("sweep")
    return parent


@pytest.mark.slow
def test_others_run_on_when_jobs_fail_and_resume_runs_only_these(place: Path) -> None:
    (place / "sitecustomize.py").write_text(BROKEN, encoding="utf-8")
    path = f"{place}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    jobs = (*TINY, "folds.seed=1,2,3,4,5", "sweep.jobs=2")
    done = tandem("sweep", *jobs, PYTHONPATH=path)
    assert done.returncode == 6
    *failures, last = done.stderr.splitlines()[-5:]
    assert [line.split(": ", 3)[1:3] for line in failures] == [
        ["job 0 (folds.seed=1)", "status 70"],
        ["job 1 (folds.seed=2)", "status 70"],
        ["job 2 (folds.seed=3)", "status 0"],
        ["job 3 (folds.seed=4)", "signal 9 (SIGKILL)"],
    ]
    assert "broken on purpose" in failures[0]
    assert "[0 folds.seed=1] tandem: internal error: RuntimeError" in done.stderr
    assert "4 of 5 jobs failed" in last
    parent = parent_of_all()
    assert parent.info.status == "FAILED"
    assert parent.data.metrics == {"sweep/done": 1, "sweep/failed": 4}
    children = runs("run")
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert Counter(run.info.status for run in children) == {"FAILED": 4, "FINISHED": 1}
    assert Counter(run.data.tags.get("failure.class") for run in children) == {
        None: 1,
        "RuntimeError": 1,
        "SystemExit": 1,
        "lost": 2,
    }

    again = tandem("sweep", *jobs, "sweep.resume=true")
    assert again.returncode == 0, again.stderr
    parent = parent_of_all()
    assert parent.info.status == "FINISHED"
    assert "failure.class" not in parent.data.tags
    assert parent.data.metrics == {"sweep/done": 4, "sweep/failed": 0, "sweep/skipped": 1}
    finished = [run for run in runs("run") if run.info.status == "FINISHED"]
    assert len({run.data.tags["job.key"] for run in finished}) == len(finished) == 5
    _results_are_complete(place, parent, finished)


def _results_are_complete(
    place: Path, parent: mlflow.entities.Run, finished: list[mlflow.entities.Run]
) -> None:
    folders = sorted((place / "multirun").iterdir())
    assert len(folders) == 2
    client = mlflow.MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    kept = Path(client.download_artifacts(parent.info.run_id, "sweep/results.csv"))
    assert kept.read_bytes() in {(folder / "results.csv").read_bytes() for folder in folders}
    table = pd.read_csv(kept)
    assert table.job.tolist() == [0, 1, 2, 3, 4]
    assert table.status.tolist() == ["done"] * 4 + ["skipped"]
    scores = {run.info.run_id: run.data.metrics["cv/rmse_mean"] for run in finished}
    assert dict(zip(table.run_id, table.rmse_mean, strict=True)) == scores
    assert "| 3 | folds.seed=4 | done |" in parent.data.tags["mlflow.note.content"]


@pytest.mark.slow
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_job_outlives_its_sweep(name: signal.Signals) -> None:
    arguments = (*LONG, "folds.seed=1,2,3", "sweep.jobs=2", "sweep.resume=true")
    with starting(*arguments) as sweep:
        until(lambda: len(runs("run")) == 2)
        family = psutil.Process(sweep.pid).children(recursive=True)
        if name == signal.SIGTERM:
            second = tandem("sweep", *arguments)
            assert second.returncode == 6
            assert "is running -> wait for its end" in second.stderr
            assert second.stderr.count("\n") == 1
        sweep.send_signal(name)
        status = sweep.wait(timeout=30)
    until(lambda: not any(map(lives, family)), seconds=7)
    killed = name == signal.SIGKILL
    assert status == (-name if killed else 128 + name)
    assert parent_of_all().info.status == ("FAILED" if killed else "KILLED")
    ends = [run.info.status for run in runs("run")]
    assert len(ends) == 2
    # A child that computes where no signal is heard ends 5 s later, without a word.
    assert {*ends} <= ({"KILLED", "FAILED"} if killed else {"KILLED"})


@pytest.mark.slow
@pytest.mark.usefixtures("place")
def test_kills_lose_nothing_and_do_nothing_twice() -> None:
    arguments = (*TINY, "folds.seed=range(1,7)", "sweep.jobs=2", "sweep.resume=true")
    moments = random.Random(20)  # noqa: S311 - moments to kill at
    for kill in range(5):
        with starting(*arguments) as sweep:
            in_a_job, before = kill % 3 == 2, len(runs("run"))
            if in_a_job:
                until(lambda n=before: sweep.poll() is not None or len(runs("run")) > n)
            try:
                sweep.communicate(timeout=moments.uniform(0, 1 if in_a_job else 3))
            except subprocess.TimeoutExpired:
                sweep.kill()
    done = tandem("sweep", *arguments)
    assert done.returncode == 0, done.stderr
    assert parent_of_all().info.status == "FINISHED"
    children = runs("run")
    assert {run.info.status for run in children} <= {"FINISHED", "FAILED", "KILLED"}
    finished = [run.data.tags["job.key"] for run in children if run.info.status == "FINISHED"]
    assert len(finished) == len({*finished}) == 6
    assert len(children) > 6  # some were hit


@pytest.mark.slow
def test_two_sweeps_at_once_have_nothing_in_common_but_the_store(place: Path) -> None:
    (place / "mine" / "folds").mkdir(parents=True)
    (place / "mine" / "folds" / "one.yaml").write_text("{k: 1, seed: 0, block: 1}")
    arguments = ("--config-dir=mine", *TINY[:3], "folds=one")
    with starting(*arguments) as first, starting(*arguments) as second:
        said = [sweep.communicate(timeout=120)[1] for sweep in (first, second)]
    assert [first.returncode, second.returncode] == [6, 6]
    assert all("] tandem: folds.k: 1: must be at least 2" in text for text in said)
    assert all("sweep: a single job, as no key has several values" in text for text in said)
    assert len([*(place / "multirun").glob("*/results.csv")]) == 2
    assert [run.info.status for run in runs("sweep")] == ["FAILED"] * 2


def _jobs(*overrides: tuple[str, ...]) -> list[Job]:
    with initialize_config_dir(str(configuration_folder()), version_base="1.3"):
        return make_jobs(overrides, [compose("config", [*words]) for words in overrides])


def test_a_key_stands_for_what_is_computed() -> None:
    base = ("dataset.rows=300", "folds.k=2")
    same = (*base, "sweep.jobs=2", "tracking.experiment=x", "debug=true")
    others = [
        (*base, "folds.seed=1"),
        (*base, "command=compare"),
        ("dataset.rows=301", "folds.k=2"),
    ]
    (key,) = [job.key for job in _jobs(base)]
    assert [job.key for job in _jobs(same)] == [key]
    keys = [job.key for job in _jobs(base, base, *others)]
    assert keys[0] == key
    assert len({*keys}) == len(keys)  # what is asked for twice runs twice


def test_a_sweep_is_the_set_of_its_jobs() -> None:
    one, two = ("dataset.rows=300", "folds.k=2"), ("dataset.rows=300", "folds.k=3")
    assert sweep_key(_jobs(one, two)) == sweep_key(_jobs(two, one)) != sweep_key(_jobs(one))


def test_a_label_is_what_tells_jobs_apart() -> None:
    shared = ("dataset.rows=300", "folds.seed=1")
    jobs = _jobs((*shared, "folds.k=2"), (*shared, "folds.k=3"))
    assert [job.label for job in jobs] == ["folds.k=2", "folds.k=3"]


def test_a_long_note_is_cut_at_a_line() -> None:
    jobs = [Job(number, (), f"folds.seed={number}", "") for number in range(500)]
    note = outcomes.table([Outcome(job, Status.DONE, rmse=1.0, run_id="a" * 32) for job in jobs])
    assert len(note) < 8000
    *rows, empty, rest = note.splitlines()
    assert all(row.endswith(" |") for row in rows[2:])
    assert (empty, rest) == ("", "The rest is in sweep/results.csv.")


def test_the_code_of_a_job_is_all_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of any file, wherever it stands, is other work: nothing is skipped for it."""
    copy = tmp_path / "tandem"
    shutil.copytree(Path(package.__file__).parent, copy)
    monkeypatch.setattr(package, "__file__", str(copy / "__init__.py"))
    before = code_version.__wrapped__()
    for name in ("solver/solve.py", "records.py", "sweeps/jobs.py"):
        (copy / name).write_text((copy / name).read_text("utf-8") + "# changed\n", "utf-8")
        assert code_version.__wrapped__() != before
        before = code_version.__wrapped__()
