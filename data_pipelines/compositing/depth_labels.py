"""Depth labels: what a teacher predicts, and the conversions between the codes of depth that a data set is made with.

Three codes of depth. Two other files convert as well: teacher/scenes.py, what teachers are trained on, and the served
model's serving/request_images.py, what it returns as PNG.

    teacher     max_depth / metres, float32; brighter is nearer; half the teacher's input size
    metres      float32, larger is farther; 0 is unknown
    code        uint16, metres x depth_scale rounded; 0 is unknown, so the least known depth is code 1

Labels are resized by taking the nearest value: a filter would invent a distance between a person and the wall behind.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import tensorflow as tf

DEPTH_UNIT = "metre"
DEPTH_SCALE = 256.0  # codes a metre, as in KITTI: 4 mm steps, up to 256 m


class Teacher(Protocol):
    """What is looked through: as in teacher.py, which is not imported here, since it brings a network."""

    @property
    def network(self) -> Callable: ...

    @property
    def input_size(self) -> tuple[int, int]: ...

    @property
    def max_depth(self) -> float: ...


def to_metres(teacher_output: tf.Tensor, max_depth: float) -> tf.Tensor:
    """Teacher's coding -> metres, clipped to what it was trained on: from a hundredth of max_depth to max_depth."""
    return tf.clip_by_value(
        tf.math.divide_no_nan(max_depth, tf.maximum(teacher_output, 1e-6)), max_depth / 100, max_depth
    )


def to_code(metres: np.ndarray | tf.Tensor, depth_scale: float = DEPTH_SCALE) -> tf.Tensor:
    """Metres (0 unknown) -> uint16 code."""
    code = tf.clip_by_value(tf.round(metres * depth_scale), 1, 65535)
    return tf.cast(tf.where(metres > 0, code, tf.zeros_like(code)), tf.uint16)


def from_code(code: np.ndarray | tf.Tensor, depth_scale: float = DEPTH_SCALE) -> tf.Tensor:
    """uint16 code -> metres float32; 0 stays 0, unknown."""
    return tf.cast(code, tf.float32) / depth_scale


def look(teacher: Teacher, pictures: tf.Tensor) -> tf.Tensor:
    """What the teacher sees. pictures: uint8 [n, height, width, 3] -> metres, float32 [n, height, width]."""
    height, width = pictures.shape[1:3]
    looked_at = tf.image.resize(tf.cast(pictures, tf.float32) / 255, teacher.input_size, method="bilinear")
    seen = teacher.network(looked_at, training=False)
    metres = to_metres(tf.cast(seen, tf.float32), teacher.max_depth)
    return tf.image.resize(metres, [height, width], method="nearest")[..., 0]


def label(pictures: tf.data.Dataset, teacher: Teacher, batch: int) -> tf.data.Dataset:
    """Adds to every element what the teacher sees in its `fg_bg`: `metres`, float32 [height, width].

    A tf.data map over batches of one size: the last one is filled up, so that no label depends on its neighbours. Where
    there is a GPU the network runs on it, and only its labels come back. Elements must be of one shape. Two batches are
    under way at once: where a layer of one leaves cores idle, the other takes them.
    """
    gpus = tf.config.list_logical_devices("GPU")
    device = gpus[0].name if gpus else "/CPU:0"

    def see(elements):
        picture = elements["fg_bg"]
        count = tf.shape(picture)[0]
        full = tf.pad(picture, [[0, batch - count], [0, 0], [0, 0], [0, 0]])
        with tf.device(device):
            metres = look(teacher, tf.ensure_shape(full, [batch, *picture.shape[1:]]))
        return {**elements, "metres": metres[:count]}

    return pictures.batch(batch).map(see, num_parallel_calls=2).prefetch(1).unbatch()


def look_at_all(teacher: Teacher, pictures: np.ndarray, batch: int) -> np.ndarray:
    """The bare backgrounds' depth: uint8 [n, height, width, 3] -> metres, float32 [n, height, width]."""
    seen = label(tf.data.Dataset.from_tensor_slices({"fg_bg": pictures}), teacher, batch)
    return np.stack([element["metres"] for element in seen.as_numpy_iterator()])


def disagreement(one: np.ndarray, other: np.ndarray) -> dict:
    """How far two depth maps in metres are apart where both know: AbsRel against the second, and delta < 1.25."""
    known = (one > 0) & (other > 0)
    one, other = one[known], other[known]
    ratio = np.maximum(one / other, other / one)
    return {"abs_rel": float(np.mean(np.abs(one - other) / other)), "delta_1.25": float(np.mean(ratio < 1.25))}
