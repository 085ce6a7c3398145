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
from dataclasses import dataclass, replace

import tensorflow as tf

from data_pipelines.compositing.backgrounds import Backgrounds
from fgseg_tf.data.data_echoing import Echo

# What seeds are folded with, so that no two uses of one draw the same numbers.
CHANGE, SCORING, MIRRORS, ECHOES = 1, 2, 3, 4
PICTURES = ("bg", "fg_bg", "mask")


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
    anything in it does; description: what `open.reopen_data` needs to find it again."""

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
        from_code: Callable,
    ):
        """from_code: depth as it is stored -> float32 in depth_unit."""
        self.height, self.width, self.depth_unit = height, width, depth_unit
        self.labels, self.counts, self.digest, self.description = labels, counts, digest, description
        self._backgrounds, self._from_code = backgrounds, from_code

    @property
    def test_splits(self) -> tuple[str, ...]:
        return tuple(name for name in self.counts if name != "train")

    def scaled_size(self, side: int) -> tuple[int, int]:
        """(height, width) with the shorter one `side`, in the shape of these pictures; 0 for their own size."""
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
        change: Callable[[dict, tf.Tensor], dict] | None = None,
        echo: int = 1,
    ) -> tf.data.Dataset:
        """Endless batches of `batch` examples for this worker, of static shape.

        mirror: half of them left to right. change: done to each example, with a seed of its own, as `Capture.change`.
        echo: how often each composite is shown, changed in the same way but mirrored anew.
        """
        # Of the worker's own numbers, which is why the worker is part of the seed.
        first, own = order.first // order.workers, [order.seed & 0x7FFFFFFF, 2 + order.worker]
        made, echoes = first, Echo(echo, batch, tf.random.fold_in(own, ECHOES))
        if echo > 1:
            made = echoes.composites_before(first)
            order = replace(order, first=made * order.workers)
        layers, examples_of = self._shuffled("train", order), self._make_reader(size)

        def finish(number, examples):
            if not change:
                examples = examples_of(examples)
            if mirror:
                # As an example's place in the stream says: otherwise in the next pass.
                numbers = first + number * batch + tf.range(batch, dtype=tf.int64)
                which = _draw_coins(numbers, tf.random.fold_in(own, MIRRORS))
                pictures = {key: examples[key] for key in (*PICTURES, "depth")}
                examples |= {key: self._backgrounds.mirror(picture, which) for key, picture in pictures.items()}
            return self._to_floats(examples)

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
        return finished.prefetch(2).with_options(options)

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
        examples, examples_of = self._in_order(split), self._make_reader(size, scored=True)
        examples = examples.skip(first).take(self.counts[split] if count is None else count)
        if change:
            examples = examples.map(
                lambda layer: _apply_change(change, examples_of(layer), scoring_seed(layer["index"])),
                num_parallel_calls=tf.data.AUTOTUNE,
            )

        def finish(examples):
            return self._to_floats(examples if change else examples_of(examples))

        return examples.batch(batch).map(finish).prefetch(2)

    @abstractmethod
    def name(self, index: int) -> str:
        """Returns the name of a composite, such as "bg005-fg073-flip-p07"."""

    @abstractmethod
    def explain_failure(self) -> str:
        """Returns a sentence that says what is to blame, when reading failed."""

    @abstractmethod
    def _shuffled(self, split: str, order: Order) -> tf.data.Dataset:
        """Endless layers, as of `records.decode_layer`, of all of which `order` gives this worker its part."""

    @abstractmethod
    def _in_order(self, split: str) -> tf.data.Dataset:
        """All of them, once."""

    def _make_reader(self, size: tuple[int, int], scored: bool = False) -> Callable[[dict], dict]:
        """A function of one layer, or of a batch, which costs less -> `bg`, `fg_bg` and `mask`, uint8, and codes of
        depth, at the wanted size.
        """
        depths = ("depth", "bg_depth") if scored else ("depth",)
        own_size = size == (self.height, self.width)
        # Once, not again with every example that has it.
        scenes = self._backgrounds.pictures if own_size else _shrink_all(self._backgrounds.pictures, size)

        def examples(layers):
            whole: dict[str, tf.Tensor] = dict(self._backgrounds.complete(layers))
            if own_size:
                return {key: whole[key] for key in ("index", *PICTURES, *depths)}
            return {
                "index": whole["index"],
                "bg": self._backgrounds.gather(layers, scenes),
                **{key: _shrink(whole[key], size) for key in ("fg_bg", "mask")},
                **{key: tf.image.resize(whole[key], size, method="nearest") for key in depths},
            }

        return examples

    def _to_floats(self, examples: dict) -> dict:
        # Of a whole batch, and no sooner: four times the bytes.
        pictures = {key: tf.cast(examples[key], tf.float32) / 255 for key in PICTURES}
        depths = {key: self._from_code(examples[key]) for key in ("depth", "bg_depth") if key in examples}
        return {"index": examples["index"], **pictures, **depths}


def _shrink(levels: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Pictures, uint8, made smaller."""
    return tf.cast(tf.round(tf.image.resize(levels, size, method="area")), tf.uint8)


def _shrink_all(pictures: tf.Tensor, size: tuple[int, int], together: int = 64) -> tf.Tensor:
    """Of thousands, a few at a time: on the way they are floats."""
    with tf.device("/CPU:0"):
        return tf.concat(
            [_shrink(pictures[at : at + together], size) for at in range(0, len(pictures), together)], axis=0
        )


def scoring_seed(index: tf.Tensor) -> tf.Tensor:
    """Of a composite, wherever it is scored or shown."""
    return tf.random.fold_in([0, SCORING], index)


def _apply_change(change: Callable, example: dict, seed: tf.Tensor) -> dict:
    """By a function that takes and answers the three pictures as one, `pictures` uint8 [h, w, 7]."""
    rest = {key: value for key, value in example.items() if key not in PICTURES}
    changed = change({**rest, "pictures": tf.concat([example[key] for key in PICTURES], -1)}, seed)
    pictures = tf.split(changed.pop("pictures"), [3, 3, 1], axis=-1)
    return {**changed, **dict(zip(PICTURES, pictures, strict=True))}


def _draw_coins(numbers: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """bool [B]: one side or the other for each number, whatever batch it comes in."""
    return tf.random.experimental.index_shuffle(numbers % 2**31, seed, 2**31 - 1) % 2 == 1
