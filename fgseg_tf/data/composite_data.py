"""Examples made on the fly, by the code that makes shards; nothing is written."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from data_pipelines.compositing import depth_labels
from data_pipelines.compositing import plan as preparation
from data_pipelines.compositing.placement import Placement
from data_pipelines.sources import source_set
from data_pipelines.teacher import network as teacher
from data_pipelines.tfrecord import resume
from fgseg_tf.data.base import Data


@dataclass(frozen=True)
class Recipe:
    """Composites to be made on the fly; as the flags of tools/export_tfrecords.py, whose defaults these are.

    backgrounds, foregrounds: folders, or None for demo sources. labels: exact or ground.
    """

    backgrounds: str | None = None
    foregrounds: str | None = None
    backgrounds_count: int = 0
    foregrounds_count: int = 0
    skip_bad: bool = False
    keep_duplicates: bool = False
    height: int = 224
    width: int = 224
    placement: str = "ground"
    placements: int = 20
    max_objects: int = 1
    truncation: float = 0.0
    object_size: tuple[float, float] = (0.1, 0.9)
    empty: float = 0.0
    flip_backgrounds: bool = False
    seam: str = "soft"
    labels: str = "ground"
    teacher_weights: str = "small"
    field_of_view: float = 55.0
    physical_height: tuple[float, float] = (1.5, 1.9)
    split: str = "sources"
    holdout: float = 0.16
    seed: int = 0
    limit: int = 0


class CompositeData(Data):
    """Composites made on the fly, by the code that makes shards; nothing is written."""

    def __init__(self, recipe: Recipe):
        options = preparation.Options(
            height=recipe.height,
            width=recipe.width,
            seed=recipe.seed,
            placement=Placement(
                layout=recipe.placement,
                places=recipe.placements,
                max_objects=recipe.max_objects,
                truncation=recipe.truncation,
                object_size=recipe.object_size,
                empty=recipe.empty,
                flip_backgrounds=recipe.flip_backgrounds,
            ),
            seam=recipe.seam,
            labels=recipe.labels,
            split=recipe.split,
            holdout=recipe.holdout,
            limit=recipe.limit,
        )
        if options.labels == "teacher":
            raise ValueError(
                "--labels=teacher looks at every composite, which is too slow on the fly; write shards with "
                "tools/export_tfrecords.py and train from them, or take ground."
            )
        read = _read_sources(recipe, options)
        identity = {} if options.labels == "exact" else {"weights": recipe.teacher_weights}
        codes = preparation.background_depth(
            read, options, lambda: teacher.load(recipe.teacher_weights, teacher.usual_size(recipe.teacher_weights)), 8
        )
        self._prepared = preparation.prepare(read, codes, options)
        self._splits = {split.name: split for split in self._prepared.splits}
        said = json.dumps(resume.identity_of(read, options, identity, 0, 0), sort_keys=True)
        super().__init__(
            height=options.height,
            width=options.width,
            depth_unit=depth_labels.DEPTH_UNIT,
            labels=options.labels,
            counts={name: split.count for name, split in self._splits.items()},
            digest=hashlib.sha256(said.encode()).hexdigest(),
            description={"recipe": asdict(recipe)},
            scenery=preparation.scenery(self._prepared),
            from_code=depth_labels.from_code,
        )

    def name(self, index: int) -> str:
        return self._prepared.grid.name(index)

    def explain(self) -> str:
        return "the pictures are in memory, so no file is to blame."

    def _in_order(self, split):
        return self._made(split, tf.data.Dataset.range(self.counts[split]))

    def _shuffled(self, split, order):
        count = self.counts[split]

        def position(number):
            seed = tf.random.fold_in([order.seed & 0x7FFFFFFF, 1], tf.cast(number // count, tf.int32))
            return tf.random.experimental.index_shuffle(number % count, seed=seed, max_index=count - 1)

        numbers = tf.data.Dataset.range(order.first + order.worker, np.iinfo(np.int64).max, order.workers)
        return self._made(split, numbers.map(position))

    def _made(self, split, positions):
        planned = preparation.plans_at(self._prepared, self._splits[split], positions)
        return planned.map(partial(preparation.layer, self._prepared), num_parallel_calls=tf.data.AUTOTUNE)


def _read_sources(recipe: Recipe, options: preparation.Options) -> source_set.Sources:
    if recipe.backgrounds is None and recipe.foregrounds is None:
        return source_set.from_demo(
            recipe.seed,
            recipe.backgrounds_count or source_set.DEMO_COUNT,
            recipe.foregrounds_count or source_set.DEMO_COUNT,
            recipe.height,
            recipe.width,
        )
    if not (recipe.backgrounds and recipe.foregrounds):
        raise ValueError("--backgrounds=DIR and --foregrounds=DIR go together; give both, or --data=demo.")
    return source_set.from_folders(
        recipe.backgrounds,
        recipe.foregrounds,
        recipe.height,
        recipe.width,
        longest=options.placement.largest(recipe.height, recipe.width),
        field_of_view=recipe.field_of_view,
        physical_height=recipe.physical_height,
        background_count=recipe.backgrounds_count or None,
        foreground_count=recipe.foregrounds_count or None,
        skip_bad=recipe.skip_bad,
        keep_duplicates=recipe.keep_duplicates,
    )
