"""Spark's own keys, as our settings fill them."""

from collections.abc import Mapping
from pathlib import Path

from tandem.settings import SparkSettings
from tandem.spark.masters import inside, on_this_machine

_LOGGING = Path(__file__).with_name("log4j2.properties")
SHUFFLE = "spark.sql.shuffle.partitions"

# Where executors are other processes. What stops without a word is given up after a minute, and
# a task that takes much longer than the others is begun once more elsewhere: the first result
# counts, and it is the same.
_REMOTE = {
    "spark.network.timeout": "60s",
    "spark.network.timeoutInterval": "15s",
    "spark.speculation": "true",
    "spark.speculation.quantile": "0.5",
    "spark.speculation.multiplier": "3",
    "spark.speculation.minTaskRuntime": "10s",
    # A task that is given up ends, with its Python worker.
    "spark.task.reaper.enabled": "true",
}


def conf_keys(settings: SparkSettings) -> Mapping[str, str]:
    """Spark's keys and values for `settings`; what stands in `settings.conf` wins."""
    conf = {
        "spark.driver.memory": settings.driver_memory,
        "spark.executor.memory": settings.executor_memory,
        "spark.sql.adaptive.enabled": str(settings.adaptive).lower(),
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_LOGGING.as_uri()}",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Else a damaged page is read, and figures change without a word.
        "spark.hadoop.parquet.page.verify-checksum.enabled": "true",
        # `a` and `A` are two columns, as everywhere else.
        "spark.sql.caseSensitive": "true",
        # Counting the jobs and tasks of a long cross-validation needs all of them kept.
        "spark.ui.retainedJobs": "1000000",
        "spark.ui.retainedStages": "1000000",
    }
    if on_this_machine(settings.master):
        conf |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    if not inside(settings.master):
        conf |= _REMOTE
    if (cores := settings.executor_cores) is not None:
        conf["spark.executor.cores"] = str(cores)
    if (instances := settings.executor_instances) is not None:
        conf["spark.executor.instances"] = str(instances)
        # A standalone master goes by cores.
        conf["spark.cores.max"] = str(instances * (cores or 1))
    return conf | dict(settings.conf)
