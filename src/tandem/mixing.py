"""The permutation of whole numbers that rows are dealt into folds by."""

from typing import Any, TypeVar

# A prime below 2**31 that is 2 modulo 3, so that cubing is a permutation of the residues and
# every product stays below 2**62: Spark's ANSI mode raises on integer overflow.
PRIME = 2_147_483_579
_MULTIPLIER = 1_664_525
_ROUNDS = 3

T = TypeVar("T")


def mixed(row: T, seed: int) -> T:
    """h: affine maps and cubes in turn, modulo a prime; both are permutations.

    `row`: anything that has the operators of whole numbers, so numpy and Spark share the formula.
    """
    found: Any = row
    found = found % PRIME
    for number in range(_ROUNDS):
        offset = (seed % PRIME + 1) * (number + 7) * 1_013_904_223 % PRIME
        found = (found * _MULTIPLIER + offset) % PRIME
        found = found * found % PRIME * found % PRIME
    return found  # type: ignore[no-any-return]  # of T, by its own operators
