"""Which fold a row is in: a function of row id, k and seed, written once for every frame."""

import narwhals as nw

from tandem.records import Folds

# A prime below 2**31 that is 2 modulo 3, so that cubing is a permutation of the residues and
# every product stays below 2**62: Spark's ANSI mode raises on integer overflow.
_PRIME = 2_147_483_579
_MULTIPLIER = 1_664_525
_ROUNDS = 3

ROW_ID = "row_id"
FOLD = "fold"


def fold_expression(folds: Folds) -> nw.Expr:
    """fold = h(row_id - row_id % block, seed) % k as an integer column named `fold`.

    h alternates affine maps and cubes modulo a prime, both permutations, so that folds are of
    equal size to within sampling noise, whatever the order of the rows, and so that the fold for
    a k that divides K is the fold for K modulo k.
    """
    row = nw.col(ROW_ID) - nw.col(ROW_ID) % folds.block
    mixed = row % _PRIME
    for number in range(_ROUNDS):
        offset = (folds.seed % _PRIME + 1) * (number + 7) * 1_013_904_223 % _PRIME
        mixed = (mixed * _MULTIPLIER + offset) % _PRIME
        mixed = mixed * mixed % _PRIME * mixed % _PRIME
    return (mixed % folds.k).alias(FOLD)
