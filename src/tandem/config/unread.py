"""Keys that were typed and that nothing reads: an error, so that no one waits for an effect."""

from tandem.config.composed import Configuration
from tandem.errors import ConfigurationError
from tandem.registry import ENGINES
from tandem.settings import Command

# Of keys that only some engines read, by their beginning: what is said of one that does not.
_WHY = {
    "spark.": "does not use Spark",
    "engine.threads": "has no threads to set",
    "": "has no use for it",
}
# What an inspection reads.
_READ = {
    Command.INSPECT: ("dataset", "cleaning", "engine.threads", "command", "debug"),
    Command.SEND: ("tracking.uri", "command", "debug"),
    Command.SERVER: ("server.", "command", "debug"),
}


def refuse_unread(config: Configuration) -> None:
    """Raise ConfigurationError for the first word of `config` that this call does not read.

    Jobs of a sweep and engines of a comparison get the words of their parent: they are not asked.
    """
    if config.settings.tracking.parent_run_id is not None:
        return
    # A path stands for two words, of which it is the telling one.
    for word in sorted(config.words, key=lambda word: word == "dataset=files"):
        key, _, value = word.lstrip("+~").partition("=")
        if why := _unread(key, config):
            raise ConfigurationError(f"{key}: {value}: {why}, or leave it out")


def _unread(key: str, config: Configuration) -> str:
    """Who reads `key` instead, and what to write; nothing where it is read."""
    command, engine = config.settings.command, config.settings.engine.name
    if key == "model.reg_param" and (path := config.settings.model.path):
        return f"model.path={path} lays the penalties -> leave model.path out"
    if key.startswith("sweep."):
        return "only a sweep reads it -> tandem sweep"
    if command in _READ and not key.startswith(_READ[command]):
        return f"tandem {command} has no use for it -> tandem run"
    for reader, what in ((Command.COMPARE, "comparison"), (Command.SERVER, "server")):
        if key.startswith(f"{reader}.") and command is not reader:
            return f"only a {what} reads it -> tandem {reader}"
    readers = [f"engine={name}" for name, one in ENGINES.items() if key.startswith(one.reads)]
    if command is Command.RUN and readers and f"engine={engine}" not in readers:
        why = next(text for begin, text in _WHY.items() if key.startswith(begin))
        return f"engine={engine} {why} -> {' or '.join(readers)}"
    return ""
