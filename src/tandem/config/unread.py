"""Keys that were typed and that nothing reads: an error, so that no one waits for an effect."""

from tandem.config.composed import Configuration
from tandem.engines import without_spark
from tandem.errors import ConfigurationError
from tandem.settings import Command


def refuse_unread(config: Configuration) -> None:
    """Raise ConfigurationError for the first word of `config` that this call does not read.

    Jobs of a sweep and engines of a comparison get the words of their parent: they are not asked.
    """
    if config.settings.tracking.parent_run_id is not None:
        return
    for word in config.words:
        key, _, value = word.lstrip("+~").partition("=")
        if why := _unread(key, config):
            raise ConfigurationError(f"{key}: {value}: {why}, or leave it out")


def _unread(key: str, config: Configuration) -> str:
    """Who reads `key` instead, and what to write; nothing where it is read."""
    command, engine = config.settings.command, config.settings.engine.name
    running, spark = command is Command.RUN, without_spark()
    faults = {
        "only a sweep reads it -> tandem sweep": key.startswith("sweep."),
        "only a comparison reads it -> tandem compare": (
            key.startswith("compare.") and command is not Command.COMPARE
        ),
        f"engine={engine} does not use Spark -> {' or '.join(map(_choice, spark))}": (
            running and key.startswith("spark.") and engine not in spark
        ),
        f"engine={engine} has no threads to set -> engine=scan": (
            running and key == "engine.threads" and engine != "scan"
        ),
        f"engine={engine} has no use for it -> engine=sequential": (
            running and key == "model.precompute" and engine != "sequential"
        ),
    }
    return next((text for text, at_fault in faults.items() if at_fault), "")


def _choice(engine: str) -> str:
    return f"engine={engine}"
