"""The data set on disk: the schema of its records, shards, statistics, manifest; exporting and resuming."""
