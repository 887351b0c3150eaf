"""How cost grows: with cells and fits, over cores, and where two engines cross."""
