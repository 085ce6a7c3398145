"""Examples made on the fly, by the code that makes shards; nothing is written."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import cache

import numpy as np
import tensorflow as tf

from data_pipelines.compositing import depth_labels
from data_pipelines.compositing.compositor import build_compositor, label_backgrounds
from data_pipelines.compositing.relative_labels import leave_out_unscaled
from data_pipelines.config import DatasetConfig, TeacherConfig
from data_pipelines.sources.source_set import load_sources
from data_pipelines.teacher.loading import load_described_teacher
from data_pipelines.tfrecord import resume
from data_pipelines.tfrecord.manifest import Options
from fgseg_tf.data.base import Data


class CompositeData(Data):
    """Composites made on the fly, by the code that makes shards; nothing is written."""

    def __init__(self, config: DatasetConfig):
        if config.labels == "teacher":
            raise ValueError(
                "`labels`=teacher looks at every composite, which is too slow on the fly; write shards with "
                "fgseg make-data and train from them, or take ground."
            )
        load_teacher: Callable = cache(lambda: load_described_teacher(config.teacher))
        sources, _ = leave_out_unscaled(load_sources(config), config, load_teacher)
        identity = {} if config.labels == "exact" else teacher_identity(config)
        codes = label_backgrounds(sources, config, load_teacher, 8)
        self._compositor = build_compositor(sources, codes, config)
        self._splits = {split.name: split for split in self._compositor.splits}
        options = resume.make_options(sources, config, identity, 0, 0)
        with_paths = resume.make_options(sources, config, identity, 0, 0, with_paths=True)
        super().__init__(
            height=config.height,
            width=config.width,
            depth_unit=depth_labels.DEPTH_UNIT,
            labels=config.labels,
            counts={name: split.count for name, split in self._splits.items()},
            digest=_hash_options(options),
            description={"recipe": config.to_dict()},
            backgrounds=self._compositor.backgrounds,
            decode_depth=depth_labels.decode_depth,
            earlier_digests=(_hash_options(with_paths),),
        )

    def name(self, index: int) -> str:
        """Returns the name of a composite."""
        return self._compositor.grid.format_name(index)

    def explain_failure(self) -> str:
        """Returns a sentence about where a broken composite came from."""
        return "the pictures are in memory, so no file is to blame."

    def _in_order(self, split):
        return self._make_layers(split, tf.data.Dataset.range(self.counts[split]))

    def _shuffled(self, split, order):
        count = self.counts[split]

        def position(number):
            seed = tf.random.fold_in([order.seed & 0x7FFFFFFF, 1], tf.cast(number // count, tf.int32))
            return tf.random.experimental.index_shuffle(number % count, seed=seed, max_index=count - 1)

        numbers = tf.data.Dataset.range(order.first + order.worker, np.iinfo(np.int64).max, order.workers)
        return self._make_layers(split, numbers.map(position))

    def _make_layers(self, split, positions):
        plans = self._compositor.plan_positions(self._splits[split], positions)
        return plans.map(self._compositor.compose_layer, num_parallel_calls=tf.data.AUTOTUNE)


def _hash_options(options: Options) -> str:
    return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()


def teacher_identity(config: DatasetConfig) -> dict:
    """Returns what of the teacher decides the labels; what is not given is left out."""
    own, usual = asdict(config.teacher), asdict(TeacherConfig())
    return {name: value for name, value in own.items() if name == "weights" or value != usual[name]}
