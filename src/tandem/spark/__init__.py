"""Spark: a Java, a session, workers with this package, rows as frames, its cross-validation."""
