"""What the README says of one's own table, typed as it stands there."""

import re
import shlex
from pathlib import Path

import pytest

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
    done = tandem(*compare)
    assert done.returncode == 0, done.stderr
    assert "netlib" not in done.stderr
    begun = [line.split()[0] for line in done.stdout.splitlines() if "   RMSE " in line][:4]
    assert begun == ["scan", "sequential", "distributed_scan", "distributed"]
    assert "Every engine gives the same answer: RMSE agrees to" in done.stdout
    done = tandem(*advise)
    assert done.returncode == 3
    assert "nothing to judge by -> tandem sweep" in done.stderr
    assert len(runs("run")) == 5


@pytest.mark.slow
@pytest.mark.usefixtures("place")
def test_the_python(capsys: pytest.CaptureFixture[str]) -> None:
    frame = houses()
    frame.to_csv("houses.csv", index=False)
    names = {"frame": frame.drop(columns="price")}
    exec(PYTHON, names)  # noqa: S102 - the README's
    assert len(names["predicted"]) == 90
    assert "scan" in capsys.readouterr().out
