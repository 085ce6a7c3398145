"""Makes the data: from pictures of empty scenes and cut-outs to verified TFRecord shards."""
