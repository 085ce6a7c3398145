"""What has to be looked at in a composite's record, measured in tf ops as a few numbers, so that all of them can be.

measure_record        the numbers of one record; fails where it is unreadable
explain_unreadable    why `measure_record` failed, in a sentence
"""

from collections.abc import Sequence
from typing import Any, TypedDict, cast

import numpy as np
import tensorflow as tf

from data_pipelines.runtime.errors import describe_error
from data_pipelines.tfrecord import schema

ROWS_APART = 4  # of those that are compared
BLOCK = 16  # pixels; JPEG with halved colour changes 16 x 16 of them together
ABSENT = -1  # fills up lists of cutouts
HALF_COVERED = 127  # of 255: an object has its own depth where it covers half of a pixel; less one for rounding


class Measurements(TypedDict):
    """What `measure_record` returns, also batched as [B, ...]; the first keys are those of the record.

    Keys:
        name, index, bg_index, bg_flipped, fg_index, fg_flipped, mask_box, depth_box: as in `schema.COMPOSITE`.
        mask_size, depth_size: int32 [2], height and width of what is stored.
        mask_sums: int64 [2], sum and sum of squares of the codes.
        depth_sums: int64 [2], by how much these are larger than those of the bare background.
        fg_bg_sums: float64 [2, 3], sums and sums of squares of the channels.
        difference: float32 [rows, columns], by how much `fg_bg` differs from its background, of 255, in the mean over
            a block of pixels.
        near: bool [rows, columns], whether an object is in that block.
        stray: bool, whether something has a depth of its own where the mask is not.
    """

    name: Any
    index: Any
    bg_index: Any
    bg_flipped: Any
    fg_index: Any
    fg_flipped: Any
    mask_box: Any
    depth_box: Any
    mask_size: Any
    depth_size: Any
    mask_sums: Any
    depth_sums: Any
    fg_bg_sums: Any
    difference: Any
    near: Any
    stray: Any


class MeasuredBatch(Measurements):
    """A batch of records, as numpy arrays; lists of cutouts are filled up with ABSENT.

    Keys:
        file: int64 [B], the number of each record's file.
        number: int64 [B], the number of the record in its file.
    """

    file: Any
    number: Any


def measure_record(serialized: bytes | tf.Tensor, backgrounds: tf.Tensor, background_depths: tf.Tensor) -> Measurements:
    """Measures what has to be looked at in a record.

    It does by hand what `schema.decode_composite` does, and so takes a third of the time: nothing is laid out in full
    that is not looked at.

    Args:
        serialized: the record.
        backgrounds: as `thin_backgrounds` returns them.
        background_depths: codes, uint16 [n, h, w, 1].
    """
    _, height, width, _ = background_depths.shape
    parsed = schema.parse(serialized, schema.COMPOSITE)
    mirrored = parsed["bg_flipped"] == 1
    fg_bg = tf.io.decode_jpeg(parsed["fg_bg"], channels=3, dct_method="INTEGER_ACCURATE")
    fg_bg = tf.ensure_shape(fg_bg, [height, width, 3])
    mask = tf.io.decode_png(parsed["mask"], channels=1)
    depth = tf.io.decode_png(parsed["depth"], channels=1, dtype=tf.uint16)

    top, left, bottom, right = tf.unstack(tf.cast(parsed["mask_box"], tf.int32))
    mask_in_full = tf.pad(mask, [[top, height - bottom], [left, width - right], [0, 0]])
    mask_in_full = tf.ensure_shape(mask_in_full, [height, width, 1])
    top, left, bottom, right = tf.unstack(tf.cast(parsed["depth_box"], tf.int32))
    own = depth > 0
    covered = mask_in_full[top:bottom, left:right]
    left, right = tf.where(mirrored, width - right, left), tf.where(mirrored, width - left, right)
    background = background_depths[tf.cast(parsed["bg_index"], tf.int32), top:bottom, left:right]
    background = tf.where(mirrored, tf.reverse(background, [1]), background)
    depth_now, depth_before = tf.unstack(_sum_labels(tf.stack([depth, tf.where(own, background, 0)])), axis=1)

    colours = tf.cast(fg_bg, tf.float32)
    # Thinned by tf.gather: a slice with a step takes ten times as long.
    compared = tf.gather(fg_bg, tf.range(0, height, ROWS_APART))
    bg = tf.gather(backgrounds, parsed["bg_index"] + parsed["bg_flipped"] * background_depths.shape[0])
    difference = tf.cast(tf.maximum(compared, bg) - tf.minimum(compared, bg), tf.float32)
    measured = {
        **{key: value for key, value in parsed.items() if key not in ("fg_bg", "mask", "depth")},
        "mask_size": tf.shape(mask)[:2],
        "depth_size": tf.shape(depth)[:2],
        "mask_sums": _sum_labels(mask[None])[:, 0],
        "depth_sums": depth_now - depth_before,
        "fg_bg_sums": tf.cast(tf.stack([_sum_by_channel(colours), _sum_by_channel(colours * colours)]), tf.float64),
        "difference": _reduce_blocks(difference, BLOCK // ROWS_APART, tf.reduce_mean),
        "near": _reduce_blocks(tf.cast(mask_in_full, tf.float32), BLOCK, tf.reduce_max) > 0,
        "stray": tf.reduce_any(own & (covered < HALF_COVERED)),
    }
    return cast(Measurements, measured)


def thin_backgrounds(pictures: np.ndarray) -> np.ndarray:
    """Returns backgrounds as `measure_record` compares them, uint8 [2 n, h / 4, w, 3].

    They are every fourth row of the pictures, uint8 [n, h, w, 3], and the same once more mirrored.
    """
    rows = pictures[:, ::ROWS_APART]
    return np.concatenate([rows, rows[:, :, ::-1]])


def make_padding(element_spec: dict) -> dict:
    """Returns what fills up the lists of a batch; only those of cutouts are of unequal length."""
    lists = ("fg_index", "fg_flipped")
    # For the others, what stands for nothing in their type; it is never used.
    return {
        key: np.int64(ABSENT) if key in lists else "" if spec.dtype == tf.string else spec.dtype.as_numpy_dtype()
        for key, spec in element_spec.items()
    }


def _sum_labels(labels):
    """Returns sum and sum of squares, int64 [2, n], of [n, h, w, 1]."""
    values = tf.cast(labels, tf.int64)
    return tf.stack([tf.reduce_sum(values, [1, 2, 3]), tf.reduce_sum(values * values, [1, 2, 3])])


def _sum_by_channel(colours):
    """Returns the sums [3] of float32 [h, w, 3]; rows first, which is quicker than both at once."""
    return tf.reduce_sum(tf.reshape(tf.reduce_sum(tf.reshape(colours, [colours.shape[0], -1]), 0), [-1, 3]), 0)


def _reduce_blocks(values, rows: int, reduce):
    """Reduces float32 [h, w, c] to [h / rows, w / BLOCK]; what is missing to whole blocks is filled up with 0."""
    height, width, channels = values.shape
    values = tf.pad(values, [[0, -height % rows], [0, -width % BLOCK], [0, 0]])
    # Rows first; a pooling op takes ten times as long.
    values = reduce(tf.reshape(values, [-1, rows, (width + -width % BLOCK) * channels]), 1)
    return reduce(tf.reshape(values, [values.shape[0], -1, BLOCK * channels]), -1)


def explain_unreadable(serialized: bytes, backgrounds: tf.Tensor, background_depths: tf.Tensor) -> tuple[str, str]:
    """Returns (name, why) of a record that `measure_record` cannot read, whose arguments are the same."""
    count, height, width, _ = background_depths.shape
    try:
        parsed = schema.parse(serialized, schema.COMPOSITE)
    except (ValueError, tf.errors.OpError) as error:
        return "", f"does not fit the schema: {describe_error(error)}"
    name, bg_index = parsed["name"].numpy().decode(errors="replace"), int(parsed["bg_index"])
    if not 0 <= bg_index < count:
        return name, f"has background {bg_index}; there are {count}, counted from 0"
    for key, decode in (("fg_bg", tf.io.decode_jpeg), ("mask", tf.io.decode_png), ("depth", tf.io.decode_png)):
        try:
            size = decode(parsed[key]).shape[:2]
        except tf.errors.OpError as error:
            return name, f"has a {key} that cannot be decoded: {describe_error(error)}"
        box = parsed[f"{key}_box"].numpy().tolist() if key != "fg_bg" else [0, 0, height, width]
        top, left, bottom, right = box
        if not (0 <= top < bottom <= height and 0 <= left < right <= width):
            return name, f"has a {key}_box {box} that is not inside its {height} x {width} pixels"
        if tuple(size) != (bottom - top, right - left):
            return name, f"has a {key} of {format_size(size)} pixels where {bottom - top} x {right - left} belong"
    try:
        measure_record(serialized, backgrounds, background_depths)
    except (ValueError, tf.errors.OpError) as error:
        return name, f"cannot be put together: {describe_error(error)}"
    return name, "could not be read the first time, and now it can"


def format_size(sides: Sequence[int] | np.ndarray) -> str:
    """Returns a size as 48 x 64, height first."""
    return f"{sides[0]} x {sides[1]}"
