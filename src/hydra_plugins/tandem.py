"""Where Hydra looks for plugins; a namespace that others share, so without an `__init__.py`."""

from tandem.sweeps import ProcessLauncher

__all__ = ["ProcessLauncher"]
