"""The machine and the libraries that a figure was measured with."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_LIBRARIES = ("scikit-learn", "pandas", "numpy", "pyarrow", "pyspark", "mlflow", "tandem")


def machine_facts() -> dict[str, str]:
    """Processor, cores, memory and system, then every version that matters: texts by name."""
    import psutil  # noqa: PLC0415 - Spark's workers need not have it

    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in _LIBRARIES},
    }


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def machine_name() -> str:
    """Cores and processor: what runs must share for their times to be compared."""
    return f"{os.cpu_count()} x {processor()}"


def processor() -> str:
    """The name of the processor as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
