"""One cross-validated regression pipeline, several engines, one proven answer.

    import tandem
    result = tandem.run("houses.csv", target="price", engine="scan")

`run`, `compare`, `advise`, `inspect`, `sweep`, `runs` and `load` do what the commands do; see
`tandem.api`.
"""

from typing import Any

__version__ = "0.1.0"
__all__ = ["advise", "compare", "inspect", "load", "run", "runs", "sweep"]


def __getattr__(name: str) -> Any:
    """The functions of `tandem.api`, imported when the first of them is asked for."""
    if name in __all__:
        from importlib import import_module  # noqa: PLC0415 - `import tandem` stays light

        return getattr(import_module("tandem.api"), name)
    raise AttributeError(f"module 'tandem' has no attribute {name!r}")
