"""Where Hydra looks for plugins; a namespace that others share, so without an `__init__.py`."""

from tandem.sweep import ProcessLauncher

__all__ = ["ProcessLauncher"]
