"""From moments to normal equations of every training set, the cleaning fitted on it alone.

A cleaned row is linear in the row vector of the moments, given the means mu and the indices kappa:
x_j - mu_j = u_j - mu_j o_j for a numeric column (0 where it is missing), kappa_c[level] for a
categorical one. So the fitted cleaning of any set of folds, and what it does to the rows of any
other set, follow from their moments. Centring is done in double-double: it is where digits go.

`kappa` of a category is its index, or the mean target of its level (encodings.py); of one that
enters as a 0/1 feature per level, h has these (indicators.py).

In the formulas m = [1, u, o, y, kappa, h] is the row vector with the C indices after it, then the F
0/1 features, M = sum m m' over some rows. By feature, the target last, u is the number of m that
holds the value (u_j, kappa_c, h_t or y), o the one that tells whether it is there (1 where it
always is), v = u - mu o.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np

from tandem.moments import (
    Indices,
    Integers,
    Moments,
    RowVector,
    Slices,
    fit_indices,
    index_sums,
    with_counted,
)
from tandem.records import Array, Mask
from tandem.solver.centres import moved, scatter
from tandem.solver.double_double import DoubleDouble, concatenated
from tandem.solver.doubled import bordered, joined, training_sums
from tandem.solver.encodings import Protocol, encoded_sums, target_means
from tandem.solver.indicators import Borders, Indicators, with_pairs
from tandem.solver.relations import whole_features
from tandem.solver.splits import Normal, Split, twice_the_digits
from tandem.splits import Splits

# Indices of every category -> what those that are only counted sum to, as
# `scan.index_sums.counted_sums` of all rows.
SecondScan = Callable[[tuple[Indices, ...]], Array]


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
        self._moments, self.vector, self.protocol = moments, vector, protocol
        self.scheme = protocol.splits or Splits.plain(len(moments.gram))
        training = self.scheme.fitted(on_all=protocol.on_all)
        categories = enumerate(moments.categories)
        ranked = replace(moments, categories=tuple(protocol.whole.get(*x) for x in categories))
        # Of every category, in the order that `Split.orders` counts in.
        self.levels = tuple(category.levels for category in ranked.categories)
        self._indices = fit_indices(ranked, training=training)
        self._indicators = Indicators(moments, ranked, self._indices, protocol)
        self._spans, self._sets, self._places = self._indicators.features(vector)
        self.by_column = tuple(span.stop - span.start for span in self._spans)  # features of each
        self.features = len(self._places)
        self._by_target = by_target = target_means(moments, vector, protocol, slices, training)
        tables = dict(enumerate(found.ranks for found in self._indices)) | self._indicators.places
        self._tables = [by_target[c].values if c in by_target else tables[c] for c in tables]
        sums = index_sums(moments, self._tables, protocol.one_hot)
        if moments.counted:
            if second_scan is None:
                raise ValueError("categories that are only counted take a second scan")
            sums = with_counted(sums, moments.counted, second_scan(self._indices))
        width = moments.gram.shape[-1]
        self._slices = slices
        self._whole = whole_features(moments, vector, self._places, by_target)
        by_digits = {} if protocol.rounded else by_target
        whole = encoded_sums(sums, moments, self._tables, by_digits)
        self._by_index, self._corner = joined(whole[..., :width], slices), whole[..., width:]
        self._parts = joined(DoubleDouble.of(moments.gram), slices)
        if slices:
            self._parts = joined(self._parts.transposed(), slices)
        self._summed = training_sums(self._parts, self.scheme)
        self._on_all = self._summed[-1] if protocol.on_all else None

    def splits(self) -> Iterator[Split]:
        """One split per fold, in order."""
        yield from map(self.split, range(self.scheme.count))

    def split(self, fold: int) -> Split:
        """The training set of `fold` against what it is tested on."""
        return self._split(fold, self.scheme.tested[fold])

    def whole(self, weighed: "Folding | None" = None) -> Split:
        """All rows as the training set but the hold-out, which is held out, if there is one.

        `weighed`: sums of the same rows with weights, held out in its place.
        """
        return self._split(-1, self.scheme.of_holdout, weighed)

    @property
    def weighted(self) -> bool:
        """Whether rows have weights."""
        return self._moments.tally is not None

    @property
    def rows(self) -> list[float]:
        """Rows of every part, each as often as it counts, times `unit`."""
        rows = self._moments.gram[:, 0, 0] if self.weighted else self._moments.rows
        return [*rows.tolist()]

    def _split(self, fold: int, tested: Mask, weighed: "Folding | None" = None) -> Split:
        """The training set of `fold`, -1 being that of all rows, against the parts `tested`."""
        gram, train = self._summed[fold], self.scheme.training[fold]
        fit_gram, fit = (gram, fold) if self._on_all is None else (self._on_all, -1)
        shift = self._shift(train)
        everything = self.scheme.training[-1]
        borders = self._borders(fit)
        whole = self._bordered(gram, train, borders, shift)
        fitted = whole if fit == fold else self._bordered(fit_gram, everything, borders, shift)
        sums = DoubleDouble(whole.hi[0].copy(), whole.lo[0].copy())
        if self._on_all is not None:  # what is imputed has the means of all rows
            ours = np.flatnonzero(np.isin(self._places, list(self.vector.imputed)))
            at = np.append(self._value[ours], self._there[ours])
            sums.hi[at], sums.lo[at] = fitted.hi[0, at], fitted.lo[0, at]
        means = sums[self._value] / sums[self._there]
        rest = self._sums(whole, means) / whole.hi[0, 0]
        orders = tuple(indices.order(fit) for indices in self._indices)
        offsets = np.zeros(len(orders))
        for c, encoded in self._by_target.items():
            offsets[c] = encoded.offset[fit]
        held_out = None
        if weighed:
            held_out = weighed._weighed(fold, fit, shift)  # noqa: SLF001 - our own
        elif tested.any():
            part = self._parts[tested].sum(axis=0)
            held_out = self._bordered(part, tested, borders, shift), part
        return Split(
            train=self._normal(whole, gram, means, rest),
            test=None if held_out is None else self._normal(*held_out, means, rest),
            sst=self._variation(tested) if tested.any() else 0.0,
            shift=shift,
            centre=(means + rest + self._of_design(shift, offsets)) / self._per_unit,
            means=self._numeric_means(fitted, shift),
            tables=tuple(table[:, fit] for table in self._tables),
            offsets=offsets,
            encodings={c: e.by_index(orders[c], fit) for c, e in self._by_target.items()},
            orders=orders,
            spans=self._spans,
            sets=self._sets,
        )

    def _weighed(self, fold: int, fit: int, shift: Array) -> tuple[DoubleDouble, DoubleDouble]:
        """The training set of `fold` about `shift`, bordered, and as it was scanned."""
        summed, train = self._summed[fold], self.scheme.training[fold]
        return self._bordered(summed, train, self._borders(fit), shift), summed

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

    def _bordered(
        self, gram: DoubleDouble, members: Mask, borders: Borders, shift: Array
    ) -> DoubleDouble:
        """M = [[A, B'], [B, C]] of the folds `members` about `shift`; A is `gram` about one shift.

        A = sum a a', a = [1, u, o, y]; B = sum kappa a', C = sum kappa kappa'.
        """
        rows, corner, vector = borders.rows, self._corner_of(borders, members), self.vector
        if vector.centres is None:
            return bordered(gram, rows[members].sum(axis=0), corner)
        nothing = [[one.scaled(0.0) for one in row] for row in corner]
        total = bordered(gram.scaled(0.0), rows[0].scaled(0.0), corner)
        for f in np.flatnonzero(members):
            part = bordered(self._parts[f], rows[f], nothing)
            step = DoubleDouble.of(vector.centres[f]) - shift
            total = total + moved(part, vector.value, vector.there, step)
        return total

    @cached_property
    def _value(self) -> Integers:
        """Row of the bordered matrix that holds every feature, then the target."""
        vector, found = self.vector, list[Integers]()
        first = vector.width + len(self._indices)  # of the 0/1 features
        for j in vector.design:
            c = j - vector.numeric
            at = 1 + j if c < 0 else vector.width + c
            span = self._indicators.spans.get(c)
            found.append(np.arange(span.start, span.stop) + first if span else np.array([at]))
        return np.concatenate([*found, [vector.width - 1]])

    @cached_property
    def _there(self) -> Integers:
        """Row that tells where it is observed: the constant 1 unless it is imputed."""
        return np.array([*self.vector.observed(self._places.tolist()), 0], dtype=np.int64)

    def _of_design(self, values: Array, of_categories: Array) -> Array:
        """What they say of the numeric features and of the categories: of features, the target."""
        found: Array = np.append(np.append(values[:-1], of_categories)[self._places], values[-1])
        return found

    @cached_property
    def _per_unit(self) -> Array:
        return self._of_design(self.vector.per_unit, np.ones(len(self._indices)))

    def _numeric_means(self, matrix: DoubleDouble, shift: Array) -> DoubleDouble:
        """Mean of every numeric feature where it is there, in raw units."""
        vector = self.vector
        sums, rows = matrix[0, vector.value[:-1]], matrix[0, vector.there[:-1]]
        return (sums / rows + shift[:-1]) / vector.per_unit[:-1]

    def _sums(self, matrix: DoubleDouble, means: DoubleDouble) -> DoubleDouble:
        """Sums of the cleaned values less `means`."""
        return matrix[0, self._value] - means * matrix[0, self._there]

    def _normal(
        self, matrix: DoubleDouble, summed: DoubleDouble, means: DoubleDouble, rest: DoubleDouble
    ) -> Normal:
        """Sum of (v - rest)(v - rest)', v = u - means * o; `summed`: sums as they were scanned."""
        value, rows = self._value, float(matrix.hi[0, 0])
        ours = np.arange(len(value))
        if many := not (self.vector.exact or twice_the_digits(self._whole)):
            ours = np.flatnonzero(value < self.vector.width + len(self._indices))
        gram = self._centred(matrix, means, rest, ours)
        if many:
            at = np.append(0, value)
            gram = with_pairs(gram, ours, matrix.hi[np.ix_(at, at)], means.hi)
        unit = self._per_unit
        if self.vector.decimals:
            gram = gram / unit[:, None] / unit[None, :]
        numeric = value < self.vector.width
        squares = matrix.hi[value, value]
        squares[numeric] = summed.hi.diagonal()[value[numeric]]
        sets = tuple(self._sets.values())
        return Normal(rows, gram, squares / unit**2, self.vector.exact, self._whole, sets)

    def _centred(
        self, matrix: DoubleDouble, means: DoubleDouble, rest: DoubleDouble, own: Integers
    ) -> DoubleDouble:
        """Sum of (v - rest)(v - rest)' for the features `own` beside all, shape (own, p + 1)."""
        value, there, rows = self._value, self._there, float(matrix.hi[0, 0])
        across, down = means[None, :], means[own][:, None]
        # Where nothing is imputed, the column of the constant serves all.
        beside, below = (there, there[own]) if there.any() else (there[:1], there[:1])
        mixed = matrix[np.ix_(value[own], beside)]
        half = matrix[np.ix_(value[own], value)] - down * matrix[np.ix_(below, value)]
        gram = half - across * (mixed - down * matrix[np.ix_(below, beside)])
        if not np.any(rest.hi):
            return gram
        sums, left = self._sums(matrix, means), rest[own][:, None]
        gram = gram - sums[own][:, None] * rest[None, :] - left * sums[None, :]
        return gram + left * rest[None, :] * rows

    def _variation(self, tested: Mask) -> float:
        """Sum of squares of the target of `tested` about its mean; 0 where its range is 0."""
        centres = self.vector.centres
        of_target = None if centres is None else centres[tested, -1]
        found = scatter(self._parts[tested], self.vector.width - 1, of_target)
        several = self._moments.rows[tested].sum() > 1
        return found / float(self._per_unit[-1]) ** 2 if several else 0.0

    def _borders(self, fit: int) -> Borders:
        """Those of the cleaning that is fitted on a training set, of which rows whatever."""
        features = self._indicators
        nothing = DoubleDouble.of(np.zeros((self.scheme.parts, 0, self.vector.width)))
        if not features.size:
            return Borders(fit, self._by_index[fit] if self._indices else nothing, nothing)
        kappa = {c: t[:, fit] for c, t in enumerate(self._tables) if c not in features.spans}
        more = joined(DoubleDouble.of(features.sums(fit)), self._slices)
        rows = concatenated(self._by_index[fit].transposed(), more.transposed()).transposed()
        return Borders(fit, rows, features.beside(fit, kappa))

    def _corner_of(self, borders: Borders, members: Mask) -> list[list[DoubleDouble]]:
        """sum [kappa, h] [kappa, h]' of the folds `members`, in blocks of C and F."""
        if not self._indices:
            return []
        corner = [self._corner[borders.fit][members].sum(axis=0)]
        if not self._indicators.size:
            return [corner]
        own = DoubleDouble.of(self._indicators.corner(borders.fit, members))
        return [corner, [borders.beside[members].sum(axis=0), own]]
