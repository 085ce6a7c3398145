"""Examples -> batches for training and for scoring, wherever the examples come from.

A `Data` says what there is (size, splits, counts, unit) and gives two kinds of tf.data:

    training(...)   an endless stream of batches in a shuffled order that is a function of the seed; started at any
                    example, it goes on as if it had never stopped
    scoring(...)    every example of a split once, in order

Batches are dicts of float32 [B, H, W, c]: `bg`, `fg_bg` [.., 3] and `mask` [.., 1] in [0, 1], `depth` [.., 1] in metres
(0 unknown), and `index` int64 [B], the number of the composite.

Smaller than they are stored, pictures and masks are averaged over areas and depth takes the nearest value: a filter
would invent a distance between a person and the wall behind.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import tensorflow as tf

# What seeds are folded with, so that no two uses of one draw the same numbers.
CHANGE, SCORING = 1, 2


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
    anything in it does; description: what `dataset.reopened` needs to find it again."""

    def __init__(
        self,
        *,
        height: int,
        width: int,
        depth_unit: str,
        labels: str,
        counts: dict[str, int],
        digest: str,
        description: dict,
        background_depths: tf.Tensor,
        from_code: Callable,
    ):
        """background_depths: of the empty scenes, [n, height, width, 1], as stored.

        from_code: depth as it is stored -> float32 in depth_unit.
        """
        self.height, self.width, self.depth_unit = height, width, depth_unit
        self.labels, self.counts, self.digest, self.description = labels, counts, digest, description
        self._background_depths, self._from_code = background_depths, from_code

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

    def training(
        self,
        batch: int,
        size: tuple[int, int],
        order: Order,
        mirror: bool = True,
        change: Callable[[dict, tf.Tensor], dict] | None = None,
    ) -> tf.data.Dataset:
        """Endless batches of `batch` examples for this worker, of static shape.

        mirror: half of them left to right. change: done to each example, with a seed of its own, as `Capture.change`.
        """
        examples = self._shuffled("train", order, partial(self._example, size=size))
        examples = _varied(examples, order, mirror, change)
        options = tf.data.Options()
        options.deterministic = order.deterministic
        return self._batched(examples, batch, drop_remainder=True).with_options(options)

    def scoring(
        self,
        split: str,
        batch: int,
        size: tuple[int, int],
        count: int | None = None,
        change: Callable[[dict, tf.Tensor], dict] | None = None,
        first: int = 0,
    ) -> tf.data.Dataset:
        """`count` examples of a split from number `first` on, or all of them; the last batch may be smaller.

        They also have `bg_depth`, the depth of the scene with nobody in it, as `depth` is. change: as in training, but
        the seed is that of the composite: it is changed in the same way whenever it comes.
        """
        if split not in self.counts:
            raise ValueError(f"there is no split {split!r} here; take {', '.join(self.counts)}.")
        examples = self._in_order(split, partial(self._scored_example, size=size))
        examples = examples.skip(first).take(self.counts[split] if count is None else count)
        if change:
            examples = examples.map(
                lambda example: change(example, scoring_seed(example["index"])),
                num_parallel_calls=tf.data.AUTOTUNE,
            )
        return self._batched(examples, batch, drop_remainder=False)

    @abstractmethod
    def name(self, index: int) -> str:
        """bg005-fg073-flip-p07"""

    @abstractmethod
    def explain(self) -> str:
        """What is to blame, when reading failed."""

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

    def _scored_example(self, whole: dict, size: tuple[int, int]) -> dict:
        scenery = tf.gather(self._background_depths, whole["bg_index"])
        mirrored = tf.cast(whole["bg_flipped"], tf.bool)
        codes = tf.where(mirrored, tf.reverse(scenery, [1]), scenery)
        alone = self._example({**whole, "depth": codes}, size)
        return {**self._example(whole, size), "bg_depth": alone["depth"]}

    def _batched(self, examples: tf.data.Dataset, batch: int, drop_remainder: bool) -> tf.data.Dataset:
        return examples.batch(batch, drop_remainder=drop_remainder).map(self._as_floats).prefetch(2)

    def _as_floats(self, examples: dict) -> dict:
        # A whole batch at once, and no sooner: four times the bytes.
        pictures = tf.cast(examples["pictures"], tf.float32) / 255
        bg, fg_bg, mask = tf.split(pictures, [3, 3, 1], axis=-1)
        depths = {key: self._from_code(examples[key]) for key in ("depth", "bg_depth") if key in examples}
        return {"index": examples["index"], "bg": bg, "fg_bg": fg_bg, "mask": mask, **depths}


def scoring_seed(index: tf.Tensor) -> tf.Tensor:
    """Of a composite, wherever it is scored or shown."""
    return tf.random.fold_in([0, SCORING], index)


def _varied(examples: tf.data.Dataset, order: Order, mirror: bool, change: Callable | None) -> tf.data.Dataset:
    """Each as its place in the stream says: otherwise in the next pass."""

    def varied(number, example):
        # Of the worker's own numbers, which is why the worker is part of the seed.
        seed = tf.random.fold_in([order.seed & 0x7FFFFFFF, 2 + order.worker], tf.cast(number, tf.int32))
        if mirror:
            example = tf.cond(tf.random.stateless_uniform([], seed) < 0.5, partial(_mirrored, example), lambda: example)
        return change(example, tf.random.fold_in(seed, CHANGE)) if change else example

    if not (mirror or change):
        return examples
    numbered = examples.enumerate(order.first // order.workers)
    return numbered.map(varied, num_parallel_calls=tf.data.AUTOTUNE)


def _mirrored(example: dict) -> dict:
    return {key: tf.reverse(value, [1]) if value.shape.rank else value for key, value in example.items()}
