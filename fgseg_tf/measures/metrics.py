"""Metrics of masks and depth: one value per example, and weighted means over a whole evaluation.

Every metric returns a pair (value, weight), float32 [B] each. The value of many examples is the mean of values weighted
by weights. The weight is 1 for an example that counts and 0 for one that has nothing to be measured on; for pooled
metrics it is how much there was to measure (pixels), so that the same weighted mean is that of all pixels together.

Masks are [B, H, W, 1], probability or alpha from 0 to 1, foreground from 0.5 on. Depth is [B, H, W, 1] in metres;
target 0 is unknown and counts nowhere. Any float type, computed in float32. Counts of pixels are exact up to 2^24 an
image (4096 x 4096).
"""

from collections.abc import Callable
from functools import partial

import keras
import tensorflow as tf

from fgseg_tf.measures import losses

FOREGROUND = 0.5
BOUNDARY_TOLERANCE = 0.008  # of the diagonal, as in DAVIS
RING = 5  # pixels on either side of an object's outline
NEAREST = 1e-3  # metres; a prediction is taken to be at least this, for ratios and logarithms

Score = tuple[tf.Tensor, tf.Tensor]  # value, weight


# Masks.


def iou(target: tf.Tensor, predicted: tf.Tensor) -> Score:
    """Computes intersection over union; 1 when both are empty."""
    intersection, union = intersection_and_union(target, predicted)
    return _count_each(tf.where(union > 0, tf.math.divide_no_nan(intersection, union), 1.0))


def pooled_iou(target: tf.Tensor, predicted: tf.Tensor) -> Score:
    """Computes the IoU of all pixels together: each image's IoU, weighted by its union."""
    intersection, union = intersection_and_union(target, predicted)
    return tf.math.divide_no_nan(intersection, union), union


def intersection_and_union(target: tf.Tensor, predicted: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the numbers of pixels in intersection and union, float32 [B] each."""
    target, predicted = _foreground(target), _foreground(predicted)
    return _count(target & predicted), _count(target | predicted)


def dice_score(target: tf.Tensor, predicted: tf.Tensor) -> Score:
    """Computes twice the intersection over the sum of sizes; 1 when both are empty."""
    intersection, union = intersection_and_union(target, predicted)
    return _count_each(tf.where(union > 0, tf.math.divide_no_nan(2 * intersection, union + intersection), 1.0))


def boundary_f(target: tf.Tensor, predicted: tf.Tensor) -> Score:
    """Computes the boundary F of DAVIS: the harmonic mean of how much of each boundary lies near the other one.

    A boundary pixel differs from its right, lower or lower right neighbour; near is within 0.008 of the diagonal,
    rounded up to whole pixels. 1 when neither has a boundary, 0 when one has none. As published, a mask that fills
    the whole picture has no boundary, so it scores 1 against an empty one: read it beside IoU.
    """
    boundaries = _boundary(tf.concat([_foreground(target), _foreground(predicted)], 0))
    diagonal = tf.norm(tf.cast(tf.shape(boundaries)[1:3], tf.float64))
    tolerance = tf.cast(tf.math.ceil(BOUNDARY_TOLERANCE * diagonal), tf.int32)
    (target, predicted), (near_target, near_predicted) = (
        tf.split(either, 2) for either in (boundaries, _dilate(boundaries, tolerance))
    )
    target_length, predicted_length = _count(target), _count(predicted)
    recall = tf.math.divide_no_nan(_count(target & near_predicted), target_length)
    precision = tf.math.divide_no_nan(_count(predicted & near_target), predicted_length)
    score = tf.math.divide_no_nan(2 * precision * recall, precision + recall)
    return _count_each(tf.where(target_length + predicted_length > 0, score, 1.0))


def alpha_error(target: tf.Tensor, predicted: tf.Tensor) -> Score:
    """Computes the mean absolute difference of alpha, without a threshold."""
    return _count_each(tf.reduce_mean(tf.abs(_float32(predicted) - _float32(target)), [1, 2, 3]))


def false_positive_rate(target: tf.Tensor, predicted: tf.Tensor) -> Score:
    """Computes the share of pixels called foreground in frames without objects; other frames do not count."""
    share = tf.reduce_mean(tf.cast(_foreground(predicted), tf.float32), [1, 2, 3])
    return share, tf.cast(_count(_foreground(target)) == 0, tf.float32)


# Depth, on known pixels inside a region: [B, H, W, 1], bool or 0/1; None for the whole picture.


def abs_rel(target: tf.Tensor, predicted: tf.Tensor, region: tf.Tensor | None = None) -> Score:
    """Computes the mean of |predicted - target| / target."""
    return _mean(tf.abs(_float32(predicted) - _at_least_nearest(target)) / _at_least_nearest(target), target, region)


def rmse(target: tf.Tensor, predicted: tf.Tensor, region: tf.Tensor | None = None) -> Score:
    """Computes the root of each image's mean squared error, metres."""
    value, weight = _mean(tf.square(_float32(predicted) - _float32(target)), target, region)
    return tf.sqrt(value), weight


def log10(target: tf.Tensor, predicted: tf.Tensor, region: tf.Tensor | None = None) -> Score:
    """Computes the mean absolute difference of decimal logarithms."""
    difference = tf.math.log(_at_least_nearest(predicted)) - tf.math.log(_at_least_nearest(target))
    return _mean(tf.abs(difference) / tf.math.log(10.0), target, region)


def delta(target: tf.Tensor, predicted: tf.Tensor, region: tf.Tensor | None = None, power: int = 1) -> Score:
    """Computes the share of pixels whose ratio to the target, whichever way is over 1, is under 1.25 ** power."""
    predicted, known = _at_least_nearest(predicted), _at_least_nearest(target)
    ratio = tf.maximum(predicted / known, known / predicted)
    return _mean(tf.cast(ratio < 1.25**power, tf.float32), target, region)


def squared_error(target: tf.Tensor, predicted: tf.Tensor, region: tf.Tensor | None = None) -> Score:
    """Computes the mean squared error, weighted by pixels: `WeightedMeans` makes the pooled RMSE of it."""
    return _mean(tf.square(_float32(predicted) - _float32(target)), target, region, pooled=True)


def label(target: tf.Tensor, predicted: tf.Tensor | None = None, region: tf.Tensor | None = None) -> Score:
    """Computes the mean of the target, weighted by pixels."""
    return _mean(_float32(target), target, region, pooled=True)


def label_square(target: tf.Tensor, predicted: tf.Tensor | None = None, region: tf.Tensor | None = None) -> Score:
    """Computes the mean square of the target, weighted by pixels.

    With `label`, it gives the standard deviation of all labels together.

    float64: a wall 80 m away that varies by a centimetre has a variance that float32 squares do not see.
    """
    mean, weight = label(target, predicted, region)
    spread, _ = _mean(tf.square(_float32(target) - mean[:, None, None, None]), target, region)
    return tf.square(tf.cast(mean, tf.float64)) + tf.cast(spread, tf.float64), weight


def ssim(target_code: tf.Tensor, predicted_code: tf.Tensor, known: tf.Tensor) -> Score:
    """Computes SSIM of depth in the network's code, -1..1; unknown pixels as in `losses.ssim`. known: [B, H, W, 1]."""
    value = 1 - 2 * losses.ssim(target_code, predicted_code, known)
    return value, tf.cast(tf.reduce_max(_float32(known), [1, 2, 3]) > 0, tf.float32)


def split_regions(mask: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the regions of a target mask in which depth is scored, bool [B, H, W, 1] each.

    object   foreground
    ring     within 5 px (straight line) of a pixel of the other kind: along the outline, on both sides of it.
             The edge of the picture is no outline.
    scenery  all that is not object
    """
    inside = _foreground(mask)
    near_inside, near_outside = tf.split(_dilate(tf.concat([inside, ~inside], 0), RING), 2)
    return {"object": inside, "ring": near_inside & near_outside, "scenery": ~inside}


# Everything at once.

MASK_SCORES = {
    "iou": iou,
    "pooled_iou": pooled_iou,
    "dice": dice_score,
    "boundary_f": boundary_f,
    "alpha_error": alpha_error,
    "false_positive_rate": false_positive_rate,
}
DEPTH_SCORES: dict[str, Callable] = {
    "abs_rel": abs_rel,
    "rmse": rmse,
    "log10": log10,
    "delta1": delta,
    "delta2": partial(delta, power=2),
    "delta3": partial(delta, power=3),
    "squared_error": squared_error,
    "label": label,
    "label_square": label_square,
}
REGIONS = ("object", "ring", "scenery")
SCORES = (
    *(f"mask/{name}" for name in MASK_SCORES),
    *(f"{place}/{name}" for place in ("depth", *(f"depth_{region}" for region in REGIONS)) for name in DEPTH_SCORES),
    "depth/ssim",
)


def compute_scores(targets: dict, predictions: dict) -> dict[str, Score]:
    """Computes all scores of a batch.

    Args:
        targets: `mask`; `depth`, metres, if depth is predicted; `depth_code`, the network's code of it, for SSIM.
        predictions: the same keys. What is not predicted (by a baseline that only makes masks) is left out.

    Returns:
        (value, weight) by names of SCORES, as `WeightedMeans.update` takes them.
    """
    scores = {f"mask/{name}": score(targets["mask"], predictions["mask"]) for name, score in MASK_SCORES.items()}
    if "depth" in predictions:
        places = {f"depth_{name}": region for name, region in split_regions(targets["mask"]).items()}
        for place, region in {"depth": None, **places}.items():
            for name, score in DEPTH_SCORES.items():
                scores[f"{place}/{name}"] = score(targets["depth"], predictions["depth"], region)
    if "depth_code" in predictions:
        scores["depth/ssim"] = ssim(targets["depth_code"], predictions["depth_code"], targets["depth"] > 0)
    return scores


class _Sums(keras.metrics.Metric):
    """Sums, float64 [names, 2], in a Keras weight to which each replica adds its own, and which is read as their sum.

    float64, because 50 000 images of 50 000 pixels are 2.5e9 of them, and float32 stops counting at 1.7e7.
    """

    def __init__(self, length: int):
        super().__init__(name="sums", dtype="float64")
        self.sums = self.add_weight(name="sums", shape=(length, 2), initializer="zeros", dtype="float64")

    def update_state(self, added):
        self.sums.assign_add(added)

    def result(self):
        return tf.convert_to_tensor(self.sums)

    def reset_state(self):
        # Keras 2's own fills any weight with a scalar, which one of this shape refuses.
        self.sums.assign(tf.zeros_like(self.sums))


class WeightedMeans:
    """Accumulates weighted means of named values over a whole evaluation.

    Make it in the strategy's scope, `update` it inside strategy.run, and read and reset it outside.
    """

    def __init__(self, names: tuple[str, ...] = SCORES):
        self.names = tuple(names)
        self._sums = _Sums(len(self.names))

    def update(self, values: dict) -> None:
        """Adds the values of a batch: (value, weight) by name, [B] each; names may be missing.

        With weight 0 any value is dropped, a NaN too.
        """
        unknown = sorted(set(values) - set(self.names))
        if unknown:
            raise ValueError(f"no such name in this table: {', '.join(unknown)}; it has {', '.join(self.names)}.")
        rows = [_row(*values[name]) if name in values else tf.zeros([2], tf.float64) for name in self.names]
        self._sums.update_state(tf.stack(rows))

    def result(self) -> dict[str, float | None]:
        """Returns the mean of each name, None where nothing counted; a NaN that was added stays one.

        `squared_error`, `label` and `label_square` of a place become its `pooled_rmse` and `pooled_rmse_over_std`:
        of all pixels together, metres, and divided by the standard deviation of all labels (None when that is 0).
        """
        sums = self._sums.result().numpy().tolist()
        rows = zip(self.names, sums, strict=True)
        means = {name: total / weight if weight else None for name, (total, weight) in rows}
        places = [name.rpartition("/")[0] for name in self.names if name.endswith("/label_square")]
        for place in places:
            error, mean, square = (means.pop(f"{place}/{name}") for name in ("squared_error", "label", "label_square"))
            pooled, over_std = None, None
            if error is not None and mean is not None and square is not None:
                pooled, variance = error**0.5, square - mean**2
                # Labels that are all the same leave a rest of rounding here.
                over_std = pooled / variance**0.5 if variance > 1e-12 * square else None
            means |= {f"{place}/pooled_rmse": pooled, f"{place}/pooled_rmse_over_std": over_std}
        return means

    def reset(self) -> None:
        """Begins anew."""
        self._sums.reset_state()


def _row(value, weight):
    """Returns float64 [2]: the sum of weighted values, and the sum of weights."""
    value, weight = tf.cast(value, tf.float64), tf.cast(weight, tf.float64)
    weighted = tf.where(weight > 0, value * weight, tf.zeros_like(weight))
    return tf.stack([tf.reduce_sum(weighted), tf.reduce_sum(weight)])


def _float32(values):
    return tf.cast(values, tf.float32)


def _at_least_nearest(metres):
    """Returns depth of at least NEAREST, for divisions and logarithms; unknown targets are left out afterwards."""
    return tf.maximum(_float32(metres), NEAREST)


def _foreground(mask):
    return _float32(mask) >= FOREGROUND


def _count(pixels):
    return tf.reduce_sum(tf.cast(pixels, tf.float32), [1, 2, 3])


def _count_each(value):
    return value, tf.ones_like(value)


def _mean(values, target, region, pooled: bool = False):
    """Returns the mean over known pixels of a region, and 1 or 0, or if pooled the number of pixels."""
    counts = _float32(target) > 0
    if region is not None:
        counts &= tf.cast(region, tf.bool)
    number = _count(counts)
    total = tf.reduce_sum(tf.where(counts, values, tf.zeros_like(values)), [1, 2, 3])
    return tf.math.divide_no_nan(total, number), number if pooled else tf.cast(number > 0, tf.float32)


def _boundary(pixels):
    """Returns the pixels that differ from their right, lower or lower right neighbour; edges are repeated outwards."""
    right = tf.concat([pixels[:, :, 1:], pixels[:, :, -1:]], 2)
    lower, lower_right = (tf.concat([either[:, 1:], either[:, -1:]], 1) for either in (pixels, right))
    return (pixels ^ right) | (pixels ^ lower) | (pixels ^ lower_right)


def _dilate(pixels, radius):
    """Returns whether each pixel is within `radius`, in a straight line, of one of `pixels`.

    A convolution counts those under a disk: whole numbers, so exact on hardware that rounds factors too. Measured at
    224 x 224 it takes less than a third of tf.nn.dilation2d's time.
    """
    across = tf.range(-radius, radius + 1)
    disk = tf.cast(across[:, None] ** 2 + across[None] ** 2 <= radius**2, tf.float32)
    return tf.nn.conv2d(tf.cast(pixels, tf.float32), disk[..., None, None], 1, "SAME") > 0.5
