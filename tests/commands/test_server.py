"""Every command against the server that a team shares: PostgreSQL, proxied artifacts, passwords."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
import requests

import tandem as product
from tests.commands.test_mlflow_run import ROOT
from tests.served import Served, needs_postgres, open_folder
from tests.shell import SMALL, tandem
from tests.tasks import houses

pytestmark = [pytest.mark.slow, needs_postgres]

SCAN = ("run", "engine=scan", *SMALL)
SIZES = ("dataset.rows=500,1000,2000,4000",)
USERS = "api/2.0/mlflow/users"
EXPERIMENTS = "api/2.0/mlflow/experiments"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """One for all tests here; its folder is there from the first start on."""
    with open_folder() as place:
        server = Served(place / "server")
        server.start()
        yield server
        server.close()


@pytest.fixture
def there(served: Served, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, the login of the server's first user, and an empty outbox."""
    monkeypatch.chdir(tmp_path)
    for name, value in served.login().items():
        monkeypatch.setenv(name, value)
    houses().to_csv("houses.csv", index=False)
    return own_cache


def good(*words: str) -> str:
    done = tandem(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.usefixtures("there")
def test_every_command(served: Served) -> None:
    task = ("houses.csv", "--target", "price")
    said = good("run", *task, "engine=scan")
    assert f"{served.address}/#/experiments/" in said
    said += good("compare", *task, "compare.engines=[scan,sequential]")
    assert "Every engine gives the same answer" in said
    said += good("sweep", "cache.moments=false", "engine=scan", *SIZES, *SMALL[1:])
    said += good("advise", "dataset.rows=1e5")
    assert "can be judged by the runs so far" in said
    said += good("inspect", *task) + good("send")
    assert "0 sent, 0 left" in said
    runs = served.runs()
    assert {run.info.status for run in runs} == {"FINISHED"}
    kinds = [run.data.tags["kind"] for run in runs]
    assert [kinds.count(kind) for kind in ("run", "comparison", "sweep")] == [1 + 2 + 4, 1, 1]
    assert len(product.runs(kind="run")) == 7
    predicted = product.load(runs[0].info.run_id).predict(houses().drop(columns="price"))
    assert len(predicted) == 90
    assert runs[0].info.artifact_uri.startswith("mlflow-artifacts:/")
    assert [*(served.folder / "files").rglob("report.html")]
    words = " ".join(word for process in served.family() for word in process.cmdline())
    assert served.password not in words + said + served.said
    kept = [path for path in served.folder.rglob("*") if path.is_file()]
    assert [path.name for path in kept if served.password.encode() in path.read_bytes()] == [
        "admin-password"
    ]


@pytest.mark.usefixtures("there")
def test_mlflow_run(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{scripts}:/usr/bin:/bin")
    words = ["--env-manager", "local", "--experiment-name", "project", "-P", "engine=scan"]
    command = [scripts / "mlflow", "run", ROOT, *words, "-P", f"overrides={' '.join(SMALL)}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (run,) = served.runs("project")
    assert run.info.status == "FINISHED"
    assert run.data.metrics["cv/rmse_mean"] > 0


@pytest.mark.usefixtures("there")
def test_eight_processes_at_a_time_are_all_there_and_none_twice(served: Served) -> None:
    words = (*SCAN, "tracking.experiment=eight")
    command = [sys.executable, "-m", "tandem", *words]
    started = [subprocess.Popen([*command, f"folds.seed={n}"]) for n in range(8)]
    assert [process.wait(300) for process in started] == [0] * 8
    runs = served.runs("eight")
    assert sorted(run.data.params["folds.seed"] for run in runs) == [*"01234567"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert all(run.outputs.model_outputs for run in runs)


def test_what_is_run_while_it_is_away_is_sent_when_it_is_back(served: Served, there: Path) -> None:
    words = (*SCAN, "tracking.experiment=away")
    good(*words)
    password = served.password
    status, seconds = served.stop(signal.SIGTERM)
    assert status == 128 + signal.SIGTERM
    assert seconds < 10
    done = tandem(*words, "folds.seed=1")
    assert done.returncode == 5, done.stderr
    assert "RMSE" in done.stdout
    assert "-> tandem send" in done.stderr
    assert password not in done.stdout + done.stderr
    waiting = [path for path in (there / "outbox").rglob("*") if path.is_file()]
    assert waiting
    assert not [path for path in waiting if password.encode() in path.read_bytes()]
    served.start()
    assert served.password == password
    assert "1 sent, 0 left" in good("send")
    runs = served.runs("away")
    assert [run.data.params["folds.seed"] for run in runs] == ["0", "1"]
    assert {run.info.status for run in runs} == {"FINISHED"}


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_a_signal_leaves_no_process_and_loses_nothing(
    served: Served, signum: signal.Signals
) -> None:
    client = mlflow.MlflowClient(served.address)
    client.create_experiment(signum.name)
    status, seconds = served.stop(signum)
    assert status == (-signum if signum == signal.SIGKILL else 128 + signum)
    assert seconds < 10
    served.start()
    assert client.get_experiment_by_name(signum.name)


@pytest.mark.usefixtures("there")
def test_a_wrong_password_is_told_in_one_line(served: Served) -> None:
    done = tandem(*SCAN, **served.login("admin", "canaryPassword"))
    assert done.returncode == 5
    (line,) = [one for one in done.stderr.splitlines() if "tracking.uri" in one]
    assert "it does not know this name and password (MLFLOW_TRACKING_USERNAME" in line
    assert line.endswith("-> tandem send")
    assert "canaryPassword" not in done.stdout + done.stderr
    assert "1 sent, 0 left" in good("send")


@pytest.mark.usefixtures("there")
def test_those_of_a_team_add_to_one_experiment_and_remove_only_their_own(served: Served) -> None:
    admin, ann = ("admin", served.password), ("ann", "a password of hers")
    made = {"username": ann[0], "password": ann[1]}
    assert post(served, f"{USERS}/create", admin, made) == 200
    good(*SCAN, "tracking.experiment=shared")
    done = tandem(*SCAN, "tracking.experiment=shared", "folds.seed=1", **served.login(*ann))
    assert done.returncode == 0, done.stderr
    assert [run.data.params["folds.seed"] for run in served.runs("shared")] == ["0", "1"]
    experiment = mlflow.MlflowClient(served.address).get_experiment_by_name("shared")
    assert experiment
    known = {"experiment_id": experiment.experiment_id}
    assert post(served, f"{EXPERIMENTS}/delete", ann, known) == 403
    assert post(served, f"{USERS}/create", ann, {**made, "username": "bob"}) == 403


@pytest.mark.usefixtures("there")
def test_strangers_are_turned_away(served: Served) -> None:
    new, admin = {"name": "by a stranger"}, ("admin", served.password)
    for login in (None, ("admin", "password1234"), ("admin", "")):
        assert post(served, f"{EXPERIMENTS}/create", login, new) == 401
    for header in ({"Host": f"evil.example:{served.port}"}, {"Origin": "http://evil.example"}):
        assert post(served, f"{EXPERIMENTS}/create", admin, new, **header) == 403
    places = ("", "get-artifact?path=x", "signup", "graphql", "docs", "metrics", "v1/traces")
    for place in places:
        assert requests.get(f"{served.address}/{place}", timeout=30).status_code == 401, place
    for path in ("../admin-password", "%2e%2e/admin-password", "..%252fadmin-password"):
        address = f"{served.address}/api/2.0/mlflow-artifacts/artifacts/{path}"
        asked = requests.Request("GET", address, auth=admin).prepare()
        asked.url = address  # or the dots would be read here
        with requests.Session() as session:
            assert session.send(asked, timeout=30).status_code == 400, path
    assert mlflow.MlflowClient(served.address).get_experiment_by_name(new["name"]) is None


def test_a_terminal_that_closes_does_not_end_what_nohup_began(served: Served) -> None:
    (process, *_) = served.family()
    process.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert requests.get(f"{served.address}/health", timeout=30).status_code == 200
    assert process.is_running()


def test_a_second_start_is_refused(served: Served) -> None:
    same = tandem("server", *served.words)
    assert same.returncode == 4
    assert f"server.folder: {served.folder}: a server runs on it" in same.stderr
    other = tandem("server", *served.words, f"server.folder={served.folder.parent / 'other'}")
    assert other.returncode == 4
    assert f"server.port: {served.port}: Address already in use" in other.stderr
    open_to_all = tandem("server", *served.words, "server.host=0.0.0.0", "server.auth=false")
    assert open_to_all.returncode == 2
    assert "-> server.auth=true" in open_to_all.stderr


def post(
    served: Served,
    place: str,
    login: tuple[str, str] | None,
    body: dict[str, str],
    **headers: str,
) -> int:
    """The status of the answer."""
    address = f"{served.address}/{place}"
    answer = requests.post(address, json=body, auth=login, headers=headers, timeout=30)
    return answer.status_code
