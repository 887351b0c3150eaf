"""What a row is to the sums: the vector [1, u, o, y], and which number stands where."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tandem.moments.moments import Integers
from tandem.records import Array, Plan


@dataclass(frozen=True, slots=True)
class RowVector:
    """What the row vector [1, u, o, y] of the moments holds.

    The columns are the numeric features, then the target. `shift`: shape (columns,), what they are
    summed about; `imputed`: which numeric features have an indicator, by position; `design[j]`:
    feature j of the regression as its position among [numeric features, categorical features];
    `decimals`: of every column: u and `shift` are in units of 10**-decimals, in which decimals are
    whole; empty: all 0; `exact`: the moments are known to hold no rounding; `centres`: shape
    (k, columns), what the rows of each fold are summed about in place of `shift`; `rounded`: rows
    have weights that are no whole numbers, so that sums are always rounded.
    """

    shift: Array
    imputed: tuple[int, ...]
    design: tuple[int, ...]
    decimals: tuple[int, ...] = ()
    exact: bool = False
    centres: Array | None = None
    rounded: bool = False

    @classmethod
    def of(
        cls, plan: Plan, shift: Array, decimals: tuple[int, ...] = (), *, rounded: bool = False
    ) -> "RowVector":
        """The row vector for the numeric, imputed and categorical features of `plan`."""
        numeric, categorical = plan.numeric, plan.categorical
        place = {column.id: j for j, column in enumerate((*numeric, *categorical))}
        imputed = tuple(place[column.id] for column in plan.imputed)
        design = tuple(place[column.id] for column in plan.used)
        return cls(shift, imputed, design, decimals if any(decimals) else (), rounded=rounded)

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
        """10**decimals of every column, shape (columns,): u / per_unit is in raw units."""
        return 10.0 ** np.array(self.decimals or np.zeros(len(self.shift)))

    def observed(self, features: Iterable[int]) -> list[int]:
        """Place in the row vector that tells where each of `features`, by position, is there: its
        indicator, or the constant 1 where it has none.
        """
        indicator = self.indicator
        return [indicator.get(j, 0) for j in features]

    @property
    def value(self) -> Integers:
        """Place in the row vector of every numeric feature, then of the target."""
        return np.array([*range(1, 1 + self.numeric), self.width - 1])

    @property
    def there(self) -> Integers:
        """Place that tells where each of them is there."""
        return np.array([*self.observed(range(self.numeric)), 0])

    def about(self, shift: Array) -> "RowVector":
        """The same row vector about one `shift` for all rows."""
        return replace(self, shift=shift, centres=None)

    def of_fold(self, fold: int) -> "RowVector":
        """The row vector of the rows of `fold`."""
        return self if self.centres is None else self.about(self.centres[fold])

    @property
    def indicator(self) -> dict[int, int]:
        """Place of the indicator in the row vector, of every imputed feature by position."""
        return {j: 1 + self.numeric + i for i, j in enumerate(self.imputed)}


@dataclass(frozen=True, slots=True)
class Residual:
    """y - prediction = row' [1, u, o, y] + sum_c by_index_c kappa_c, of one fold's models.

    `row`: shape (points, width); `by_index`: shape (points, C); `indices`: of each of the C
    categories, shape (levels,): kappa_c of every level, less some constant. Of a category in
    `by_feature`, shape (points, features), kappa_c is the number of the feature that is 1, whose
    value there is added instead. The residual is in units of the target.
    """

    row: Array
    by_index: Array
    indices: tuple[Array | NDArray[np.int32], ...]
    by_feature: Mapping[int, Array] = field(default_factory=dict)
