"""Spark: a Java, a session, workers with this package, rows as frames, its cross-validation."""

from tandem.spark.connect import by_connect
from tandem.spark.executors import explained
from tandem.spark.facts import cores, partitions
from tandem.spark.local_cluster import LocalCluster, local_cluster
from tandem.spark.results import Sums, results_in_order
from tandem.spark.start import end_session, session_facts, start_session
from tandem.spark.workers import ship_package, start_workers

__all__ = [
    "LocalCluster",
    "Sums",
    "by_connect",
    "cores",
    "end_session",
    "explained",
    "local_cluster",
    "partitions",
    "results_in_order",
    "session_facts",
    "ship_package",
    "start_session",
    "start_workers",
]
