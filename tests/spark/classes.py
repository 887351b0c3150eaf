"""Programs of Spark's own, each a JVM."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pyspark

from tandem.spark.java import java_home


def spark_class(
    *words: str,
    folder: Path | None = None,
    log: IO[bytes] | int = subprocess.DEVNULL,
    before: Sequence[str] = (),
    **environment: str,
) -> "subprocess.Popen[bytes]":
    """Start the class that is the first of `words`, with the words `before` the command."""
    if home := java_home():
        environment["JAVA_HOME"] = str(home)
    start = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
    return subprocess.Popen(
        [*before, start, *words], env=os.environ | environment, cwd=folder, stdout=log, stderr=log
    )
