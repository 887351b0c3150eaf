"""Work that Spark's Python workers do, with these sources and these libraries, in tasks."""

import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile, ZipInfo

import tandem
from tandem.errors import MachineError
from tandem.machine import published
from tandem.settings import SparkSettings
from tandem.spark.connect import is_remote
from tandem.spark.executors import explained
from tandem.spark.libraries import ship_libraries
from tandem.spark.masters import inside
from tandem.spark.results import results_in_order

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_NO_PROGRAM = "Cannot run program"  # as Java says that there is no such Python
_log = logging.getLogger("tandem")


def ship_package(session: "SparkSession") -> None:
    """Make the workers import tandem from a copy of these sources, installed there or not.

    Raises MachineError where the copy cannot be written to the cache folder.
    """
    package = Path(tandem.__file__).parent
    names = (path.relative_to(package) for path in sorted(package.rglob("*.py")))
    # The wheel carries conf/ and experiments/ along; no task needs them.
    wanted = [name for name in names if name.parts[0] not in {"conf", "experiments"}]
    sources = {f"tandem/{name.as_posix()}": (package / name).read_bytes() for name in wanted}
    digest = sha256(repr(sources).encode()).hexdigest()[:16]

    def build(folder: Path) -> dict[str, Any]:
        with ZipFile(folder / f"tandem-{digest}.zip", "w") as archive:
            for name, content in sources.items():
                archive.writestr(ZipInfo(name), content)  # no date: equal sources, equal bytes
        return {"files": [*sources]}

    folder = published(f"code-{digest}", sum(map(len, sources.values())), build)
    archive = str(folder / f"tandem-{digest}.zip")
    if is_remote(session):
        session.addArtifacts(archive, pyfile=True)
    else:
        session.sparkContext.addPyFile(archive)


def start_workers(
    session: "SparkSession",
    settings: SparkSettings,
    versions: Callable[[Iterable[object]], Iterator[dict[str, str]]],
    workers: int,
) -> None:
    """Start `workers` Python workers, which import on the way what `versions` needs.

    `versions`: yields the version of every library that results depend on, by name. Executors that
    lack one, or have another version, with which answers would not be the same bits, are sent this
    process's. Raises MachineError where that does not help.
    """
    master = settings.master
    lack = _lack(session, master, versions, workers)
    if lack and not lack.startswith(_NO_PROGRAM) and not (inside(master) or is_remote(session)):
        _log.warning("tandem: the executors' Python: %s -> it is sent our libraries", lack)
        ship_libraries(session)
        lack = _lack(session, master, versions, workers)
    if lack:
        raise MachineError(
            f"spark.master: {master}: the executors' Python: {lack} -> name one that they have, "
            f"of version {sys.version_info.major}.{sys.version_info.minor}: spark.python=python3"
        )


def _lack(
    session: "SparkSession",
    master: str,
    versions: Callable[[Iterable[object]], Iterator[dict[str, str]]],
    workers: int,
) -> str:
    """What is wrong with the Python of the executors, in words; nothing where all is well.

    Raises MachineError where it is the cluster that is gone.
    """
    from py4j.protocol import Py4JError  # noqa: PLC0415 - comes with pyspark
    from pyspark.errors import PySparkException  # noqa: PLC0415 - heavy

    here = next(versions(()))
    try:
        # The way that the results of a scan take, so that Java knows it when the scan begins.
        found = [*results_in_order(session, versions, range(workers), lambda _: None)]
    except (PySparkException, Py4JError) as error:
        lines = str(error).splitlines()
        told = [line for line in lines if re.search(f"{_NO_PROGRAM}|Error:", line)]
        if not told and (gone := explained(error, master)):
            raise gone from error
        return " ".join((told or lines)[-1].rpartition("Exception: ")[2].split())
    others = (sorted({*there.items()} - {*here.items()}) for there in found if there != here)
    return ", ".join(f"{name} {number}" for name, number in next(others, ()))
