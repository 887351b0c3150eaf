"""What the machine lacks ends with status 4 and the next step, not as a fault of ours."""

import errno
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tandem.machine import free_bytes, lacking


def no_memory() -> None:
    np.empty(10**18)


def no_file() -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "/work/big")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (no_memory, "memory: Unable to allocate .* -> engine=scan, which takes the least"),
        (no_file, "/work/big: No space left on device -> free disk space; TANDEM_CACHE"),
        (lambda: Path("/proc/x").mkdir(), None),
    ],
)
def test_what_has_run_out_is_named(fault: object, told: str | None) -> None:
    assert callable(fault)
    with pytest.raises((MemoryError, OSError)) as caught:
        fault()
    deeper = RuntimeError("something else")
    deeper.__cause__ = caught.value
    for error in (caught.value, deeper):
        found = lacking(error)
        if told is None:
            assert found is None
        else:
            assert found is not None
            assert found.status == 4
            assert re.search(told, str(found))
    assert lacking(ValueError("of ours")) is None


@pytest.mark.parametrize(
    ("code", "step"),
    [
        (errno.EDQUOT, "free disk space"),
        (errno.EROFS, "let this user write there"),
        (errno.EACCES, "let this user write there"),
        (errno.EMFILE, "ulimit -n"),
    ],
)
def test_an_error_of_the_system_tells_the_next_step(code: int, step: str) -> None:
    found = lacking(OSError(code, "said", "a/b"))
    assert found is not None
    assert str(found).startswith("a/b: said -> ")
    assert step in str(found)


def test_java_without_memory_names_its_key() -> None:
    found = lacking(RuntimeError("An error: java.lang.OutOfMemoryError: Java heap space"))
    assert "spark.driver_memory=8g" in str(found)


def test_a_limit_of_the_process_counts() -> None:
    assert 0 < free_bytes() <= psutil.virtual_memory().total
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 10**8, hard))
        assert free_bytes() <= 10**8
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.slow
@pytest.mark.usefixtures("place")
def test_a_table_that_cannot_fit_is_refused_before_it_is_read() -> None:
    rows = 4_000_000
    columns = {f"x{i}": pa.array(np.zeros(rows)) for i in range(30)}
    pq.write_table(pa.table({**columns, "y": np.zeros(rows)}), "t.parquet")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (3 * 10**9,) * 2); "
    start = "import sys; from tandem.__main__ import main; main()"
    words = ["t.parquet", "--target", "y", "engine=sequential"]
    done = subprocess.run(
        [sys.executable, "-c", limit + start, "run", *words],
        capture_output=True, text=True, check=False, timeout=120,
        env={"OPENBLAS_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    told = "engine=sequential: 4,000,000 rows of 31 numbers take 5.0 GB of memory at least, "
    assert told in done.stderr
    assert "-> engine=scan, which takes no more for more rows" in done.stderr


@pytest.mark.usefixtures("place")
def test_a_folder_that_is_gone_is_one_line(place: Path) -> None:
    gone = place / "gone"
    gone.mkdir()
    script = f"cd {gone} && rmdir {gone} && {sys.executable} -m tandem run engine=scan"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1].startswith("tandem: the working folder is not there")
