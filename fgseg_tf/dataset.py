"""What the network is trained and scored on, from shards or from composites made on the fly: the only door to
`data_pipelines`.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from data_pipelines import claim, depth, preparation, records, shards, sources, splits, teacher
from data_pipelines.catalogue import Catalogue
from data_pipelines.commands import command
from data_pipelines.depth import DEPTH_SCALE
from data_pipelines.depth import to_code as depth_to_code
from data_pipelines.examples import Example, Scenes
from data_pipelines.panels import Panel, Step, grey, pixels, sized
from data_pipelines.pictures import ENDINGS as PICTURE_ENDINGS
from data_pipelines.pictures import SourceError as PictureError
from data_pipelines.pictures import in_folder as pictures_in_folder
from data_pipelines.pictures import read as read_picture
from data_pipelines.placement import LAYOUTS, Placement
from data_pipelines.preparation import parse_size
from data_pipelines.progress import Progress
from data_pipelines.refusals import sentence
from data_pipelines.sheets import coloured as depth_colours
from data_pipelines.sheets import ramp as colour_ramp
from data_pipelines.survey import Survey
from fgseg_tf.batches import Data, Order

# What this door also hands through: how a command runs, shows progress and ends, colours depth and stores it, reads a
# size; layouts; picture files; what a page about a data set is told; a step of the walk.
__all__ = ["DEPTH_SCALE", "LAYOUTS", "Progress", "colour_ramp", "command", "depth_colours", "depth_to_code", "sentence"]
__all__ += ["PICTURE_ENDINGS", "PictureError", "parse_size", "pictures_in_folder", "read_picture"]
__all__ += ["Catalogue", "Example", "Scenes", "Survey"]
__all__ += ["Panel", "Step", "grey", "pixels", "sized"]
__all__ += ["CompositeData", "Data", "Order", "Recipe", "ShardData", "reopened"]

SHUFFLED = 2048  # records that are mixed; shards are in a shuffled order already
READ_TOGETHER = 8  # shards
# What is read of a record; the others are for people, and lists of any length take long to parse.
LOOKED_AT = tuple(feature for feature in records.COMPOSITE if feature.key not in ("name", "fg_index", "fg_flipped"))


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


class ShardData(Data):
    """A finished data set in a folder."""

    def __init__(self, folder: str):
        manifest = shards.read_manifest(folder)
        self._folder, self._splits = folder, manifest["splits"]
        if manifest["depth_unit"] != depth.DEPTH_UNIT:
            raise ValueError(
                f"{folder} holds depth in the unit {manifest['depth_unit']}, this program works in "
                f"{depth.DEPTH_UNIT}s; make the data set again."
            )
        self._grid = splits.Grid(**manifest["grid"])
        _check_files(folder, manifest)
        height, width = manifest["image_size"]
        path = shards.join(folder, shards.BACKGROUNDS)
        _, pictures, codes = records.read_backgrounds(path, height, width)
        with tf.device("/CPU:0"):
            scenery = records.Scenery(tf.constant(pictures), tf.constant(codes))
        super().__init__(
            height=height,
            width=width,
            depth_unit=manifest["depth_unit"],
            labels=manifest["labels"],
            counts={name: split["records"] for name, split in self._splits.items()},
            digest=shards.measure(shards.join(folder, shards.MANIFEST))[1],
            description={"shards": folder},
            scenery=scenery,
            from_code=partial(depth.from_code, depth_scale=manifest["depth_scale"]),
        )

    def name(self, index: int) -> str:
        return self._grid.name(index)

    def explain(self) -> str:
        """Which record is broken, when reading failed; reads every file to the first one that is."""
        for split in self._splits.values():
            for entry in split["shards"]:
                number, path = 0, shards.join(self._folder, entry["file"])
                try:
                    for serialized in tf.data.TFRecordDataset(path):
                        self._layer(serialized)
                        number += 1
                except (tf.errors.OpError, ValueError):
                    return f"record {number} of {path} is broken; make this file again: delete it and export again."
        return f"every record of {self._folder} can be read."

    def _layer(self, serialized) -> dict:
        return records.decode_layer(records.parse(serialized, LOOKED_AT), self.height, self.width)

    def _in_order(self, split):
        files = [shards.join(self._folder, entry["file"]) for entry in self._splits[split]["shards"]]
        return tf.data.TFRecordDataset(files).map(self._layer, num_parallel_calls=tf.data.AUTOTUNE)

    def _shuffled(self, split, order):
        entries = self._splits[split]["shards"]
        by_file = len(entries) >= order.workers
        if by_file:
            entries = entries[order.worker :: order.workers]
        files = tf.constant([shards.join(self._folder, entry["file"]) for entry in entries])
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
        said = json.dumps(claim.identity_of(read, options, identity, 0, 0), sort_keys=True)
        super().__init__(
            height=options.height,
            width=options.width,
            depth_unit=depth.DEPTH_UNIT,
            labels=options.labels,
            counts={name: split.count for name, split in self._splits.items()},
            digest=hashlib.sha256(said.encode()).hexdigest(),
            description={"recipe": asdict(recipe)},
            scenery=preparation.scenery(self._prepared),
            from_code=depth.from_code,
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


def reopened(description: dict) -> Data:
    """What a run was trained on."""
    if "shards" in description:
        return ShardData(description["shards"])
    recipe = description["recipe"]
    pairs = {key: tuple(recipe[key]) for key in ("object_size", "physical_height")}
    return CompositeData(Recipe(**{**recipe, **pairs}))


def _read_sources(recipe: Recipe, options: preparation.Options) -> sources.Sources:
    if recipe.backgrounds is None and recipe.foregrounds is None:
        return sources.from_demo(
            recipe.seed,
            recipe.backgrounds_count or sources.DEMO_COUNT,
            recipe.foregrounds_count or sources.DEMO_COUNT,
            recipe.height,
            recipe.width,
        )
    if not (recipe.backgrounds and recipe.foregrounds):
        raise ValueError("--backgrounds=DIR and --foregrounds=DIR go together; give both, or --data=demo.")
    return sources.from_folders(
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


def _check_files(folder: str, manifest: dict) -> None:
    """Before anything expensive: every file is there and as long as it was."""
    for entry in [manifest["backgrounds"], *(entry for s in manifest["splits"].values() for entry in s["shards"])]:
        path = shards.join(folder, entry["file"])
        if not tf.io.gfile.exists(path):
            raise ValueError(f"{path} is missing; copy it again, or delete manifest.json and export again.")
        found = tf.io.gfile.stat(path).length
        if found != entry["bytes"]:
            raise ValueError(f"{path} has {found} bytes, its manifest says {entry['bytes']}; copy or export it again.")
