"""What the README says of one's own table, typed as it stands there."""

import re
import shlex
from pathlib import Path

import mlflow
import pytest

from tandem.tracking.dashboard import ORDER_TAG
from tests.shell import runs, tandem
from tests.tasks import houses

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
LINES = re.findall(r"^tandem .*houses\.csv[^#\n]*", README, re.MULTILINE)
(PYTHON,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.slow
def test_the_lines_on_a_table_of_ones_own(place: Path) -> None:
    houses().to_csv(place / "houses.csv", index=False)
    inspect, run, compare, advise = (shlex.split(line)[1:] for line in LINES)
    done = tandem(*inspect)
    assert done.returncode == 0, done.stderr
    assert "inspect-houses.html" in done.stdout
    done = tandem(*run)
    assert done.returncode == 0, done.stderr
    told = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert {"rows", "features", "penalty", "RMSE", "R2", "matters", "seconds", "model"} <= {*told}
    assert told["rows"].startswith("90; used 90")
    assert re.match(r"[\d,]+ \+- [\d,]+ over 3 folds; [\d,]+ by predicting the mean", told["RMSE"])
    done = tandem(*compare, **_without_java(place))
    assert done.returncode == 0, done.stderr
    assert "netlib" not in done.stderr
    begun = [line.split()[0] for line in done.stdout.splitlines() if "   RMSE " in line][:4]
    assert begun == ["scan", "sequential", "distributed_scan", "distributed"]
    assert "Every engine gives the same answer: RMSE agrees to" in done.stdout
    assert "Spark does not pay here" in done.stdout
    assert "/#/experiments/" in done.stdout
    _is_recorded(place)
    done = tandem(*advise)
    assert done.returncode == 3
    assert "nothing to judge by -> tandem sweep" in done.stderr
    assert len(runs("run")) == 5


def _without_java(place: Path) -> dict[str, str]:
    """The environment of a machine with all tools but Java; the wheel has one."""
    tools = place / "tools"
    tools.mkdir()
    for folder in ("/usr/bin", "/bin"):
        for tool in Path(folder).iterdir():
            link = tools / tool.name
            if tool.name != "java" and not link.is_symlink():
                link.symlink_to(tool)
    return {"PATH": str(tools), "JAVA_HOME": "/nowhere", "HOME": ""}


def _is_recorded(place: Path) -> None:
    """A comparison of all engines, in the store."""
    (parent,) = runs("comparison")
    every = [run for run in runs("run") if "mlflow.parentRunId" in run.data.tags]
    children = {run.data.tags["engine"]: run for run in every}
    order = sorted(children, key=lambda engine: children[engine].data.tags[ORDER_TAG])
    assert order == ["sequential", "scan", "distributed", "distributed_scan"]
    for run in children.values():
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.info.status == "FINISHED"
        assert run.data.tags["parity"] == "pass"
    assert len({run.data.tags["data.fingerprint"] for run in children.values()}) == 1
    spark = children["distributed"]
    assert spark.data.metrics["spark/tasks"] > 0
    assert spark.data.params["spark.sql.shuffle.partitions"]
    client = mlflow.MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    conf = Path(client.download_artifacts(spark.info.run_id, "spark/conf.json"))
    assert "spark.app.id" in conf.read_text(encoding="utf-8")
    assert parent.data.metrics["parity/rmse_max_rel"] < 1e-3
    assert parent.data.metrics["speedup/sequential"] == 1.0
    assert parent.data.tags["parity"] == "pass"
    assert parent.data.tags["mlflow.note.content"].startswith("Every engine gives the same answer")
    assert parent.inputs.dataset_inputs[0].dataset.name == "houses"


@pytest.mark.slow
@pytest.mark.usefixtures("place")
def test_the_python(capsys: pytest.CaptureFixture[str]) -> None:
    frame = houses()
    frame.to_csv("houses.csv", index=False)
    names = {"frame": frame.drop(columns="price")}
    exec(PYTHON, names)  # noqa: S102 - the README's
    assert len(names["predicted"]) == 90
    assert "scan" in capsys.readouterr().out
