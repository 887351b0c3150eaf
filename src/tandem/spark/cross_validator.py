"""The metrics of every fold out of Spark's own cross-validation, which averages them away."""

from unittest.mock import patch

from pyspark.ml.tuning import CrossValidator
from pyspark.sql import DataFrame


class _Measured(Exception):  # noqa: N818 - carries a result, reports no error
    def __init__(self, metrics: list[list[list[float]]]) -> None:
        super().__init__()
        self.metrics = metrics


def fold_metrics(validator: CrossValidator, frame: DataFrame) -> list[list[list[float]]]:
    """metrics[fold][point] = the evaluator's metrics, out of Spark's own cross-validation.

    CrossValidator averages them away and then refits. This takes them where it would average,
    and leaves the refit to the stage that is timed as such. Raises AssertionError where another
    version of Spark averages elsewhere.
    """

    def take(metrics: list[list[list[float]]]) -> None:
        raise _Measured(metrics)

    with patch.object(CrossValidator, "_gen_avg_and_std_metrics", staticmethod(take)):
        try:
            validator.fit(frame)
        except _Measured as measured:
            return measured.metrics
    raise AssertionError("CrossValidator no longer averages by _gen_avg_and_std_metrics")
