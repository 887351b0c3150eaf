"""Many jobs under one parent, each in a process of its own."""

from tandem.sweep.launcher import ProcessLauncher

__all__ = [
    "ProcessLauncher",
]
