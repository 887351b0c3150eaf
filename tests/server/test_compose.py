"""compose.yaml, which cannot be run here, says what `tandem server` says, in words of MLflow."""

import re
from pathlib import Path

import yaml
from mlflow import cli, environment_variables

from tandem.server.folder import Folder
from tandem.server.frontend import _AUTH, _stores
from tandem.server.postgres import RUNS, USERS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
WHOLE = yaml.safe_load(TEXT)
MLFLOW = WHOLE["services"]["mlflow"]
AT = "postgresql+psycopg://mlflow@postgres"


def test_the_first_line_says_that_it_has_not_been_run() -> None:
    assert "not been run here" in TEXT.splitlines()[0]


def test_it_tells_mlflow_what_our_own_server_tells_it() -> None:
    own, told = _stores(Folder(Path("/s"))), MLFLOW["environment"]
    assert {*own} < {*told}
    differs = {key: told[key] for key in own if told[key] != own[key]}
    assert differs == {
        "MLFLOW_BACKEND_STORE_URI": f"{AT}/{RUNS}",
        "MLFLOW_ARTIFACTS_DESTINATION": "/artifacts",
    }
    assert WHOLE["configs"]["auth"]["content"] == _AUTH.format(f"{AT}/{USERS}")
    assert USERS in WHOLE["configs"]["users"]["content"]


def test_mlflow_knows_every_variable() -> None:
    known = {*vars(environment_variables), *(str(o.envvar) for o in cli.server.params)}  # type: ignore[attr-defined]  # click's
    used = {*re.findall(r"MLFLOW_[A-Z_]+", TEXT)}
    assert len(used) > 10
    assert used - known == set()


def test_it_installs_what_the_package_asks_for_and_answers_on_loopback() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for name, range_ in (("mlflow", r">=3\.\d+,<3\.\d+"), (r"psycopg\[binary\]", r">=3\.\d+")):
        (wanted,) = {*re.findall(rf'"{name}({range_})"', project)}
        assert re.search(rf"'{name}(\[auth\])?{re.escape(wanted)}'", TEXT), name
    ports = [port for one in WHOLE["services"].values() for port in one.get("ports", [])]
    assert ports == ["127.0.0.1:5000:5000"]
