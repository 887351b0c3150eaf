"""The libraries that a task needs, sent to executors whose Python lacks them or has others."""

from hashlib import sha256
from importlib.metadata import PackagePath, files, version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

from tandem.machine import published

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LIBRARIES = ("numpy", "scipy", "pyarrow", "narwhals", "threadpoolctl")
_FOLDER = "tandem-libraries"  # as executors unpack it
_IDLE = ("tests", "include", "..")  # folders that no task reads


def ship_libraries(session: "SparkSession") -> None:
    """Make new Python workers import LIBRARIES from a copy of this process's.

    They must be for the same minor version of Python, and the same kind of machine. Raises
    MachineError where the copy cannot be written to the cache folder.
    """
    named = [f"{name} {version(name)}" for name in LIBRARIES]
    digest = sha256(repr(named).encode()).hexdigest()[:16]
    found = [path for name in LIBRARIES for path in files(name) or () if _is_needed(path)]
    places = {str(path): Path(str(path.locate())) for path in found}
    archive = f"libraries-{digest}.zip"

    def build(folder: Path) -> dict[str, Any]:
        with ZipFile(folder / archive, "w", ZIP_DEFLATED, compresslevel=1) as whole:
            for name, path in places.items():
                whole.write(path, name)
        return {"libraries": named}

    size = sum(path.stat().st_size for path in places.values())
    folder = published(f"libraries-{digest}", size, build)
    context = session.sparkContext
    context.addArchive(f"{folder / archive}#{_FOLDER}")
    includes = context._python_includes  # noqa: SLF001 - addPyFile takes no folder
    includes.append(_FOLDER)  # type: ignore[union-attr]  # it is a list
    # A worker with another environment is a new one, which has imported nothing yet.
    context.environment["TANDEM_LIBRARIES"] = digest


def _is_needed(path: PackagePath) -> bool:
    return not {*_IDLE} & {*path.parts} and path.suffix not in {".pyc", ".pyi", ".pxd"}
