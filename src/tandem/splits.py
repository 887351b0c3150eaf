"""What every fold is trained on: rows are put into parts, a training set is some of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tandem.errors import DataError
from tandem.fold_keys import FoldKind, Folds
from tandem.records import Array, Mask


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """`training[f]`: the parts that fold f is trained on, shape (k + 1, parts); last, all rows.

    Part f is what fold f is tested on; the parts after the first k are tested by none. `holdout`:
    the part that nothing is trained on; None: there is none.
    """

    training: Mask
    holdout: int | None = None

    @classmethod
    def of(cls, folds: Folds) -> "Splits":
        """Those that `folds` asks for."""
        training = _others(folds.k)
        if folds.kind is FoldKind.TIME:
            training[:-1] = np.tri(folds.k, k=-1, dtype=bool)  # what was before
        if folds.kind in {FoldKind.COLUMN, FoldKind.TIME}:
            training = np.column_stack([training, np.ones(len(training), dtype=bool)])
        if not folds.holdout:
            return cls(training)
        training = np.column_stack([training, np.zeros(len(training), dtype=bool)])
        return cls(training, training.shape[1] - 1)

    @classmethod
    def plain(cls, k: int) -> "Splits":
        """Each of k parts is held out of all others."""
        return cls(_others(k))

    @property
    def k(self) -> int:
        """Folds."""
        return len(self.training) - 1

    @property
    def parts(self) -> int:
        """What rows are put into."""
        return int(self.training.shape[1])

    def fitted(self, *, on_all: bool) -> Mask:
        """Those that the cleaning is fitted on: `training`, or its last."""
        return self.training[-1:] if on_all else self.training

    @property
    def all_others(self) -> bool:
        """Whether every fold is trained on all parts but its own."""
        return bool(np.array_equal(self.training, _others(self.parts)))

    def n_train(self, rows: Sequence[float]) -> tuple[float, ...]:
        """Rows that every fold is trained on; `rows`: of every part."""
        found = self.training[:-1] @ np.asarray(rows)
        return tuple(found.tolist())

    def sums(self, parts: Array) -> Array:
        """The sum of the parts of every training set, shape (k + 1, ...), of shape (parts, ...)."""
        flat = self.training.astype(np.float64) @ parts.reshape(self.parts, -1)
        return flat.reshape(-1, *parts.shape[1:])


def check_folds(rows: Sequence[int], folds: Folds) -> None:
    """Raise DataError where a fold got no row, so that no metric is taken of nothing.

    `rows`: used ones of every part of `Splits.of(folds)`.
    """
    if folds.holdout:
        *rows, held_out = rows
        if not held_out:
            raise DataError(
                f"folds.holdout: {folds.holdout:g}: holds none of {sum(rows)} used rows out -> "
                "raise it, or folds.holdout=0"
            )
    used, n_test = sum(rows), rows[: folds.k]
    if used < 2:
        raise DataError(f"{used} rows with a target are used: nothing can be held out -> more rows")
    if folds.k > used:
        raise DataError(
            f"folds.k: {folds.k}: more folds than the {used} rows used -> choose folds.k <= {used}"
        )
    if folds.kind is FoldKind.TIME and not rows[folds.k]:
        raise DataError(
            f"folds.k: {folds.k}: no used row is before those that fold 0 is tested on -> "
            f"{_fewer(folds)}"
        )
    empty = [fold for fold, count in enumerate(n_test) if count == 0]
    if empty:
        raise DataError(
            f"folds.k: {folds.k}: fold {empty[0]} is empty with {used} rows used -> {_fewer(folds)}"
        )


def _fewer(folds: Folds) -> str:
    """What to do about an empty fold."""
    if folds.kind is FoldKind.KFOLD:
        return "choose fewer folds, a smaller folds.block, or another folds.seed"
    if folds.kind is FoldKind.GROUP:
        return (
            "choose fewer folds, another folds.seed, or a column of more values than "
            f"'{folds.column}'"
        )
    if folds.kind is FoldKind.TIME:
        return f"choose fewer folds, or another column than '{folds.column}'"
    return f"every value of '{folds.column}' needs rows that are used"


def _others(k: int) -> Mask:
    """Of every part all others, then of all rows all."""
    found: Mask = np.vstack([~np.eye(k, dtype=bool), np.ones((1, k), dtype=bool)])
    return found
