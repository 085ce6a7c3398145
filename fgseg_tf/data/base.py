"""Batches of examples for training and for scoring, wherever the examples come from.

A `Data` knows what there is (size, splits, counts, unit) and makes two kinds of tf.data, of batches as `Batch`
describes them:

    training(...)   an endless stream of batches in a shuffled order that is a function of the seed; started at any
                    example, it goes on as if it had never stopped
    scoring(...)    every example of a split once, in order

Smaller than they are stored, pictures and masks are averaged over areas and depth takes the nearest value: a filter
would invent a distance between a person and the wall behind.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypedDict, cast

import tensorflow as tf

from data_pipelines.compositing.backgrounds import Backgrounds, JoinedExample
from data_pipelines.runtime.pipelines import disable_tuner
from fgseg_tf.data.data_echoing import Echo

# What seeds are folded with, so that no two uses of one draw the same numbers.
CHANGE, SCORING, MIRRORS, ECHOES, LAST = 1, 2, 3, 4, 5
PICTURES = ("bg", "fg_bg", "mask")


@dataclass(frozen=True)
class Order:
    """Which examples of an endless stream a worker takes, and when.

    Attributes:
        seed: of the order.
        first: how many examples all workers together have seen already.
        deterministic: whether batches must come in the same order each time; slower.
        worker: number of this worker, from 0.
        workers: how many there are.
    """

    seed: int = 0
    first: int = 0
    deterministic: bool = True
    worker: int = 0
    workers: int = 1


class Batch(TypedDict, total=False):
    """A batch of examples, as a network is trained and scored on.

    Attributes:
        index: int64 [B], the number of the composite.
        bg, fg_bg: float32 [B, H, W, 3], from 0 to 1.
        mask: float32 [B, H, W, 1], alpha of the foreground, from 0 to 1.
        depth: float32 [B, H, W, 1], metres; 0 is unknown.
        bg_depth: like `depth`, of the background without objects; only where it is asked for, or examples are scored.
    """

    index: tf.Tensor
    bg: tf.Tensor
    fg_bg: tf.Tensor
    mask: tf.Tensor
    depth: tf.Tensor
    bg_depth: tf.Tensor


# Changes an example by random numbers of a seed, int32 or int64 [2], as `Capture.change` does.
Change = Callable[[JoinedExample, tf.Tensor], JoinedExample]
# Changes a batch by random numbers of a seed, int32 or int64 [2], as `object_examples.vary_knowledge` does.
BatchChange = Callable[[Batch, tf.Tensor], Batch]


class Data(ABC):
    """Examples of a data set, by splits, as batches for training and for scoring.

    Attributes:
        height: of the pictures as they are stored, in pixels.
        width: likewise.
        depth_unit: unit of `depth`, "metre".
        labels: how depth was made: "teacher", "ground" or "exact".
        counts: the number of examples of each split; the first split is "train".
        digest: SHA-256 that changes when anything in the data set does.
        description: what `reopen_data` needs to open the data set again; part of a run's settings.
        earlier_digests: what versions before would have had as `digest`.
    """

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
        backgrounds: Backgrounds,
        decode_depth: Callable[[tf.Tensor], tf.Tensor],
        earlier_digests: tuple[str, ...] = (),
    ):
        """Takes the attributes, the backgrounds, and what decodes depth as it is stored to float32 in depth_unit."""
        self.height, self.width, self.depth_unit = height, width, depth_unit
        self.labels, self.counts, self.digest, self.description = labels, counts, digest, description
        self.earlier_digests = earlier_digests
        self._backgrounds, self._from_code = backgrounds, decode_depth

    @property
    def test_splits(self) -> tuple[str, ...]:
        """The names of all splits but "train"; the last one is the hardest."""
        return tuple(name for name in self.counts if name != "train")

    def has_digest(self, digest: str) -> bool:
        """Returns whether a digest is this data set's, also one that a version before noted."""
        return digest in (self.digest, *self.earlier_digests)

    def scaled_size(self, side: int) -> tuple[int, int]:
        """Returns (height, width) with the shorter one `side`, in the proportions of the pictures.

        Args:
            side: pixels; 0 for the pictures' own size.

        Raises:
            ValueError: the pictures are smaller.
        """
        shorter = min(self.height, self.width)
        if side > shorter:
            raise ValueError(
                f"the pictures are {self.height}x{self.width}, so a size of {side} would only blow them up; "
                f"take {shorter} or less, or data of a larger `image_size`."
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
        change: Change | None = None,
        echo: int = 1,
        last_change: BatchChange | None = None,
    ) -> tf.data.Dataset:
        """Returns endless batches of the training split, of static shape, as `Batch` describes them.

        Args:
            batch: examples in a batch of this worker.
            size: height and width.
            order: which examples come when.
            mirror: whether half of them are mirrored left to right.
            change: applied to each example with a seed of its own, as `Capture.change`.
            echo: how often each composite is shown, changed in the same way but mirrored anew.
            last_change: applied to each batch, which then has `bg_depth` too, with a seed of its own.
        """
        # Of the worker's own numbers, which is why the worker is part of the seed.
        first, own = order.first // order.workers, [order.seed & 0x7FFFFFFF, 2 + order.worker]
        made, echoes = first, Echo(echo, batch, tf.random.fold_in(own, ECHOES))
        if echo > 1:
            made = echoes.composites_before(first)
            order = replace(order, first=made * order.workers)
        layers, examples_of = self._shuffled("train", order), self._make_reader(size, bool(last_change))

        def finish(number, examples):
            if not change:
                examples = examples_of(examples)
            numbers = first + number * batch + tf.range(batch, dtype=tf.int64)
            if mirror:
                # As an example's place in the stream says: otherwise in the next pass.
                which = _draw_coins(numbers, tf.random.fold_in(own, MIRRORS))
                pictures = {key: picture for key, picture in examples.items() if key != "index"}
                examples |= {key: self._backgrounds.mirror(picture, which) for key, picture in pictures.items()}
            floats = self._to_floats(examples)
            if not last_change:
                return floats
            return last_change(floats, tf.random.fold_in(tf.random.fold_in(own, numbers[0]), LAST))

        if change:
            layers = layers.enumerate(made).map(
                lambda number, layer: _apply_change(
                    change, examples_of(layer), tf.random.fold_in(tf.random.fold_in(own, number), CHANGE)
                ),
                num_parallel_calls=tf.data.AUTOTUNE,
            )
        options = tf.data.Options()
        options.deterministic = order.deterministic
        batches = echoes.batches(layers, first) if echo > 1 else layers.batch(batch, drop_remainder=True)
        finished = batches.enumerate().map(finish, num_parallel_calls=tf.data.AUTOTUNE)
        return disable_tuner(finished.prefetch(2).with_options(options))

    def scoring(
        self,
        split: str,
        batch: int,
        size: tuple[int, int],
        count: int | None = None,
        change: Change | None = None,
        first: int = 0,
    ) -> tf.data.Dataset:
        """Returns examples of a split once, in order, as `Batch` describes them; the last batch may be smaller.

        Args:
            split: one of `counts`.
            batch: examples in a batch.
            size: height and width.
            count: how many examples; None for all from `first` on.
            change: as in training, but with the seed of the composite, which so is changed in the same way each time.
            first: number of the first example.

        Raises:
            ValueError: there is no such split.
        """
        if split not in self.counts:
            raise ValueError(f"there is no split {split!r} here; take {', '.join(self.counts)}.")
        examples, examples_of = self._in_order(split), self._make_reader(size, with_bg_depth=True)
        examples = examples.skip(first).take(self.counts[split] if count is None else count)
        if change:
            examples = examples.map(
                lambda layer: _apply_change(change, examples_of(layer), scoring_seed(layer["index"])),
                num_parallel_calls=tf.data.AUTOTUNE,
            )

        def finish(examples):
            return self._to_floats(examples if change else examples_of(examples))

        return disable_tuner(examples.batch(batch).map(finish).prefetch(2))

    @abstractmethod
    def name(self, index: int) -> str:
        """Returns the name of a composite, such as "bg005-fg073-flip-p07"."""

    @abstractmethod
    def explain_failure(self) -> str:
        """Returns a sentence that says what is to blame, when reading failed."""

    @abstractmethod
    def _shuffled(self, split: str, order: Order) -> tf.data.Dataset:
        """Returns endless layers, as of `records.decode_layer`, of all of which `order` gives this worker its part."""

    @abstractmethod
    def _in_order(self, split: str) -> tf.data.Dataset:
        """Returns all layers of a split once, in order."""

    def _make_reader(self, size: tuple[int, int], with_bg_depth: bool = False) -> Callable[[dict], dict]:
        """Returns a function from a layer, or from a batch of them, to `index`, pictures and depth at the wanted size.

        The function returns `bg`, `fg_bg` and `mask`, uint8, and codes of depth. A batch costs less.
        """
        depths = ("depth", "bg_depth") if with_bg_depth else ("depth",)
        own_size = size == (self.height, self.width)
        # Scaled once, not again with every example of the background.
        backgrounds = self._backgrounds.pictures if own_size else _shrink_all(self._backgrounds.pictures, size)

        def examples(layers):
            whole: dict[str, tf.Tensor] = dict(self._backgrounds.complete(layers))
            if own_size:
                return {key: whole[key] for key in ("index", *PICTURES, *depths)}
            return {
                "index": whole["index"],
                "bg": self._backgrounds.gather(layers, backgrounds),
                **{key: _shrink(whole[key], size) for key in ("fg_bg", "mask")},
                **{key: tf.image.resize(whole[key], size, method="nearest") for key in depths},
            }

        return examples

    def _to_floats(self, examples: dict) -> Batch:
        # Only when the batch is complete: floats take four times the bytes.
        pictures = {key: tf.cast(examples[key], tf.float32) / 255 for key in PICTURES}
        depths = {key: self._from_code(examples[key]) for key in ("depth", "bg_depth") if key in examples}
        return cast(Batch, {"index": examples["index"], **pictures, **depths})


def _shrink(levels: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Returns pictures, uint8, averaged over areas to a smaller size."""
    return tf.cast(tf.round(tf.image.resize(levels, size, method="area")), tf.uint8)


def _shrink_all(pictures: tf.Tensor, size: tuple[int, int], together: int = 64) -> tf.Tensor:
    """Returns thousands of pictures at a smaller size, a few at a time: in between they are floats."""
    with tf.device("/CPU:0"):
        return tf.concat(
            [_shrink(pictures[at : at + together], size) for at in range(0, len(pictures), together)], axis=0
        )


def scoring_seed(index: tf.Tensor) -> tf.Tensor:
    """Returns the seed of a composite, by its number, wherever it is scored or shown."""
    return tf.random.fold_in([0, SCORING], index)


def _apply_change(change: Change, example: dict, seed: tf.Tensor) -> dict:
    """Applies a change, which takes the three pictures as one, to an example that has them by their names."""
    rest = {key: value for key, value in example.items() if key not in PICTURES}
    joined = cast(JoinedExample, {**rest, "pictures": tf.concat([example[key] for key in PICTURES], -1)})
    changed = dict(change(joined, seed))
    pictures = tf.split(changed.pop("pictures"), [3, 3, 1], axis=-1)
    return {**changed, **dict(zip(PICTURES, pictures, strict=True))}


def _draw_coins(numbers: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns bool [B], drawn for each number, whatever batch it comes in."""
    return tf.random.experimental.index_shuffle(numbers % 2**31, seed, 2**31 - 1) % 2 == 1
