"""This computer: the cache folder, locks, digests, processes, clocks, hardware."""
