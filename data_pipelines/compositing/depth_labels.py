"""Depth labels: what a teacher predicts, and the conversions between the codes of depth that a data set is made with.

Three codes of depth. Other files convert as well: teacher/scenes.py, what teachers are trained on; floor_scale.py, what
relative teachers say; and the served model's serving/request_images.py, what it returns as PNG.

    teacher     max_depth / metres, float32; brighter is nearer; half the teacher's input size
    metres      float32, larger is farther; 0 is unknown
    code        uint16, metres x depth_scale rounded; 0 is unknown, so the least known depth is code 1

Labels are resized by taking the nearest value: a filter would invent a distance between a person and the wall behind.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import tensorflow as tf

from data_pipelines.runtime.pipelines import disable_tuner

DEPTH_UNIT = "metre"
DEPTH_SCALE = 256.0  # codes a metre, as in KITTI: 4 mm steps, up to 256 m


class Teacher(Protocol):
    """A network that predicts depth, as in `teacher/network.py`, which is not imported here since it brings Keras."""

    @property
    def network(self) -> Callable:
        """Returns what computes the output of the teacher from pictures."""

    @property
    def input_size(self) -> tuple[int, int]:
        """Returns height and width of the pictures that it is given."""

    @property
    def max_depth(self) -> float:
        """Returns the metres that it was trained to see at most."""


def decode_teacher(teacher_output: tf.Tensor, max_depth: float) -> tf.Tensor:
    """Returns metres of a teacher's output, clipped to what it was trained on: max_depth / 100 to max_depth."""
    return tf.clip_by_value(
        tf.math.divide_no_nan(max_depth, tf.maximum(teacher_output, 1e-6)), max_depth / 100, max_depth
    )


def encode_depth(metres: np.ndarray | tf.Tensor, depth_scale: float = DEPTH_SCALE) -> tf.Tensor:
    """Returns codes, uint16, of metres; 0 is unknown in both."""
    code = tf.clip_by_value(tf.round(metres * depth_scale), 1, 65535)
    return tf.cast(tf.where(metres > 0, code, tf.zeros_like(code)), tf.uint16)


def decode_depth(code: np.ndarray | tf.Tensor, depth_scale: float = DEPTH_SCALE) -> tf.Tensor:
    """Returns metres, float32, of codes, uint16; 0 is unknown in both."""
    return tf.cast(code, tf.float32) / depth_scale


def predict_depth(teacher: Teacher, pictures: tf.Tensor) -> tf.Tensor:
    """Predicts metres, float32 [n, height, width], for pictures, uint8 [n, height, width, 3]."""
    height, width = pictures.shape[1:3]
    looked_at = tf.image.resize(tf.cast(pictures, tf.float32) / 255, teacher.input_size, method="bilinear")
    seen = teacher.network(looked_at, training=False)
    metres = decode_teacher(tf.cast(seen, tf.float32), teacher.max_depth)
    return tf.image.resize(metres, [height, width], method="nearest")[..., 0]


def label_composites(pictures: tf.data.Dataset, teacher: Teacher, batch: int) -> tf.data.Dataset:
    """Adds to every element the depth that the teacher predicts for its `fg_bg`: `metres`, float32 [height, width].

    A tf.data map over batches of one size: the last one is filled up, so that no label depends on its neighbours. Where
    there is a GPU the network runs on it, and only its labels come back. Elements must be of one shape. Two batches are
    under way at once: where a layer of one leaves cores idle, the other takes them.
    """
    gpus = tf.config.list_logical_devices("GPU")
    device = gpus[0].name if gpus else "/CPU:0"

    def add_metres(elements):
        picture = elements["fg_bg"]
        count = tf.shape(picture)[0]
        full = tf.pad(picture, [[0, batch - count], [0, 0], [0, 0], [0, 0]])
        with tf.device(device):
            metres = predict_depth(teacher, tf.ensure_shape(full, [batch, *picture.shape[1:]]))
        return {**elements, "metres": metres[:count]}

    return pictures.batch(batch).map(add_metres, num_parallel_calls=2).prefetch(1).unbatch()


def label_pictures(teacher: Teacher, pictures: np.ndarray, batch: int) -> np.ndarray:
    """Predicts metres, float32 [n, height, width], for pictures, uint8 [n, height, width, 3], a batch at a time."""
    seen = label_composites(tf.data.Dataset.from_tensor_slices({"fg_bg": pictures}), teacher, batch)
    return np.stack([element["metres"] for element in disable_tuner(seen).as_numpy_iterator()])


def compare_depths(one: np.ndarray, other: np.ndarray) -> dict:
    """Compares two depth maps in metres where both are known: AbsRel against the second, and share of delta < 1.25."""
    known = (one > 0) & (other > 0)
    one, other = one[known], other[known]
    ratio = np.maximum(one / other, other / one)
    return {"abs_rel": float(np.mean(np.abs(one - other) / other)), "delta_1.25": float(np.mean(ratio < 1.25))}
