"""What every fold is trained on: rows are put into parts, a training set is some of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from tandem.errors import DataError
from tandem.fold_keys import FoldKind, Folds
from tandem.mixing import mixed
from tandem.records import Array, Mask


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """`training[f]`: the parts that fold f is trained on, shape (folds + 1, parts); last, all rows.

    `tested[f]`: those that it is tested on, shape (folds, parts); of k consecutive folds no two are
    tested on the same. `holdout`: the part that nothing is trained on; None: there is none.
    """

    training: Mask
    tested: Mask
    k: int
    holdout: int | None = None

    @classmethod
    @cache
    def of(cls, folds: Folds) -> "Splits":
        """Those that `folds` asks for."""
        if folds.kind is FoldKind.TIME:
            training, tested = _in_time(folds)
        else:
            tested = np.vstack([_dealt(folds, repeat) for repeat in range(folds.repeats)])
            training = ~tested
        if folds.kind is FoldKind.COLUMN:  # rows that are in every training set
            training, tested = _beside(training, of=True), _beside(tested, of=False)
        everything = np.ones((1, training.shape[1]), dtype=bool)
        if folds.holdout and folds.gap_size[0]:
            everything[0, -1] = False  # the gap before the hold-out
        training = np.vstack([training, everything])
        if not folds.holdout:
            return cls(training, tested, folds.k)
        training, tested = _beside(training, of=False), _beside(tested, of=False)
        return cls(training, tested, folds.k, training.shape[1] - 1)

    @classmethod
    def plain(cls, k: int) -> "Splits":
        """Each of k parts is held out of all others."""
        return cls.of(Folds(k))

    @property
    def count(self) -> int:
        """Folds of all repeats."""
        return len(self.tested)

    @property
    def parts(self) -> int:
        """What rows are put into."""
        return int(self.training.shape[1])

    @property
    def of_holdout(self) -> Mask:
        """Which part is the hold-out, shape (parts,)."""
        found: Mask = np.arange(self.parts) == self.holdout
        return found

    def fitted(self, *, on_all: bool) -> Mask:
        """Those that the cleaning is fitted on: `training`, or its last."""
        return self.training[-1:] if on_all else self.training

    @property
    def all_others(self) -> bool:
        """Whether every fold is trained on all parts but its own."""
        one_each = np.array_equal(self.tested, np.eye(self.parts))
        return one_each and np.array_equal(self.training[:-1], ~self.tested)

    def rows(self, of: Sequence[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Rows that every fold is trained on, and those it is tested on; `of`: of every part."""
        counts = np.asarray(of)
        return tuple((self.training[:-1] @ counts).tolist()), tuple((self.tested @ counts).tolist())

    def sums(self, parts: Array) -> Array:
        """The sum of the parts of every training set, shape (k + 1, ...), of shape (parts, ...)."""
        flat = self.training.astype(np.float64) @ parts.reshape(self.parts, -1)
        return flat.reshape(-1, *parts.shape[1:])


def check_folds(rows: Sequence[int], folds: Folds) -> None:
    """Raise DataError where a fold got no row, so that no metric is taken of nothing.

    `rows`: used ones of every part of `Splits.of(folds)`.
    """
    n_train, n_test = Splits.of(folds).rows(rows)
    if folds.holdout:
        *rows, held_out = rows
        if not held_out:
            raise DataError(
                f"folds.holdout: {folds.holdout:g}: holds none of {sum(rows)} used rows out -> "
                "raise it, or folds.holdout=0"
            )
    used = sum(rows)
    if used < 2:
        raise DataError(f"{used} rows with a target are used: nothing can be held out -> more rows")
    if folds.k > used:
        raise DataError(
            f"folds.k: {folds.k}: more folds than the {used} rows used -> choose folds.k <= {used}"
        )
    if folds.kind is FoldKind.TIME and not n_train[0]:
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
        gap = ", a shorter folds.gap" if folds.gap_size[0] else ""
        return f"choose fewer folds{gap}, or another column than '{folds.column}'"
    return f"every value of '{folds.column}' needs rows that are used"


def _dealt(folds: Folds, repeat: int) -> Mask:
    """Which cells each of k folds is, shape (k, cells).

    Of k consecutive cells each fold has one: first cell c is of fold c % k; in a later repeat, the
    one with the smallest h, of seed + repeat, is of fold 0, the next one of fold 1.
    """
    cells = np.arange(folds.cells)
    if repeat:
        drawn = mixed(cells.astype(object), folds.seed + repeat)
        of = np.argsort(np.argsort(drawn.reshape(-1, folds.k), axis=1), axis=1).ravel()
    else:
        of = cells % folds.k
    dealt: Mask = of == np.arange(folds.k)[:, None]
    return dealt


def _in_time(folds: Folds) -> tuple[Mask, Mask]:
    """Training and tested parts of folds in time, each of shape (folds, parts).

    Part f is tested by fold f; part k is before all. With a gap, part k + 1 + f is the gap before
    part f, the one after them that before the hold-out; they are tested with what is before them.
    """
    past, own = np.tri(folds.k, k=-1, dtype=bool), np.eye(folds.k, dtype=bool)
    training, tested = _beside(past, of=True), _beside(own, of=False)
    if not folds.gap_size[0]:
        return training, tested
    before = np.eye(folds.k, k=1, dtype=bool)
    training, tested = np.hstack([training, past]), np.hstack([tested, before])
    if folds.holdout:
        training, tested = _beside(training, of=False), np.hstack([tested, own[:, -1:]])
    return training, tested


def _beside(parts: Mask, *, of: bool) -> Mask:
    """One more part, in all or in none."""
    found: Mask = np.column_stack([parts, np.full(len(parts), of)])
    return found
