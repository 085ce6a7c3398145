"""Learns from the shards that data_pipelines publishes, and serves what was learned."""
