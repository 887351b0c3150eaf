"""How cost grows: with cells and fits, over cores, and where two engines cross."""

from tandem.scaling.growth import Crossover, Growth, Interval, crossover, fit

__all__ = [
    "Crossover",
    "Growth",
    "Interval",
    "crossover",
    "fit",
]
