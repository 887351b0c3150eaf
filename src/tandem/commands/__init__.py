"""One file per command: run, compare, advise, inspect; study serves the experiments."""
