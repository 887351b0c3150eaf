"""What a run imports before its answer stands; seconds are measured by experiments/start-up."""

import subprocess
import sys
from pathlib import Path

from tests.tasks import houses

ANSWER = """
import sys
from tandem.commands.run import measure
from tandem.config import compose, words
typed = ["dataset=files", "dataset.path=houses.csv", "dataset.target=price", "engine=scan"]
task = compose(*words([*typed, "dataset.dates={told: '%m-%d-%Y'}", "cleaning.cyclic=true"]))
print(measure(task.settings, say=False).text())
slow = {"mlflow", "pandas", "sklearn", "matplotlib", "pyspark"}
print("imported:", *sorted(slow & {*sys.modules}))
"""


def test_nothing_slow_is_imported_before_the_answer_of_scan(tmp_path: Path) -> None:
    """Of a CSV file with gaps, categories, dates and times, over a grid with a lasso."""
    days = [f"2020-{1 + row % 12:02}-{1 + row % 28:02}" for row in range(90)]
    times, told = [f"12:{row % 60:02}" for row in range(90)], [f"{day[5:]}-2020" for day in days]
    sold = [f"{day} {time}Z" for day, time in zip(days, times, strict=True)]
    table = houses().assign(built=days, time=times, told=told, sold=sold)
    table.to_csv(tmp_path / "houses.csv", index=False)
    done = subprocess.run(
        [sys.executable, "-c", ANSWER], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "RMSE" in done.stdout
    assert done.stdout.splitlines()[-1] == "imported:"
