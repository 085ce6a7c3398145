"""Examples from a finished data set: TFRecord shards in a folder."""

from functools import partial

import numpy as np
import tensorflow as tf

from data_pipelines.compositing import depth_labels, splits
from data_pipelines.compositing.backgrounds import Backgrounds, Layer
from data_pipelines.runtime.files import join_path
from data_pipelines.runtime.pipelines import disable_tuner
from data_pipelines.tfrecord import schema, shards
from data_pipelines.tfrecord.manifest import MANIFEST_FILE, check_files, read_manifest
from fgseg_tf.data.base import Data

SHUFFLED = 2048  # records that are mixed; shards are in a shuffled order already
READ_TOGETHER = 8  # shards
# What is read of a record; the others are for people, and lists of any length take long to parse.
LOOKED_AT = tuple(feature for feature in schema.COMPOSITE if feature.key not in ("name", "fg_index", "fg_flipped"))


class ShardData(Data):
    """A finished data set in a folder."""

    def __init__(self, folder: str):
        manifest = read_manifest(folder)
        self._folder, self._splits = folder, manifest["splits"]
        if manifest["depth_unit"] != depth_labels.DEPTH_UNIT:
            raise ValueError(
                f"{folder} holds depth in the unit {manifest['depth_unit']}, this program works in "
                f"{depth_labels.DEPTH_UNIT}s; make the data set again."
            )
        self._grid = splits.Grid(**manifest["grid"])
        check_files(folder, manifest)
        height, width = manifest["image_size"]
        path = join_path(folder, shards.BACKGROUNDS)
        _, pictures, codes = schema.read_backgrounds(path, height, width, self._grid.backgrounds)
        with tf.device("/CPU:0"):
            backgrounds = Backgrounds(tf.constant(pictures), tf.constant(codes))
        super().__init__(
            height=height,
            width=width,
            depth_unit=manifest["depth_unit"],
            labels=manifest["labels"],
            counts={name: split["records"] for name, split in self._splits.items()},
            digest=shards.measure_file(join_path(folder, MANIFEST_FILE))[1],
            description={"shards": folder},
            backgrounds=backgrounds,
            decode_depth=partial(depth_labels.decode_depth, depth_scale=manifest["depth_scale"]),
        )

    def name(self, index: int) -> str:
        """Returns the name of a composite."""
        return self._grid.format_name(index)

    def explain_failure(self) -> str:
        """Returns which record is broken, when reading failed; reads every file to the first one that is."""
        for split in self._splits.values():
            for entry in split["shards"]:
                number, path = 0, join_path(self._folder, entry["file"])
                try:
                    for serialized in disable_tuner(tf.data.TFRecordDataset(path)):
                        self._layer(serialized)
                        number += 1
                except (tf.errors.OpError, ValueError):
                    return f"record {number} of {path} is broken; make this file again: delete it and export again."
        return f"every record of {self._folder} can be read."

    def _layer(self, serialized) -> Layer:
        return schema.decode_layer(schema.parse(serialized, LOOKED_AT), self.height, self.width)

    def _in_order(self, split):
        files = [join_path(self._folder, entry["file"]) for entry in self._splits[split]["shards"]]
        return tf.data.TFRecordDataset(files).map(self._layer, num_parallel_calls=tf.data.AUTOTUNE)

    def _shuffled(self, split, order):
        entries = self._splits[split]["shards"]
        by_file = len(entries) >= order.workers
        if by_file:
            entries = entries[order.worker :: order.workers]
        files = tf.constant([join_path(self._folder, entry["file"]) for entry in entries])
        count = sum(entry["records"] for entry in entries)
        first = order.first // order.workers if by_file else order.first

        mixed = tf.random.experimental.stateless_shuffle

        def one_pass(number):
            seed = tf.random.fold_in([order.seed & 0x7FFFFFFF, 1], tf.cast(number, tf.int32))
            shuffled = mixed(files, seed)
            serialized = tf.data.Dataset.from_tensor_slices(shuffled).interleave(
                tf.data.TFRecordDataset, cycle_length=READ_TOGETHER, block_length=16, num_parallel_calls=2
            )
            # Not Dataset.shuffle, whose seed is one for all passes.
            windows = serialized.batch(SHUFFLED).enumerate()
            return windows.map(lambda at, window: mixed(window, tf.random.fold_in(seed, tf.cast(at, tf.int32))))

        passes = tf.data.Dataset.range(first // count, np.iinfo(np.int64).max)
        stream = passes.flat_map(one_pass).prefetch(1).unbatch().skip(first % count)
        if not by_file:
            stream = stream.shard(order.workers, order.worker)
        return stream.map(self._layer, num_parallel_calls=tf.data.AUTOTUNE)
