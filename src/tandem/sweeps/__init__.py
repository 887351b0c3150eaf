"""Many jobs under one parent, each in a process of its own."""

from tandem.sweeps.launcher import ProcessLauncher

__all__ = [
    "ProcessLauncher",
]
