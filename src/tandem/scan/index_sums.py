"""Sums with the indices of categories that were only counted, row by row: one more scan.

The indices under every training set are known by now, so that these categories are numeric
columns, one per training set. A row adds to the sums of its fold under all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tandem.moments import Batch, Indices, RowVector, Workplace, positions, tiles
from tandem.records import Array


@dataclass(frozen=True, slots=True)
class Lookup:
    """`indices[c]` of every category; `places[c]`: level -> its position there.

    `counted`: positions of the categories that the sums are of.
    """

    indices: tuple[Indices, ...]
    places: tuple[Mapping[str, int], ...]
    counted: tuple[int, ...]


def counted_sums(batch: Batch, vector: RowVector, k: int, work: Workplace, lookup: Lookup) -> Array:
    """Sums of kappa_c [a, kappa_1, ..., kappa_C] over the used rows, for every counted category c.

    Shape (training sets, k, counted, width + C), as `moments.with_counted` takes them.
    """
    training_sets, categories = len(lookup.indices[0].seen), len(lookup.indices)
    sums = np.zeros((training_sets, k, len(lookup.counted), vector.width + categories))
    levels = [
        positions(codes.levels, places)[codes.codes]
        for codes, places in zip(batch.categorical, lookup.places, strict=True)
    ]
    for tile in tiles(batch, vector, k, work):
        kappa = np.empty((training_sets, categories, tile.vectors.shape[1]))
        for c, (column, indices) in enumerate(zip(levels, lookup.indices, strict=True)):
            kappa[:, c] = indices.ranks[column[tile.rows]].T
        if isinstance(tile.rows, slice):
            kappa *= tile.vectors[0]  # 0 where a row that stays in place is not used
        weighed = kappa[:, [*lookup.counted]]
        if batch.weights is not None:
            weighed *= batch.weights[tile.rows]
        for fold, first, last in tile.slices:
            here, vectors = kappa[:, :, first:last], tile.vectors[:, first:last]
            wanted = weighed[:, :, first:last]
            sums[:, fold, :, : vector.width] += wanted @ vectors.T
            sums[:, fold, :, vector.width :] += wanted @ here.transpose(0, 2, 1)
    return sums
