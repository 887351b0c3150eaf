"""The flights pipeline as it is usually written: pandas and scikit-learn in one script.

Prints seconds by stage and the mean held-out RMSE of every grid point as JSON.
"""

import argparse
import json
import time

import numpy as np
import pandas as pd
from sklearn.linear_model import ElasticNet, Ridge
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

TARGET = "dep_delay"
EXCLUDE = ["dep_time", "arr_time", "arr_delay", "air_time", "time_hour"]
DROP_COLUMN_ABOVE, DROP_ROWS_BELOW = 0.60, 0.05
FOLDS = 3
GRID = [(reg, ratio) for reg in (0.1, 0.01) for ratio in (0.0, 0.5, 1.0)]


def clean(frame: pd.DataFrame) -> pd.DataFrame:
    """Drop sparse columns and, where few cells are missing, rows; missing text is a category."""
    missing = frame.drop(columns=TARGET).select_dtypes("number").isna().mean()
    sparse = missing.index[missing > DROP_COLUMN_ABOVE]
    required = missing.index[(missing > 0) & (missing <= DROP_ROWS_BELOW)]
    frame = frame.drop(columns=sparse).dropna(subset=[TARGET, *required]).reset_index(drop=True)
    text = frame.columns.difference(frame.select_dtypes("number").columns)
    frame[text] = frame[text].fillna("(missing)")
    return frame


def encode(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Numbers: the training mean for a missing one. Text: the rank by frequency in training."""
    train, test = train.drop(columns=TARGET), test.drop(columns=TARGET)
    numeric = train.select_dtypes("number").columns
    means = train[numeric].mean()
    train[numeric], test[numeric] = train[numeric].fillna(means), test[numeric].fillna(means)
    for name in train.columns.difference(numeric):
        levels = train[name].value_counts().index
        rank = pd.Series(np.arange(len(levels)), index=levels)
        train[name] = train[name].map(rank)
        test[name] = test[name].map(rank).fillna(len(levels))
    return train, test


def estimator(reg: float, ratio: float, y: pd.Series, *, precompute: bool) -> Ridge | ElasticNet:
    """Spark ML's penalties in scikit-learn's words, for standardised features."""
    l1, l2 = reg * ratio, reg * (1 - ratio) / y.std(ddof=0)
    if l1 == 0:
        return Ridge(alpha=len(y) * l2)
    return ElasticNet(alpha=l1 + l2, l1_ratio=l1 / (l1 + l2), precompute=precompute)


def main() -> None:
    """Load, clean, cross-validate the grid, refit the winner."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="the flights as Parquet")
    parser.add_argument("--precompute", action="store_true", help="ElasticNet(precompute=True)")
    options = parser.parse_args()
    threadpool_limits(1)

    clock = [time.perf_counter()]
    frame = pd.read_parquet(options.path).drop(columns=EXCLUDE)
    clock.append(time.perf_counter())

    frame = clean(frame)
    fold = np.random.default_rng(0).permutation(len(frame)) % FOLDS
    clock.append(time.perf_counter())

    rmse = np.empty((FOLDS, len(GRID)))
    for k in range(FOLDS):
        train, test = frame[fold != k], frame[fold == k]
        x_train, x_test = encode(train, test)
        scaler = StandardScaler().fit(x_train)
        x_train, x_test = scaler.transform(x_train), scaler.transform(x_test)
        y_train, y_test = train[TARGET], test[TARGET]
        for g, (reg, ratio) in enumerate(GRID):
            model = estimator(reg, ratio, y_train, precompute=options.precompute)
            error = y_test - model.fit(x_train, y_train).predict(x_test)
            rmse[k, g] = np.sqrt(np.mean(error**2))
    clock.append(time.perf_counter())

    x, _ = encode(frame, frame[:0])
    x, y = StandardScaler().fit_transform(x), frame[TARGET]
    winner = GRID[int(rmse.mean(axis=0).argmin())]
    estimator(*winner, y, precompute=options.precompute).fit(x, y)
    clock.append(time.perf_counter())

    seconds = dict(zip(("load", "clean", "train", "refit"), np.diff(clock).tolist(), strict=True))
    print(json.dumps({"seconds": seconds, "rmse_mean": rmse.mean(axis=0).tolist()}))


if __name__ == "__main__":
    main()
