"""What `make` asks of a machine before it installs anything."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone that has nothing installed yet."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def refused(checkout: Path, *arguments: str, **environment: str) -> str:
    """What `make run` says in place of installing."""
    made = subprocess.run(
        ["make", "run", *arguments],
        cwd=checkout,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert made.returncode == 2
    assert not (checkout / ".venv").exists()
    return made.stderr


def test_a_disk_that_is_too_full_is_named(checkout: Path) -> None:
    df = checkout / "bin" / "df"
    df.parent.mkdir()
    df.write_text(
        "#!/bin/sh\necho Filesystem\necho /dev/sda 264241152 260163328 4077824 99% /srv\n"
    )
    df.chmod(0o755)
    said = refused(checkout, PATH=f"{df.parent}:{os.environ['PATH']}")
    assert "/srv has 3982 MB of disk left; installing takes 4 GB -> free some" in said


def test_a_python_that_is_too_old_is_refused(checkout: Path) -> None:
    old = checkout / "old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    said = refused(checkout, f"PYTHON={old}")
    assert "Python 3.11 or later is needed -> make PYTHON=/path/to/python3.11" in said
