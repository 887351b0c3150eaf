"""Names that act on a terminal: they are spelled out, wherever they are printed."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shell import FEW, runs, tandem
from tests.tasks import houses

HOUSES = ("houses.csv", "--target", "price")
RED = "\x1b[31m\x07"


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("run", "engine=scan"), ("inspect",), ("run", "dataset.exclude=[no]"),
              ("compare", "compare.engines=[scan]"), ("sweep", "engine=scan", "folds.seed=1,2"),
              ("run", f"engine={RED}"), ("--help", RED), (f"ru{RED}n",)],
    ids=range(8),
)  # fmt: skip
def test_no_name_acts_on_the_terminal(place: Path, words: tuple[str, ...]) -> None:
    rows = [f"{x},{x % 7},{RED}{'ab'[x % 2]},{2 * x + x % 5}" for x in range(60)]
    name = f"a{RED}.csv"
    (place / name).write_text("\n".join([f"x,z{RED},c,y{RED}", *rows]) + "\n", encoding="utf-8")
    task = (name, "--target", f"y{RED}", "folds.k=2", "model.reg_param=[0.1]")
    own = {"inspect": task[:3], "run": task, "compare": task, "sweep": task}.get(words[0], ())
    done = tandem(words[0], *own, *words[1:])
    printed = done.stdout + done.stderr
    assert not [one for one in printed if one < " " and one not in "\n\t"], printed
    # A comparison and a sweep name no column.
    assert ("\\x1b" in printed) == (words[0] not in ("compare", "sweep")), printed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "status", "kept"),
    [(("run", *HOUSES, *FEW, "engine=scan"), 0, 1), (("inspect", *HOUSES), 0, 0),
     (("compare", *HOUSES, *FEW, "compare.engines=[scan]"), 0, 1),
     (("run", "houses.csv", "--target=no"), 3, 0), (("--help",), 0, 0)],
    ids=range(5),
)  # fmt: skip
def test_a_reader_that_leaves_takes_nothing_with_it(
    place: Path, words: tuple[str, ...], status: int, kept: int
) -> None:
    """As `tandem run ... | head -1`: what is asked for is done, with its status."""
    houses().to_csv(place / "houses.csv", index=False)
    reader, writer = os.pipe()
    os.close(reader)
    typed = [sys.executable, "-m", "tandem", *words]
    done = subprocess.run(typed, stdout=writer, stderr=writer, timeout=300, check=False)
    os.close(writer)
    assert done.returncode == status
    assert [run.info.status for run in runs("run")] == ["FINISHED"] * kept


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shell", "status", "says"),
    [("<&- >&- 2>&-", 0, ""), ("> /dev/full", 4, "standard output: No space left on device -> "),
     ("> out.txt", 0, "")],
)  # fmt: skip
def test_a_run_is_recorded_whatever_its_streams_are(
    place: Path, shell: str, status: int, says: str
) -> None:
    houses().to_csv(place / "houses.csv", index=False)
    words = shlex.join([sys.executable, "-m", "tandem", "run", *HOUSES, *FEW, "engine=scan"])
    done = subprocess.run(
        ["bash", "-c", f"{words} {shell}"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == status
    assert says in done.stderr
    assert "Error" not in done.stderr
    assert [run.info.status for run in runs("run")] == ["FINISHED"]


def test_a_pipe_is_no_table(place: Path) -> None:
    done = tandem("run", "/dev/stdin", "--target", "price", "engine=scan")
    assert done.returncode == 3
    assert "/dev/stdin: " in done.stderr
    os.mkfifo(place / "houses.csv")
    done = tandem("run", *HOUSES, "engine=scan")
    assert done.returncode == 3
    assert "houses.csv: a table is read more than once -> write it to a file" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_letters_that_an_encoding_lacks_end_nothing(place: Path, encoding: str) -> None:
    houses().to_csv(place / "houses.csv", index=False)
    done = tandem("inspect", *HOUSES, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert "price" in done.stdout


def test_flags_of_hydra_stand_anywhere(place: Path) -> None:
    houses().to_csv(place / "houses.csv", index=False)
    done = tandem("run", *HOUSES, "engine=scan", "--cfg", "job")
    assert done.returncode == 0, done.stderr
    assert "path: houses.csv" in done.stdout
