"""From moments to normal equations of every training set, the cleaning fitted on it alone.

A cleaned row is linear in the row vector of the moments, given the means mu and the indices kappa:
x_j - mu_j = u_j - mu_j o_j for a numeric column (0 where it is missing), kappa_c[level] for a
categorical one. So the fitted cleaning of any set of folds, and what it does to the rows of any
other set, follow from their moments. Centring is done in double-double: it is where digits go.

`kappa` of a category is its index, or the mean target of its level (encodings.py).

In the formulas m = [1, u, o, y, kappa] is the row vector with the C indices after it, M = sum m m'
over some rows. By feature, the target last, u is the number of m that holds the value (u_j, kappa_c
or y), o the one that tells whether it is there (1 where it always is), v = u - mu o.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.cleaning import frequency_order
from tandem.moments import (
    Indices,
    Integers,
    Moments,
    RowVector,
    Slices,
    fit_indices,
    index_sums,
    ordered,
    with_counted,
)
from tandem.records import Array, Mask
from tandem.solver.centres import moved
from tandem.solver.double_double import DoubleDouble
from tandem.solver.doubled import block, joined, others
from tandem.solver.encodings import Protocol, encoded_sums, target_means

# Indices of every category -> what those that are only counted sum to, as
# `scan.index_sums.counted_sums` of all rows.
SecondScan = Callable[[tuple[Indices, ...]], Array]

# A column is constant where its range is 0. About centres that are near, its sums are then exactly
# 0, or whole numbers whose variance is 0 but for double-double's own rounding: below this share of
# the mean square. The variance of whole numbers that vary is above 1e-17 of it.
CONSTANT = 1e-28


@dataclass(frozen=True, slots=True)
class Normal:
    """Sums over `rows` rows of (z - centre)(z - centre)', z = [features, target] after cleaning.

    `gram`: shape (p + 1, p + 1), centred at the means of the training set, in raw units; `squares`:
    shape (p + 1,), of every z, about what its rows were summed about, which is what rounding is a
    share of; `exact`: they were summed without rounding.
    """

    rows: int
    gram: DoubleDouble
    squares: Array
    exact: bool


@dataclass(frozen=True, slots=True)
class Split:
    """One training set with its fitted cleaning, and the rows that are held out of it (or None).

    `sst`: of the target about its mean, held-out rows, squared units; `shift`: shape (columns,),
    what the sums are about, near the means, in units of the row vector; `centre`: shape (p + 1,),
    means of [features, target] over the training set, after cleaning, raw units; `means`: shape
    (numeric,), of every numeric feature where it is there, raw units; `tables`: of each category,
    shape (levels,), kappa less its offset, of shape (C,) in `offsets`; `orders`: of each, shape
    (seen,), positions of its levels by index; `encodings`: of those that are encoded by the target,
    by position, kappa of every index, then of an unseen level.
    """

    train: Normal
    test: Normal | None
    sst: float
    shift: Array
    centre: DoubleDouble
    means: DoubleDouble
    tables: tuple[Array | NDArray[np.int32], ...]
    offsets: Array
    encodings: Mapping[int, tuple[float, ...]]
    orders: tuple[Integers, ...]


def canonical(moments: Moments) -> Moments:
    """The same moments with every category's levels by code point, which breaks ties of counts."""
    orders = [
        frequency_order(category.levels, np.ones(len(category.levels), dtype=np.int64))
        for category in moments.categories
    ]
    return ordered(moments, orders)


class Folding:
    """The splits of `moments` (canonical) into training and held-out rows.

    `second_scan(indices)`: what the categories that are only counted sum to, shape (fits, k,
    counted, width + C), called where there are such. Raises ValueError where it is needed and None.
    `slices`: what the rows of `vector` were cut into when they were summed; None: nothing.
    """

    def __init__(
        self,
        moments: Moments,
        vector: RowVector,
        protocol: Protocol,
        second_scan: SecondScan | None = None,
        slices: Slices | None = None,
    ) -> None:
        self._moments, self.vector = moments, vector
        self._folds = len(moments.gram)
        self._indices = fit_indices(moments, on_all=protocol.on_all)
        sums = index_sums(moments, self._indices)
        if moments.counted:
            if second_scan is None:
                raise ValueError("categories that are only counted take a second scan")
            found = second_scan(self._indices)
            sums = with_counted(sums, moments.counted, found)
        width = moments.gram.shape[-1]
        by_target = target_means(moments, vector, protocol, slices)
        self._by_target = by_target
        self._tables = [
            by_target[c].values if c in by_target else found.ranks
            for c, found in enumerate(self._indices)
        ]
        whole = encoded_sums(sums, moments, self._tables, by_target, rounded=protocol.rounded)
        self._by_index, self._corner = joined(whole[..., :width], slices), whole[..., width:]
        self._parts = joined(DoubleDouble.of(moments.gram), slices)
        if slices:
            self._parts = joined(self._parts.transposed(), slices)
        self._others = others(self._parts)
        self._all = self._others[0] + self._parts[0]
        self._on_all = self._all if protocol.on_all else None

    def splits(self) -> Iterator[Split]:
        """One split per fold, in order."""
        for fold in range(self._folds):
            train = np.arange(self._folds) != fold
            yield self._split(fold, self._others[fold], train, self._parts[fold])

    def whole(self) -> Split:
        """All rows as the training set, nothing held out."""
        return self._split(-1, self._all, np.ones(self._folds, dtype=bool), None)

    @property
    def rows(self) -> list[int]:
        """Rows of every fold."""
        found: list[int] = self._moments.rows.tolist()
        return found

    @property
    def levels(self) -> tuple[tuple[str, ...], ...]:
        """The levels of every category, in the order that `Split.orders` counts in."""
        return tuple(category.levels for category in self._moments.categories)

    def _split(
        self, fold: int, gram: DoubleDouble, train: Mask, held_out: DoubleDouble | None
    ) -> Split:
        """The folds `train`, with A = `gram`, against `fold`, with A = `held_out`; -1: no fold."""
        fit_gram, fit = (gram, fold) if self._on_all is None else (self._on_all, -1)
        shift = self._shift(train)
        everything = np.ones(self._folds, dtype=bool)
        whole = self._bordered(gram, train, fit, shift)
        fitted = whole if fit == fold else self._bordered(fit_gram, everything, fit, shift)
        means = self._means(whole)
        if self._on_all is not None:
            imputed = list(self.vector.imputed)
            on_all = self._means(fitted)
            places = [j for j, at in enumerate(self.vector.design) if at in imputed]
            means.hi[places], means.lo[places] = on_all.hi[places], on_all.lo[places]
        rest = self._sums(whole, means) / whole.hi[0, 0]
        orders = tuple(indices.order(fit) for indices in self._indices)
        offsets = np.zeros(len(orders))
        for c, encoded in self._by_target.items():
            offsets[c] = encoded.offset[fit]
        return Split(
            train=self._normal(whole, gram, means, rest),
            test=None
            if held_out is None
            else self._normal(self._bordered(held_out, ~train, fit, shift), held_out, means, rest),
            sst=0.0 if held_out is None else self._variation(held_out),
            shift=shift,
            centre=(means + rest + self._of_design(shift, offsets)) / self._per_unit,
            means=self._numeric_means(fitted, shift),
            tables=tuple(table[:, fit] for table in self._tables),
            offsets=offsets,
            encodings={c: e.by_index(orders[c], fit) for c, e in self._by_target.items()},
            orders=orders,
        )

    def _shift(self, train: Mask) -> Array:
        """What the sums of a training set are taken about: its mean where folds have centres."""
        vector = self.vector
        if vector.centres is None:
            return vector.shift
        rows = self._parts.hi[:, 0, vector.there]
        sums = self._parts[:, 0, vector.value] + DoubleDouble.of(vector.centres) * rows
        total = np.maximum(rows[train].sum(axis=0), 1.0)
        mean = (sums[train].sum(axis=0) / total).rounded()
        shift: Array = np.where(np.ptp(vector.centres, axis=0) == 0.0, vector.centres[0], mean)
        return shift

    def _bordered(self, gram: DoubleDouble, members: Mask, fit: int, shift: Array) -> DoubleDouble:
        """M = [[A, B'], [B, C]] of the folds `members` about `shift`; A is `gram` about one shift.

        A = sum a a', a = [1, u, o, y]; B = sum kappa a', C = sum kappa kappa'.
        """
        rows, corner = self._borders(fit)
        vector = self.vector
        if vector.centres is None:
            rows, corner = rows[members].sum(axis=0), corner[members].sum(axis=0)
            return block(gram, rows, corner)
        total = DoubleDouble.of(np.zeros((vector.width + len(self._indices),) * 2))
        for f in np.flatnonzero(members):
            part = block(self._parts[f], rows[f], corner[f])
            step = DoubleDouble.of(vector.centres[f]) - shift
            total = total + moved(part, vector.value, vector.there, step)
        return total

    @property
    def _value(self) -> Integers:
        """Row of the bordered matrix that holds every feature, then the target."""
        vector, numeric = self.vector, self.vector.numeric
        at = [1 + j if j < numeric else vector.width + j - numeric for j in vector.design]
        return np.array([*at, vector.width - 1], dtype=np.int64)

    @property
    def _there(self) -> Integers:
        """Row that tells where it is observed: the constant 1 unless it is imputed."""
        return np.array([*self.vector.observed(self.vector.design), 0], dtype=np.int64)

    def _of_design(self, values: Array, of_categories: Array) -> Array:
        """What they say of the numeric features and of the categories: of features, the target."""
        numeric = self.vector.numeric
        found = [
            values[j] if j < numeric else of_categories[j - numeric] for j in self.vector.design
        ]
        return np.array([*found, values[-1]])

    @property
    def _per_unit(self) -> Array:
        return self._of_design(self.vector.per_unit, np.ones(len(self._indices)))

    def _numeric_means(self, matrix: DoubleDouble, shift: Array) -> DoubleDouble:
        """Mean of every numeric feature where it is there, in raw units."""
        vector = self.vector
        sums, rows = matrix[0, vector.value[:-1]], matrix[0, vector.there[:-1]]
        return (sums / rows + shift[:-1]) / vector.per_unit[:-1]

    def _means(self, matrix: DoubleDouble) -> DoubleDouble:
        return matrix[0, self._value] / matrix[0, self._there]

    def _sums(self, matrix: DoubleDouble, means: DoubleDouble) -> DoubleDouble:
        """Sums of the cleaned values less `means`."""
        return matrix[0, self._value] - means * matrix[0, self._there]

    def _normal(
        self, matrix: DoubleDouble, summed: DoubleDouble, means: DoubleDouble, rest: DoubleDouble
    ) -> Normal:
        """Sum of (v - rest)(v - rest)', v = u - means * o; `summed`: sums as they were scanned."""
        value, there, rows = self._value, self._there, float(matrix.hi[0, 0])
        across, down = means[None, :], means[:, None]
        square = matrix[np.ix_(value, value)]
        mixed = matrix[np.ix_(value, there)]
        half = square - down * matrix[np.ix_(there, value)]
        gram = half - across * (mixed - down * matrix[np.ix_(there, there)])
        if np.any(rest.hi):
            sums = self._sums(matrix, means)
            gram = gram - sums[:, None] * rest[None, :] - rest[:, None] * sums[None, :]
            gram = gram + rest[:, None] * rest[None, :] * rows
        unit = self._per_unit
        if self.vector.decimals:
            gram = gram / unit[:, None] / unit[None, :]
        numeric = value < self.vector.width
        squares = square.hi.diagonal().copy()
        squares[numeric] = summed.hi.diagonal()[value[numeric]]
        return Normal(int(rows), gram, squares / unit**2, self.vector.exact)

    def _variation(self, gram: DoubleDouble) -> float:
        """Sum of squares of the target of one fold about its mean; 0 where its range is 0."""
        at = self.vector.width - 1
        total, rows = gram[0, at], float(gram.hi[0, 0])
        found = (gram[at, at] - total * total / rows).rounded()
        if rows < 2 or found <= CONSTANT * gram.hi[at, at]:
            return 0.0
        return float(found / self._per_unit[-1] ** 2)

    def _borders(self, fit: int) -> tuple[DoubleDouble, DoubleDouble]:
        """B and C by fold: sum kappa a', shape (k, C, width); sum kappa kappa', shape (k, C, C)."""
        if not self._indices:
            none = np.zeros((self._folds, 0, self.vector.width))
            return DoubleDouble.of(none), DoubleDouble.of(none[..., :0])
        return self._by_index[fit], self._corner[fit]
