"""Linear regression by the scan engine, and by those that it is compared with."""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.linear_model import LinearRegression

from tandem.commands.run import answer
from tandem.config import compose
from tandem.records import Array
from tandem.results import Result

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OLS = ("model.reg_param=[0]", "model.elastic_net_param=[0]")

Solver = Callable[[Array, Array], Array]


def scan(table: pa.Table, *overrides: str) -> Result:
    """The scan engine on a table with target y, without a penalty."""
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(table, Path(folder) / "a.parquet")
        data = ("dataset=files", f"dataset.path={folder}", "dataset.target=y")
        words = (*data, "cache.moments=false", *OLS, "folds.k=2", *overrides)
        return answer(compose(*words).settings, "scan")


def coefficients(result: Result, features: Iterable[str]) -> Array:
    """Intercept, then slopes."""
    return np.array([result.model.intercept, *(result.model.coefficients[f] for f in features)])


def lstsq(x: Array, y: Array) -> Array:
    solution: Array = np.linalg.lstsq(np.column_stack([np.ones(len(y)), x]), y)[0]
    return solution


def plain_gram(x: Array, y: Array) -> Array:
    """Normal equations of the raw columns: neither shifted nor centred."""
    design = np.column_stack([np.ones(len(y)), x])
    try:
        solution: Array = np.linalg.solve(design.T @ design, design.T @ y)
    except np.linalg.LinAlgError:
        return np.full(design.shape[1], np.nan)
    return solution


def sklearn(**arguments: float) -> Solver:
    def solve(x: Array, y: Array) -> Array:
        fitted = LinearRegression(**arguments).fit(x, y)
        return np.array([fitted.intercept_, *fitted.coef_])

    return solve


def spark(session: "SparkSession") -> Solver:
    """Spark ML's LinearRegression as it comes, without a penalty."""

    def solve(x: Array, y: Array) -> Array:
        from pyspark.ml.feature import VectorAssembler
        from pyspark.ml.regression import LinearRegression as SparkRegression

        names = [f"x{j}" for j in range(x.shape[1])]
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "a.parquet")
            pq.write_table(pa.table([*x.T, y], [*names, "y"]), path)
            frame = VectorAssembler(inputCols=names, outputCol="x").transform(
                session.read.parquet(path)
            )
            fitted = SparkRegression(featuresCol="x", labelCol="y", regParam=0.0).fit(frame)
        return np.array([fitted.intercept, *fitted.coefficients.toArray()])

    return solve


def predicting(solve: Solver) -> Callable[[Array, Array, Array], Array]:
    """What `solve` makes of training rows and their target, at other rows."""

    def predict(x: Array, y: Array, others: Array) -> Array:
        intercept, *slopes = solve(x, y)
        found: Array = others @ np.array(slopes) + intercept
        return found

    return predict


def standardised(x: Array, y: Array, others: Array) -> Array:
    """Normal equations of the columns less their means, over their deviations."""
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    z = (x - mean) / deviation
    slopes = np.linalg.solve(z.T @ z, z.T @ (y - y.mean()))
    found: Array = (others - mean) / deviation @ slopes + y.mean()
    return found
