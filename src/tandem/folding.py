"""From moments to normal equations of every training set, the cleaning fitted on it alone.

A cleaned row is linear in the row vector of the moments, given the means mu and the indices kappa:
x_j - mu_j = u_j - mu_j o_j for a numeric column (0 where it is missing), kappa_c[level] for a
categorical one. So the fitted cleaning of any set of folds, and what it does to the rows of any
other set, follow from their moments. Centring is done in double-double: it is where digits go.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.cleaning import frequency_order
from tandem.double_double import DoubleDouble
from tandem.indices import Indices, fit_indices, index_sums, with_counted
from tandem.moments import Integers, Moments, ordered, sum_of_others
from tandem.records import Array, Plan

Mask = NDArray[np.bool_]
# Indices of every category -> what those that are only counted sum to, as
# `index_rows.counted_sums` of all rows.
SecondScan = Callable[[tuple[Indices, ...]], Array]

# A column whose variance is below this share of its mean square about the shift is constant: what
# is left of it is the rounding of the sums, or of double-double where the sums are exact.
CONSTANT, CONSTANT_IF_EXACT = 1e-13, 1e-28


@dataclass(frozen=True, slots=True)
class Form:
    """What the row vector [1, u, o, y] of the moments holds.

    `shift`: of every numeric feature, then of the target; `imputed`: which numeric features have
    an indicator, by position; `design[j]`: feature j of the regression as its position among
    [numeric features, categorical features]; `decimals`: of every numeric feature, then of the
    target: u and `shift` are in units of 10**-decimals, in which decimals are whole; empty: all 0;
    `exact`: the moments are known to hold no rounding.
    """

    shift: Array
    imputed: tuple[int, ...]
    design: tuple[int, ...]
    decimals: tuple[int, ...] = ()
    exact: bool = False

    @classmethod
    def of(cls, plan: Plan, shift: Array, decimals: tuple[int, ...] = ()) -> "Form":
        """The form for the numeric, imputed and categorical features of `plan`."""
        numeric, categorical = plan.numeric, plan.categorical
        place = {column.id: j for j, column in enumerate((*numeric, *categorical))}
        imputed = tuple(place[column.id] for column in plan.imputed)
        design = tuple(place[column.id] for column in plan.used)
        return cls(shift, imputed, design, decimals if any(decimals) else ())

    @property
    def numeric(self) -> int:
        """Number of numeric features."""
        return len(self.shift) - 1

    @property
    def width(self) -> int:
        """Length of the row vector."""
        return len(self.shift) + 1 + len(self.imputed)

    @property
    def per_unit(self) -> Array:
        """10**decimals of every numeric feature, then of the target: what u is divided by."""
        return 10.0 ** np.array(self.decimals or np.zeros(len(self.shift)))

    def observed(self, features: Iterable[int]) -> list[int]:
        """Place in the row vector that tells where each of `features`, by position, is there: its
        indicator, or the constant 1 where it has none.
        """
        indicator = self.indicator
        return [indicator.get(j, 0) for j in features]

    @property
    def indicator(self) -> dict[int, int]:
        """Place of the indicator in the row vector, of every imputed feature by position."""
        return {j: 1 + self.numeric + i for i, j in enumerate(self.imputed)}


@dataclass(frozen=True, slots=True)
class Normal:
    """Sums over `rows` rows of (z - centre)(z - centre)', z = [features, target] after cleaning.

    `gram`: shape (p + 1, p + 1), centred at the means of the training set; `rounding`: what a sum
    of squares that should be 0 may have left.
    """

    rows: int
    gram: DoubleDouble
    rounding: Array


@dataclass(frozen=True, slots=True)
class Split:
    """One training set with its fitted cleaning, and the rows that are held out of it (or None).

    `centre`: means of [features, target] over the training set, in raw units and after cleaning;
    `means`: of every numeric feature where it is there; `orders`: for every categorical feature
    the positions of its levels by index. `sst`: of the target about its mean, held-out rows.
    """

    train: Normal
    test: Normal | None
    sst: float
    centre: DoubleDouble
    means: Array
    indices: tuple[NDArray[np.int32], ...]
    orders: tuple[Integers, ...]


def canonical(moments: Moments) -> Moments:
    """The same moments with every category's levels in the order that breaks ties of frequency."""
    orders = [
        frequency_order(category.levels, np.ones(len(category.levels), dtype=np.int64))
        for category in moments.categories
    ]
    return ordered(moments, orders)


class Folding:
    """The splits of `moments` (canonical) into training and held-out rows.

    `second_scan` is called where they have categories that are only counted.
    """

    def __init__(
        self,
        moments: Moments,
        form: Form,
        *,
        fit_on_all: bool,
        second_scan: SecondScan | None = None,
    ) -> None:
        self._moments, self._form = moments, form
        self._folds = len(moments.gram)
        self._indices = fit_indices(moments, on_all=fit_on_all)
        self._index_sums = index_sums(moments, self._indices)
        if moments.counted:
            if second_scan is None:
                raise ValueError("categories that are only counted take a second scan")
            found = second_scan(self._indices)
            self._index_sums = with_counted(self._index_sums, moments.counted, found)
        self._others = sum_of_others(moments.gram)
        self._all = self._others[0] + moments.gram[0]
        self._on_all = self._all if fit_on_all else None

    def splits(self) -> Iterator[Split]:
        """One split per fold, in order."""
        for fold in range(self._folds):
            train = np.arange(self._folds) != fold
            yield self._split(fold, self._others[fold], train, self._moments.gram[fold])

    def whole(self) -> Split:
        """All rows as the training set, nothing held out."""
        return self._split(-1, self._all, np.ones(self._folds, dtype=bool), None)

    @property
    def levels(self) -> tuple[tuple[str, ...], ...]:
        """The levels of every category, in the order that `Split.orders` counts in."""
        return tuple(category.levels for category in self._moments.categories)

    def _split(self, fold: int, gram: Array, train: Mask, held_out: Array | None) -> Split:
        fit_gram, fit = (gram, fold) if self._on_all is None else (self._on_all, -1)
        borders = self._borders(fit)
        whole = _bordered(gram, *(part[train].sum(axis=0) for part in borders))
        means = self._means(whole)
        if self._on_all is not None:
            imputed = list(self._form.imputed)
            on_all = self._means(_bordered(fit_gram, *(part.sum(axis=0) for part in borders)))
            places = [j for j, at in enumerate(self._form.design) if at in imputed]
            means.hi[places], means.lo[places] = on_all.hi[places], on_all.lo[places]
        left_out = None
        if held_out is not None:
            left_out = _bordered(held_out, *(part[~train].sum(axis=0) for part in borders))
        rest = self._sums(whole, means) / whole[0, 0]
        return Split(
            train=self._normal(whole, means, rest),
            test=None if left_out is None else self._normal(left_out, means, rest),
            sst=0.0 if left_out is None else self._variation(left_out),
            centre=(means + rest + self._of_design(self._form.shift, 0.0)) / self._per_unit,
            means=self._numeric_means(fit_gram),
            indices=tuple(indices.ranks[:, fit] for indices in self._indices),
            orders=tuple(indices.order(fit) for indices in self._indices),
        )

    @property
    def _value(self) -> Integers:
        """Row of the bordered matrix that holds every feature, then the target."""
        form, numeric = self._form, self._form.numeric
        at = [1 + j if j < numeric else form.width + j - numeric for j in form.design]
        return np.array([*at, form.width - 1], dtype=np.int64)

    @property
    def _there(self) -> Integers:
        """Row that tells where it is observed: the constant 1 unless it is imputed."""
        return np.array([*self._form.observed(self._form.design), 0], dtype=np.int64)

    def _of_design(self, values: Array, of_category: float) -> Array:
        """What `values` says of the numeric features, for every feature, then the target."""
        form = self._form
        found = [values[j] if j < form.numeric else of_category for j in form.design]
        return np.array([*found, values[-1]])

    @property
    def _per_unit(self) -> Array:
        return self._of_design(self._form.per_unit, 1.0)

    def _numeric_means(self, gram: Array) -> Array:
        """Mean of every numeric feature where it is there, in raw units."""
        form = self._form
        there = form.observed(range(form.numeric))
        sums = DoubleDouble.of(gram[0, 1 : 1 + form.numeric])
        means: Array = ((sums / gram[0, there] + form.shift[:-1]) / form.per_unit[:-1]).rounded()
        return means

    def _means(self, matrix: Array) -> DoubleDouble:
        means: DoubleDouble = DoubleDouble.of(matrix[0, self._value]) / matrix[0, self._there]
        return means

    def _sums(self, matrix: Array, means: DoubleDouble) -> DoubleDouble:
        """Sums of the cleaned values less `means`."""
        sums: DoubleDouble = DoubleDouble.of(matrix[0, self._value]) - (
            means * matrix[0, self._there]
        )
        return sums

    def _normal(self, matrix: Array, means: DoubleDouble, rest: DoubleDouble) -> Normal:
        """Sum of (v - rest)(v - rest)' with v = u - means * o."""
        value, there, rows = self._value, self._there, matrix[0, 0]
        across, down = means[None, :], means[:, None]
        square = DoubleDouble.of(matrix[np.ix_(value, value)])
        mixed = DoubleDouble.of(matrix[np.ix_(value, there)])
        half = square - down * matrix[np.ix_(there, value)]
        gram = half - across * (mixed - down * matrix[np.ix_(there, there)])
        if np.any(rest.hi):
            sums = self._sums(matrix, means)
            gram = gram - sums[:, None] * rest[None, :] - rest[:, None] * sums[None, :]
            gram = gram + rest[:, None] * rest[None, :] * rows
        unit = self._per_unit
        if self._form.decimals:
            gram = gram / unit[:, None] / unit[None, :]
        return Normal(int(rows), gram, self._rounding * square.hi.diagonal() / unit**2)

    @property
    def _rounding(self) -> float:
        return CONSTANT_IF_EXACT if self._form.exact else CONSTANT

    def _variation(self, matrix: Array) -> float:
        """Sum of squares of the target about its mean; 0 where only rounding is left of it."""
        at = self._value[-1]
        total = DoubleDouble.of(matrix[0, at])
        found = (DoubleDouble.of(matrix[at, at]) - total * total / matrix[0, 0]).rounded()
        rounding = self._rounding * matrix[at, at]
        return float(found / self._per_unit[-1] ** 2) if found > rounding else 0.0

    def _borders(self, fit: int) -> tuple[Array, Array]:
        """Per fold: sums of index times row vector (k, c, d), of index times index (k, c, c)."""
        if not self._indices:
            return np.zeros((self._folds, 0, self._form.width)), np.zeros((self._folds, 0, 0))
        sums = self._index_sums[fit]
        return sums[..., : self._form.width], sums[..., self._form.width :]


def _bordered(gram: Array, rows: Array, corner: Array) -> Array:
    """[[gram, rows'], [rows, corner]]."""
    return np.block([[gram, rows.T], [rows, corner]])
