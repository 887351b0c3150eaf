"""The configuration: every key with its type and rule, and the values that follow from it."""

from tandem.config.composed import (
    config_hash,
    configuration_folder,
    flatten,
    hide_secrets,
    settings,
    source,
    sweep_keys,
    task,
    to_yaml,
)
from tandem.config.rules import Command
from tandem.config.schema import Settings, SweepKeys

__all__ = [
    "Command",
    "Settings",
    "SweepKeys",
    "config_hash",
    "configuration_folder",
    "flatten",
    "hide_secrets",
    "settings",
    "source",
    "sweep_keys",
    "task",
    "to_yaml",
]
