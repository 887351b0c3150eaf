"""Which features follow from one another: the groups that share a direction without variance."""

import numpy as np

from tandem.records import Array

NEARLY = 1e4  # condition number; a coefficient's variance grows with its square
_PART = 1e-3  # of a relation: two features with a smaller product of weights do not share it

Groups = tuple[tuple[int, ...], ...]


def groups(directions: Array) -> Groups:
    """The sets of features that are tied together: positions in order, sets of two or more.

    `directions`: V V', shape (features, features), V being the eigenvectors of the standardised
    features' Gram matrix whose eigenvalues count as 0, or that of the smallest one alone. Features
    i and j share a relation where |(V V')_ij| > 1e-3. V V' does not depend on which vectors span
    the null space, and relations without a common feature are blocks of it.
    """
    linked = np.abs(directions) > _PART
    np.fill_diagonal(linked, val=True)
    left = {*np.flatnonzero(linked.sum(axis=0) > 1).tolist()}
    found = []
    while left:
        group, wider = set[int](), {min(left)}
        while group != wider:
            group = wider
            wider = {*np.flatnonzero(linked[sorted(group)].any(axis=0)).tolist()}
        found.append(tuple(sorted(group)))
        left -= group
    return tuple(found)
