"""What a terminal shows while an engine works, and that nothing else shows it."""

import io
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from tandem.commands.run import execute
from tandem.machine.timing import Stopwatch
from tandem.progress import Display
from tandem.records import Advance, Task
from tests.tasks import make_task, synthetic

RATE = r"[\d.]+[kMG]? rows/s"


def terminal(width: int = 80) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, legacy_windows=False)


def shown(console: Console) -> str:
    """Everything written, without the escape sequences that move and colour it."""
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", console.file.getvalue())


def last_lines(console: Console) -> list[str]:
    """What stays on the screen, as far as carriage returns tell."""
    lines = shown(console).replace("\r", "\n").splitlines()
    return [line.strip() for line in lines if line.strip()]


def table(folder: Path, *overrides: str) -> Task:
    synthetic(folder, rows=3000, seed=1, files=3)
    for path in sorted(folder.glob("*.parquet")):
        pq.write_table(pq.read_table(path), path, row_group_size=340)
    return make_task("dataset=files", f"dataset.path={folder}", "dataset.target=y", *overrides)


def test_a_scan_is_a_bar_over_rows_with_rows_per_second(tmp_path: Path) -> None:
    console = terminal()
    task = table(tmp_path, "scores.mae=true")
    execute(task, "scan", Stopwatch(), Display("scan", console))
    lines = last_lines(console)
    for stage in ("cleaning", "cross-validating"):  # the moments; the absolute errors
        pattern = rf"scan: {stage} ━+ 3,000/3,000 rows {RATE} \d:\d\d:\d\d"
        assert [line for line in lines if re.fullmatch(pattern, line)], (stage, lines)


@pytest.mark.engines("sequential", "scan")
def test_the_fits_are_a_bar(tmp_path: Path, engine: str) -> None:
    console = terminal()
    task = table(tmp_path)
    execute(task, engine, Stopwatch(), Display(engine, console))
    assert re.search(rf"{engine}: cross-validating ━+ 18/18 fits +\d:\d\d:\d\d", shown(console))


@pytest.mark.parametrize("threads", [1, 3])
def test_every_row_is_told_once_per_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    task = replace(table(tmp_path, "scores.mae=true"), threads=threads)
    told: list[tuple[str, int, list[int]]] = []

    def begin(_: Display, total: int, unit: str) -> Advance:
        told.append((unit, total, []))
        return told[-1][2].append

    monkeypatch.setattr(Display, "begin", begin)
    result = execute(task, "scan", Stopwatch(), Display("scan"))
    # NaN cuts the first scan short; then the cells are counted.
    cut, count, moments, fits, errors = told
    assert fits[:2] == ("fits", 18)
    assert sum(fits[2]) == 18
    for unit, total, _ in (cut, count, moments, errors):
        assert (unit, total) == ("rows", 3000)
    assert sum(cut[2]) < 3000
    groups = [pq.ParquetFile(file.path).metadata for file in task.dataset.files]
    rows = [group.row_group(i).num_rows for group in groups for i in range(group.num_row_groups)]
    for _, _, parts in (count, moments, errors):
        assert parts == rows
    assert result.facts.scans == 4


@pytest.mark.slow
@pytest.mark.usefixtures("one_session")
def test_the_tasks_of_spark_are_a_bar(tmp_path: Path) -> None:
    console = terminal()
    execute(table(tmp_path), "distributed_scan", Stopwatch(), Display("distributed_scan", console))
    bars = re.findall(r"distributed_scan: cleaning ━+ (\d+)/(\d+) tasks", shown(console))
    assert bars
    done, all_ = bars[-1]
    assert done == all_


def test_a_line_fits_80_characters_at_a_hundred_million_rows() -> None:
    console = terminal()
    display = Display("scan", console)
    with display.stage("cross-validating"):
        display.begin(100_000_000, "rows")(99_999_999)
    line = last_lines(console)[-1]
    assert len(line) <= 80
    assert re.fullmatch(
        rf"scan: cross-validating ━* *━* ?99,999,999/100,000,000 rows {RATE} 0:00:00",
        line.replace("╸", "━"),
    )


def test_the_bar_of_a_stage_is_gone_in_the_next() -> None:
    console = terminal()
    display = Display("scan", console)
    with display.stage("cleaning"):
        display.begin(10, "rows")(10)
    with display.stage("refitting the winner"):
        pass
    assert not re.search(r"refitting the winner.*rows", shown(console))
    display.begin(10, "rows")(1)  # outside any stage: nothing to show it in


def test_where_nobody_looks_nothing_is_written(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), force_terminal=False)
    execute(table(tmp_path), "scan", Stopwatch(), Display("scan", console))
    assert shown(console) == ""


COMMAND = """
import sys
from tests.tasks import drive, make_task
drive("scan", make_task("dataset=files", f"dataset.path={sys.argv[1]}", "dataset.target=y"))
"""


def test_on_a_pseudo_terminal(tmp_path: Path) -> None:
    """Standard error of a process of its own; standard output stays empty."""
    table(tmp_path / "data")
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(tmp_path / "data")],
        stderr=theirs,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        timeout=120,
        check=True,
    )
    os.close(theirs)
    text = b""
    try:
        while part := os.read(ours, 65536):
            text += part
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(ours)
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", text.decode())
    assert done.stdout == b""
    assert re.search(rf"scan: cleaning ━+ 3,000/3,000 rows {RATE}", plain), plain
