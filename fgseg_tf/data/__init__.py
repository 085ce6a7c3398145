"""Batches of examples as tf.data, from shards or composites, seen as two exposures that differ."""
