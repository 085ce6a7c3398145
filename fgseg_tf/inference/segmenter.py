"""A trained network and pictures of any size: the answer for a frame, at the frame's own size.

    empty scene -> at working size -> what the network sees in it, once
    frame -> at working size -> network -> mask, depth -> at full size

The working size is that at which objects are as large as those that the network learned from: what is seen small, where
is seen large.
"""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from fgseg_tf.inference import scene_match, upsampling
from fgseg_tf.inference.flip_average import merged, with_mirrored
from fgseg_tf.model.depth_code import decode_depth
from fgseg_tf.model.fold import MULTIPLE, cut

MOTION = 0.06  # of 1: a pixel that changed by this much since the last frame remembers a third of what it would


@dataclass(frozen=True)
class Answer:
    """mask: float32 [H, W], 0 to 1. depth: float32 [H, W], metres. similarity: of `plate.similarity`."""

    mask: np.ndarray
    depth: np.ndarray
    similarity: float


class Segmenter:
    """A network, cut in two, for any number of cameras. Its graphs are built once for all of them."""

    def __init__(self, network: keras.Model, side: int):
        """side: pixels of the longer side at working size; larger pictures are made smaller, never larger."""
        self.side = side
        self.halves = self._once, self._then = cut(network)
        self.look_quickly = tf.function(self.look, reduce_retracing=True)

    def camera(self, background: np.ndarray, smooth: float = 0.0, both_ways: bool = False) -> "Camera":
        """background: its empty scene. smooth, both_ways: as of `Camera`."""
        return Camera(self, background, smooth, both_ways)

    def encode(self, bg: tf.Tensor) -> dict:
        """What there is to know of an empty scene, once; bg: as `prepared`."""
        features = self._once(bg, training=False)
        return {f"features_{number}": value for number, value in enumerate(features)} | scene_match.seen(bg)

    def look(self, encoded: dict, fg_bg: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Mask, code of depth, similarity of the two pictures, all at working size. fg_bg: as `prepared`."""
        seen = {name: encoded[name] for name in scene_match.SEEN}
        features = {name: value for name, value in encoded.items() if name not in seen}
        predicted = self._then({"fg_bg": fg_bg, **features}, training=False)
        return predicted["mask"], predicted["depth"], scene_match.similarity(seen, fg_bg, predicted["mask"])


class Camera:
    """One camera: its empty scene, and then its frames in order. Pictures are uint8 [H, W, 3].

    smooth: from 0 to below 1, how much of the mask of the frame before is kept where nothing moved. both_ways: look at
    the mirror image of each frame as well, and answer the mean; it takes twice as long.
    """

    def __init__(self, segmenter: Segmenter, background: np.ndarray, smooth: float = 0.0, both_ways: bool = False):
        self.size = background.shape[:2]
        self._segmenter = segmenter
        self._smooth = smooth
        self._both_ways = both_ways
        self._before: tuple[tf.Tensor, tf.Tensor] | None = None
        self._bg = prepared(background[None], segmenter.side)
        self._encoded = segmenter.encode(with_mirrored(self._bg) if both_ways else self._bg)

    def see(self, frame: np.ndarray) -> Answer:
        small = prepared(frame[None], self._segmenter.side)
        looked_at = with_mirrored(small) if self._both_ways else small
        mask, code, similarity = self._segmenter.look_quickly(self._encoded, looked_at)
        if self._both_ways:
            mask, code = merged(mask), merged(code)
        mask = self._smoothed(mask, small)
        full = upsampling.enlarged(mask, self.size)
        depth = decode_depth(upsampling.laid_apart(code, mask, full))
        return Answer(full.numpy()[0, ..., 0], depth.numpy()[0, ..., 0], float(similarity[0]))

    def shift(self, frame: np.ndarray) -> tuple[int, int] | None:
        """(down, right) in its pixels, by which the frame is moved against the empty scene; None if it is not that."""
        small = prepared(frame[None], self._segmenter.side)
        found = scene_match.shift(self._bg[0].numpy(), small[0].numpy())
        nobody = tf.zeros_like(small[..., :1])
        if (
            scene_match.similarity(scene_match.seen(tf.roll(self._bg, found, [1, 2])), small, nobody)[0]
            < scene_match.BELONGS
        ):
            return None
        down, right = (round(pixels * self.size[0] / small.shape[1]) for pixels in found)
        return down, right

    def _smoothed(self, mask, small):
        if not self._smooth:
            return mask
        if self._before is not None:
            last_mask, last_small = self._before
            moved = tf.reduce_max(tf.abs(small - last_small), -1, keepdims=True)
            # Also where something is near that moved: outlines lie between pixels.
            moved = tf.nn.max_pool2d(moved, 3, 1, "SAME")
            mask += self._smooth * tf.exp(-moved / MOTION) * (last_mask - mask)
        self._before = mask, small
        return mask


def prepared(pictures: np.ndarray | tf.Tensor, side: int) -> tf.Tensor:
    """[B, H, W, 3], uint8 or float from 0 to 1 -> float32 [B, h, w, 3], 0 to 1, of `working_size`."""
    whole = 255.0 if pictures.dtype == tf.uint8 else 1.0
    size = tf.shape(pictures)[1:3]
    small = working_size(size, side)
    return (
        tf.cond(
            tf.reduce_all(size == small),
            lambda: tf.cast(pictures, tf.float32),
            lambda: tf.image.resize(pictures, small, "area"),
        )
        / whole
    )


def working_size(size: tf.Tensor, side: int) -> tf.Tensor:
    """int32 [2], height and width: multiples of MULTIPLE, with the longer side about `side`, never larger than it was
    unless that is less than MULTIPLE.
    """
    size = tf.cast(size, tf.float64)
    scale = tf.minimum(side / tf.reduce_max(size), 1)
    steps = tf.minimum(tf.round(size * scale / MULTIPLE), size // MULTIPLE)
    return tf.cast(tf.maximum(steps, 1), tf.int32) * MULTIPLE
