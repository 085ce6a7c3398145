"""Makes of composites what a camera sees whose background's depth is known, to learn the depth of objects from.

    view        a part of the picture, at half the size: fields of view differ, and its edge cuts objects
    scale       all distances times a number: a street is a table with toys
    background  its depth as it is known: smoothed, off by some percent, with holes that were filled, in coarse steps
    mask        as a network finds it: outlines that are off, parts that are missing
    border      strips in which a camera shows nothing, such as a black or overexposed edge: an object that ends there
                is cut, as by the edge of the picture
    appearance  of some examples nothing is seen: then only the mask and the background's depth tell

The depth to be learned is known on objects alone.
"""

from typing import cast

import tensorflow as tf

from data_pipelines.compositing.backgrounds import JoinedExample
from fgseg_tf.data.base import Batch
from fgseg_tf.data.random_draws import Draws
from fgseg_tf.data.warping import static_size
from fgseg_tf.model.depth_code import FARTHEST, NEAREST

VIEW = 7  # what the seed of a view is folded with
ENLARGED = 2  # examples are read so much larger than the network sees them, so that a part of one is as sharp
WHOLE, LEAST_VIEW = 0.5, 0.55  # share of examples seen as a whole; least side of a part, of 1
SCALED, SCALES = 0.5, (-2.3, 0.4)  # share of examples; logarithms of the least and the greatest scale
BLURRED, BLURS = 0.3, (5, 7)  # share of examples for each; pixels
OFF, OFF_BROADLY, OFF_NEARBY = 0.4, 0.08, 0.04  # share of examples; logarithms of smooth fields
HOLES = 0.4  # share of examples
STEPS, STEP = 0.2, 0.08  # share of examples; logarithm
MASK_OFF = 0.5  # share of examples
# Of each edge: share of examples that have a strip along it, and its most share of the picture's side.
BORDERS = {"bottom": (0.4, 0.08), "top": (0.1, 0.05), "left": (0.1, 0.05), "right": (0.1, 0.05)}
UNSEEN = 0.4  # share of examples
SMALLEST = 3  # pixels, of the pyramid that fills holes


def choose_view(example: JoinedExample, seed: tf.Tensor) -> JoinedExample:
    """Returns a part of an example, or all of it, at half the size; `seed` is int [2]."""
    # Others than those of the exposures, which have the same seed.
    draws = Draws(tf.random.fold_in(tf.cast(seed, tf.int32), VIEW), 4)
    height, width = static_size(example["pictures"])
    zoom = tf.where(draws.uniform() < WHOLE, 1.0, draws.between(LEAST_VIEW, 1.0))
    sides = [tf.cast(tf.round(side * zoom), tf.int32) for side in (height, width)]
    top, left = (
        tf.cast(draws.uniform() * tf.cast(side - part, tf.float32), tf.int32)
        for side, part in zip((height, width), sides, strict=True)
    )
    size = height // ENLARGED, width // ENLARGED

    def see(picture, method):
        seen = tf.image.resize(picture[top : top + sides[0], left : left + sides[1]], size, method)
        return tf.cast(tf.round(seen), picture.dtype)

    rest = {key: value for key, value in dict(example).items() if key == "index"}
    depths = {key: see(example[key], "nearest") for key in ("depth", "bg_depth")}
    return cast(JoinedExample, {**rest, **depths, "pictures": see(example["pictures"], "area")})


def vary_knowledge(batch: Batch, seed: tf.Tensor) -> Batch:
    """Returns examples as a camera knows them; see the top of this file.

    Args:
        batch: with `bg_depth`, of known size.
        seed: int [2].
    """
    seed = tf.cast(seed, tf.int32)
    fields = _Fields(batch["mask"], seed)
    scale = tf.where(fields.happens(SCALED), tf.exp(fields.between(*SCALES)), 1.0)
    depth = keep_objects(batch)["depth"] * scale
    log = tf.math.log(tf.clip_by_value(batch["bg_depth"] * scale, NEAREST, FARTHEST))
    for pixels in BLURS:
        log = tf.where(fields.happens(BLURRED), tf.nn.avg_pool2d(log, pixels, 1, "SAME"), log)
    off = OFF_BROADLY * fields.between(0, 1) * fields.smooth(5) + OFF_NEARBY * fields.between(0, 1) * fields.smooth(24)
    log = tf.where(fields.happens(OFF), log + off, log)
    seen = tf.cast(0.6 * fields.smooth(16) + 0.5 * fields.smooth(40) < fields.between(0.3, 1.6), tf.float32)
    log = tf.where(fields.happens(HOLES), fill_with_farthest(log, seen), log)
    log = tf.where(fields.happens(STEPS), tf.round(log / STEP) * STEP, log)
    mask = tf.where(fields.happens(MASK_OFF), _find_badly(batch["mask"], fields), batch["mask"])
    unseen, blank = fields.happens(UNSEEN), _draw_borders(batch["mask"], fields)
    level = tf.cast(fields.happens(0.5), tf.float32)
    pictures = {key: tf.where(unseen, 0.5, tf.where(blank, level, batch[key])) for key in ("bg", "fg_bg")}
    mask, depth = (tf.where(blank, 0.0, plane) for plane in (mask, depth))
    return cast(Batch, {**batch, **pictures, "mask": mask, "depth": depth, "bg_depth": tf.exp(log)})


def keep_objects(batch: Batch) -> Batch:
    """Returns examples whose depth is known on objects alone, and never behind what they hide."""
    nearest = tf.minimum(batch["depth"], batch["bg_depth"])
    return {**batch, "depth": tf.where(batch["mask"] >= 0.5, nearest, 0.0)}


def fill_with_farthest(values: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """Fills holes with the farthest value around them, from as small a region as has one.

    Args:
        values: [B, H, W, 1].
        known: 1 where a value is known, else 0; of the same shape.
    """
    height, width = static_size(values[0])
    lowest = values.dtype.min
    if min(height, width) <= SMALLEST:
        farthest = tf.reduce_max(tf.where(known > 0, values, lowest), [1, 2], keepdims=True)
        return tf.where(known > 0, values, tf.broadcast_to(farthest, tf.shape(values)))
    halved = tf.nn.max_pool2d(tf.where(known > 0, values, lowest), 2, 2, "SAME")
    around = fill_with_farthest(halved, tf.nn.max_pool2d(known, 2, 2, "SAME"))
    return tf.where(known > 0, values, tf.image.resize(around, (height, width), "nearest"))


def _draw_borders(mask: tf.Tensor, fields: "_Fields") -> tf.Tensor:
    """Returns where a camera shows nothing, bool [B, H, W, 1]."""
    height, width = static_size(mask[0])
    row = ((tf.range(height, dtype=tf.float32) + 0.5) / height)[None, :, None, None]
    column = ((tf.range(width, dtype=tf.float32) + 0.5) / width)[None, None, :, None]
    from_edge = {"bottom": 1 - row, "top": row, "left": column, "right": 1 - column}
    blank = tf.zeros_like(mask, tf.bool)
    for edge, (share, most) in BORDERS.items():
        strip = tf.where(fields.happens(share), fields.between(0.0, most), 0.0)
        blank |= from_edge[edge] < strip
    return blank


def _find_badly(mask: tf.Tensor, fields: "_Fields") -> tf.Tensor:
    """Returns masks as a network finds them."""
    level = tf.maximum(fields.between(0.15, 0.85) + 0.2 * fields.smooth(10), 0.1)
    sharpness = fields.between(4.0, 20.0)
    outlined = tf.sigmoid(sharpness * (tf.nn.avg_pool2d(mask, 3, 1, "SAME") - level))
    return tf.where(fields.smooth(9) > fields.between(1.2, 3.0), 0.0, outlined)


class _Fields:
    """Draws numbers, one for each example of a batch, and smooth random fields."""

    def __init__(self, like: tf.Tensor, seed: tf.Tensor):
        self._count, self._size = tf.shape(like)[0], static_size(like[0])
        self._seed, self._drawn = seed, 0

    def _next_seed(self) -> tf.Tensor:
        self._drawn += 1
        return tf.random.fold_in(self._seed, self._drawn)

    def between(self, least: float, most: float) -> tf.Tensor:
        """Returns numbers, float32 [B, 1, 1, 1]."""
        return tf.random.stateless_uniform([self._count, 1, 1, 1], self._next_seed(), least, most)

    def happens(self, share: float) -> tf.Tensor:
        """Returns bool [B, 1, 1, 1], true in a share of examples."""
        return self.between(0.0, 1.0) < share

    def smooth(self, points: int) -> tf.Tensor:
        """Returns fields, float32 [B, H, W, 1], normally distributed at `points` places a side."""
        drawn = tf.random.stateless_normal([self._count, points, points, 1], self._next_seed())
        return tf.image.resize(drawn, self._size, "bicubic")
