"""What the network is trained and scored on, from shards or from composites made on the fly: the only door to
`data_pipelines`.

A `Data` says what there is (size, splits, counts, unit) and gives two kinds of tf.data:

    training(...)   an endless stream of batches in a shuffled order that is a function of the seed; started at any
                    example, it goes on as if it had never stopped
    scoring(...)    every example of a split once, in order

Batches are dicts of float32 [B, H, W, c]: `bg`, `fg_bg` [.., 3] and `mask` [.., 1] in [0, 1], `depth` [.., 1] in metres
(0 unknown), and `index` int64 [B], the number of the composite.

Smaller than they are stored, pictures and masks are averaged over areas and depth takes the nearest value: a filter
would invent a distance between a person and the wall behind.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from data_pipelines import claim, depth, preparation, records, shards, sources, splits, teacher
from data_pipelines.placement import Placement
from data_pipelines.progress import Progress
from data_pipelines.refusals import REFUSALS, sentence
from data_pipelines.sheets import coloured as depth_colours

# What this door also hands through: how a command shows progress, ends a refusal, and colours depth.
__all__ = ["REFUSALS", "Progress", "depth_colours", "sentence"]
__all__ += ["CompositeData", "Data", "Order", "Recipe", "ShardData", "reopened"]

SHUFFLED = 2048  # records that are mixed; shards are in a shuffled order already
READ_TOGETHER = 8  # shards


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
    labels: str = "ground"
    teacher_weights: str = "small"
    field_of_view: float = 55.0
    physical_height: tuple[float, float] = (1.5, 1.9)
    split: str = "sources"
    holdout: float = 0.16
    seed: int = 0
    limit: int = 0


@dataclass(frozen=True)
class Order:
    """Which examples come when. first: how many the whole cluster has seen already. Worker `worker` of `workers`."""

    seed: int = 0
    first: int = 0
    deterministic: bool = True
    worker: int = 0
    workers: int = 1


class Data(ABC):
    """height, width, depth_unit; counts: split -> number of examples; labels: how depth was made; digest: changes when
    anything in it does; description: what `reopened` needs to find it again."""

    def __init__(self, height: int, width: int, labels: str, counts: dict[str, int], digest: str, description: dict):
        self.height, self.width, self.labels, self.counts = height, width, labels, counts
        self.digest, self.description = digest, description
        self.depth_unit = depth.DEPTH_UNIT

    @property
    def test_splits(self) -> tuple[str, ...]:
        return tuple(name for name in self.counts if name != "train")

    def scaled(self, side: int) -> tuple[int, int]:
        """(height, width) with the shorter one `side`, in the shape of these pictures; 0 for their own size."""
        shorter = min(self.height, self.width)
        if side > shorter:
            raise ValueError(
                f"the pictures are {self.height}x{self.width}, so a size of {side} would only blow them up; "
                f"take {shorter} or less, or data of a larger --image_size."
            )
        if not side:
            return self.height, self.width
        return round(self.height * side / shorter), round(self.width * side / shorter)

    def training(self, batch: int, size: tuple[int, int], order: Order, mirror: bool = True) -> tf.data.Dataset:
        """Endless batches of `batch` examples for this worker, of static shape. mirror: half of them left to right."""
        examples = self._shuffled("train", order, partial(self._example, size=size))
        if mirror:
            examples = _mirrored(examples, order)
        options = tf.data.Options()
        options.deterministic = order.deterministic
        return _batched(examples, batch, drop_remainder=True).with_options(options)

    def scoring(self, split: str, batch: int, size: tuple[int, int], count: int | None = None) -> tf.data.Dataset:
        """The first `count` examples of a split, or all; the last batch may be smaller."""
        if split not in self.counts:
            raise ValueError(f"there is no split {split!r} here; take {', '.join(self.counts)}.")
        examples = self._in_order(split, partial(self._example, size=size))
        return _batched(examples.take(self.counts[split] if count is None else count), batch, drop_remainder=False)

    @abstractmethod
    def name(self, index: int) -> str:
        """bg005-fg073-flip-p07"""

    @abstractmethod
    def _shuffled(self, split: str, order: Order, finish: Callable) -> tf.data.Dataset:
        """Endless examples, of all of which `order` gives this worker its part."""

    @abstractmethod
    def _in_order(self, split: str, finish: Callable) -> tf.data.Dataset:
        """All of them, once."""

    def _example(self, whole: dict, size: tuple[int, int]) -> dict:
        """What `records.decode_composite` answers, at the wanted size."""
        pictures = tf.concat([whole["bg"], whole["fg_bg"], whole["mask"]], axis=-1)
        codes = whole["depth"]
        if size != (self.height, self.width):
            pictures = tf.cast(tf.round(tf.image.resize(pictures, size, method="area")), tf.uint8)
            codes = tf.image.resize(codes, size, method="nearest")
        return {"index": whole["index"], "pictures": pictures, "depth": codes}


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
        self._scale = manifest["depth_scale"]
        self._grid = splits.Grid(**manifest["grid"])
        _check_files(folder, manifest)
        super().__init__(
            *manifest["image_size"],
            labels=manifest["labels"],
            counts={name: split["records"] for name, split in self._splits.items()},
            digest=shards.measure(shards.join(folder, shards.MANIFEST))[1],
            description={"shards": folder},
        )
        path = shards.join(folder, shards.BACKGROUNDS)
        _, pictures, codes = records.read_backgrounds(path, self.height, self.width)
        with tf.device("/CPU:0"):
            self._backgrounds, self._depths = tf.constant(pictures), tf.constant(codes)

    def name(self, index: int) -> str:
        return self._grid.name(index)

    def explain(self) -> str:
        """Which record is broken, when reading failed; reads every file to the first one that is."""
        for split in self._splits.values():
            for entry in split["shards"]:
                number, path = 0, shards.join(self._folder, entry["file"])
                try:
                    for serialized in tf.data.TFRecordDataset(path):
                        self._whole(serialized)
                        number += 1
                except (tf.errors.OpError, ValueError):
                    return f"record {number} of {path} is broken; make this file again: delete it and export again."
        return f"every record of {self._folder} can be read."

    def _whole(self, serialized) -> dict:
        return records.decode_composite(records.parse(serialized, records.COMPOSITE), self._backgrounds, self._depths)

    def _in_order(self, split, finish):
        files = [shards.join(self._folder, entry["file"]) for entry in self._splits[split]["shards"]]
        return tf.data.TFRecordDataset(files).map(
            lambda record: finish(self._whole(record)), num_parallel_calls=tf.data.AUTOTUNE
        )

    def _shuffled(self, split, order, finish):
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
        return stream.map(lambda record: finish(self._whole(record)), num_parallel_calls=tf.data.AUTOTUNE)


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
                object_size=tuple(recipe.object_size),
                empty=recipe.empty,
            ),
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
            options.height,
            options.width,
            labels=options.labels,
            counts={name: split.count for name, split in self._splits.items()},
            digest=hashlib.sha256(said.encode()).hexdigest(),
            description={"recipe": asdict(recipe)},
        )
        self._scale = depth.DEPTH_SCALE

    def name(self, index: int) -> str:
        return self._prepared.grid.name(index)

    def explain(self) -> str:
        return "the pictures are in memory, so no file is to blame."

    def _in_order(self, split, finish):
        return self._made(split, tf.data.Dataset.range(self.counts[split]), finish)

    def _shuffled(self, split, order, finish):
        count = self.counts[split]

        def position(number):
            seed = tf.random.fold_in([order.seed & 0x7FFFFFFF, 1], tf.cast(number // count, tf.int32))
            return tf.random.experimental.index_shuffle(number % count, seed=seed, max_index=count - 1)

        numbers = tf.data.Dataset.range(order.first + order.worker, np.iinfo(np.int64).max, order.workers)
        return self._made(split, numbers.map(position), finish)

    def _made(self, split, positions, finish):
        planned = preparation.plans_at(self._prepared, self._splits[split], positions)
        return planned.map(
            lambda plan: finish(preparation.whole(self._prepared, plan)), num_parallel_calls=tf.data.AUTOTUNE
        )


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


def _batched(examples: tf.data.Dataset, batch: int, drop_remainder: bool) -> tf.data.Dataset:
    return examples.batch(batch, drop_remainder=drop_remainder).map(_as_floats).prefetch(2)


def _as_floats(examples: dict) -> dict:
    # A whole batch at once, and no sooner: four times the bytes.
    pictures = tf.cast(examples["pictures"], tf.float32) / 255
    bg, fg_bg, mask = tf.split(pictures, [3, 3, 1], axis=-1)
    metres = depth.from_code(examples["depth"])
    return {"index": examples["index"], "bg": bg, "fg_bg": fg_bg, "mask": mask, "depth": metres}


def _mirrored(examples: tf.data.Dataset, order: Order) -> tf.data.Dataset:
    """Half of them left to right, by their place in the stream: another half in the next pass."""

    def perhaps(number, example):
        # Of the worker's own numbers, which is why the worker is part of the seed.
        seed = tf.random.fold_in([order.seed & 0x7FFFFFFF, 2 + order.worker], tf.cast(number, tf.int32))
        turn = tf.random.stateless_uniform([], seed) < 0.5
        return {
            key: tf.cond(turn, lambda v=value: tf.reverse(v, [1]), lambda v=value: v) if value.shape.rank else value
            for key, value in example.items()
        }

    numbered = examples.enumerate(order.first // order.workers)
    return numbered.map(perhaps, num_parallel_calls=tf.data.AUTOTUNE)
