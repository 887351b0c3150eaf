"""The configuration: composed by Hydra, checked, and in every form that it is used in."""

from tandem.config.composed import (
    Configuration,
    compose,
    config_hash,
    configuration,
    hide_secrets,
    search_path,
    settings,
    sweep_keys,
    task,
)
from tandem.config.typed import UNREAD, flags_first, in_our_words, quoted, spelled, words
from tandem.config.unread import refuse_unread

__all__ = [
    "UNREAD",
    "Configuration",
    "compose",
    "config_hash",
    "configuration",
    "flags_first",
    "hide_secrets",
    "in_our_words",
    "quoted",
    "refuse_unread",
    "search_path",
    "settings",
    "spelled",
    "sweep_keys",
    "task",
    "words",
]
