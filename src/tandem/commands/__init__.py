"""One file per command: run, compare, advise; study serves the experiments."""
