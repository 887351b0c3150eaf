"""`tandem inspect` as a user types it: text, page and status, without a run of any kind."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import tandem as product
from tests.shell import runs, tandem
from tests.tasks import houses


def test_a_table_is_told_of_on_the_terminal_and_as_a_page(place: Path) -> None:
    houses().assign(twice=lambda t: 2 * t["price"], id=range(90)).to_csv("houses.csv", index=False)
    done = tandem("inspect", "houses.csv", "--target", "price")
    assert (done.returncode, done.stderr) == (0, "")
    title, *lines = done.stdout.splitlines()
    assert title == "houses: 90 rows, 6 columns; target price"
    rows = {line.split()[0]: line for line in lines if line.strip()}
    assert {"price", "area", "rooms", "city", "twice", "id"} <= rows.keys()
    assert re.search(r"integer +0 +5 +1 \.\. [\d.]+ \.\. 5 sd", rows["rooms"])
    assert "a 0/1 feature per level" in rows["city"]
    assert "\u2588" in rows["area"]
    assert "twice alone explains 100.0% of the target" in done.stdout
    assert "id counts the rows" in done.stdout
    page = place / "inspect-houses.html"
    assert lines[-1].split() == ["page", str(page)]
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 6
    assert "twice alone explains" in text
    assert "<script" not in text
    assert runs("run") == []
    assert {path.name for path in place.iterdir()} == {page.name, "houses.csv", "mlflow.db"}


def test_names_and_levels_are_shown_as_they_are(place: Path) -> None:
    frame = houses().rename(columns={"area": "[red]<b>area"})
    frame["city"] = "<script>\x07[/]"
    frame.to_csv("odd name!.csv", index=False)
    done = tandem("inspect", "odd name!.csv")
    assert done.returncode == 0, done.stderr
    assert "[red]<b>area" in done.stdout
    assert "\x07" not in done.stdout
    page = (place / "inspect-odd-name-.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "no target given" in done.stdout
    assert "corr" not in done.stdout


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    "words",
    [
        ("nowhere.csv", "--target", "price"),
        ("houses.csv", "--target", "prise"),
        ("houses.csv", "--target", "city"),
        ("houses.csv", "--target", "price", "dataset.exclude=[flat]"),
        ("houses.csv", "--target", "price", "cleaning.encodings={flat: target}"),
    ],
)
def test_bad_words_end_as_those_of_a_run(words: tuple[str, ...]) -> None:
    houses().to_csv("houses.csv", index=False)
    inspected, ran = tandem("inspect", *words), tandem("run", *words, "engine=scan")
    assert inspected.returncode == ran.returncode > 0
    assert inspected.stderr.splitlines()[-1] == ran.stderr.splitlines()[-1]
    assert inspected.stdout == ""


def test_what_is_of_no_use_is_refused(place: Path) -> None:
    done = tandem("inspect", "folds.k=5")
    assert done.returncode == 2
    assert "folds.k: 5: tandem inspect has no use for it -> tandem run" in done.stderr
    done = tandem("send", "houses.csv")
    assert done.returncode == 2
    assert "dataset.path: houses.csv: tandem send has no use for it -> tandem run" in done.stderr
    (place / "inspect-houses.html").mkdir()
    houses().to_csv("houses.csv", index=False)
    done = tandem("inspect", "houses.csv")
    assert done.returncode == 4
    assert "inspect-houses.html: cannot be written" in done.stderr
    assert done.stderr.count("\n") == 1


def test_nothing_slow_is_imported_and_no_process_is_begun(tmp_path: Path) -> None:
    houses().to_csv(tmp_path / "houses.csv", index=False)
    code = """
import sys
from tandem import application, beside
sys.argv[1:] = ["inspect", "houses.csv", "--target", "price"]
assert application.call() == 0
slow = {"mlflow", "pandas", "sklearn", "matplotlib", "pyspark"}
print("imported:", *sorted(slow & {*sys.modules}), len(beside._made))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "imported: 0"


def test_from_python() -> None:
    found = product.inspect(houses(), target="price")
    assert found.columns.loc["area", "mean"] == pytest.approx(houses()["area"].mean())
    assert found.columns.loc["city", "missing"] == houses()["city"].isna().sum()
    assert "area" in repr(found)
    assert "srcdoc" in found._repr_html_()
    assert product.inspect(houses()).columns["correlation"].isna().all()
