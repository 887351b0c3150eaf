"""From the user's words to a Dataset: files, schema, CSV, Parquet, flights, samples."""
