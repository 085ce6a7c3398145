"""Masks and depth for the frames of a camera, at the frames' own size, from a trained network.

    background -> working size -> the background half of the network, once
    frame -> working size -> the other half -> mask, depth -> the frame's size

At the working size objects are as large as those that the network was trained on. What is computed there is upsampled.
"""

import os
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf

from fgseg_tf.calibration.camera_folder import CameraSetup, is_camera_folder, read_camera
from fgseg_tf.calibration.depth_pictures import fill_holes
from fgseg_tf.inference import scene_match, upsampling
from fgseg_tf.inference.flip_average import average_flipped, concat_flipped
from fgseg_tf.inference.frames import Picture, load_picture
from fgseg_tf.inference.object_placing import KnownBackground, ObjectPlacer
from fgseg_tf.inference.objects import SceneObject, list_objects
from fgseg_tf.model.depth_code import decode_depth
from fgseg_tf.model.fold import MULTIPLE, split_background_half
from fgseg_tf.runs.trained import load_object_depth

MOTION = 0.06  # of 1: a pixel that changed by this much since the last frame keeps a third of what it would

# What is computed of a background once, under the names that segment_with_background of a SavedModel takes:
# features_0, features_1, ... of the network, and those of `scene_match.BACKGROUND_KEYS`. All have the batch first.
EncodedBackground = dict[str, tf.Tensor]


@dataclass(frozen=True)
class Result:
    """What a camera returns for a frame.

    Attributes:
        mask: float32 [H, W], 0 background to 1 foreground.
        depth: float32 [H, W], metres, 0 unknown. They hold where the depth of the background is known; else they are a
            network's guess, of which near and far can be believed.
        similarity: How well the background fits the frame, 0 to 1; see `scene_match.measure_similarity`.
        background_metres: float32 [H, W], depth of the background without holes; None where it is not known.
    """

    mask: np.ndarray
    depth: np.ndarray
    similarity: float
    background_metres: np.ndarray | None = None

    @cached_property
    def objects(self) -> tuple[SceneObject, ...]:
        """The objects of the frame, nearest first."""
        return list_objects(self.mask, self.depth, self.background_metres)


class Segmenter:
    """A network, split in two halves, for any number of cameras. Its graphs are built once for all of them."""

    def __init__(self, network: keras.Model, side: int, object_depth: keras.Model | None = None):
        """Splits the network.

        Args:
            network: A network of `model.two_branch`.
            side: Pixels of the longer side at working size. Larger frames are made smaller; small ones stay as they
                are.
            object_depth: A network of `model.object_depth`, for cameras whose background's depth is known; None for the
                one that comes with the package.
        """
        self.side = side
        self._object_depth = object_depth
        self.halves = self._background_half, self._frame_half = split_background_half(network)
        self.segment_compiled = tf.function(self.segment, reduce_retracing=True)

    @cached_property
    def placer(self) -> ObjectPlacer:
        """What places objects before a background whose depth is known; loaded when it is first needed."""
        return ObjectPlacer(self._object_depth or load_object_depth())

    @cached_property
    def place_compiled(self):
        """`ObjectPlacer.place` as a graph, for all cameras."""
        return tf.function(self.placer.place, reduce_retracing=True)

    def camera(self, bg: Picture | CameraSetup, smooth: float = 0.0, both_ways: bool = False) -> "Camera":
        """Returns a camera.

        Args:
            bg: The background; or a camera that was calibrated: its folder, or what `read_camera` returns of it.
            smooth: As of `Camera`.
            both_ways: As of `Camera`.
        """
        if isinstance(bg, str | os.PathLike) and is_camera_folder(os.fspath(bg)):
            bg = read_camera(os.fspath(bg))
        if isinstance(bg, CameraSetup):
            return Camera(self, bg.background, smooth, both_ways, bg.depth if bg.is_metric else None)
        return Camera(self, bg, smooth, both_ways)

    def encode_background(self, bg: tf.Tensor) -> EncodedBackground:
        """Returns all that is needed of a background. bg: as `resize_to_working_size` returns it."""
        features = self._background_half(bg, training=False)
        described = scene_match.describe_background(bg)
        return {f"features_{number}": value for number, value in enumerate(features)} | described

    def segment(self, encoded: EncodedBackground, fg_bg: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Segments frames at working size.

        Args:
            encoded: Of one background, or of one for each frame.
            fg_bg: Frames, as `resize_to_working_size` returns them.

        Returns:
            The mask and the code of depth, [B, h, w, 1], and the similarity of the two pictures, [B].
        """
        described = {name: encoded[name] for name in scene_match.BACKGROUND_KEYS}
        features = {name: value for name, value in encoded.items() if name not in described}
        predicted = self._frame_half({"fg_bg": fg_bg, **features}, training=False)
        similarity = scene_match.measure_similarity(described, fg_bg, predicted["mask"])
        return predicted["mask"], predicted["depth"], similarity


class Camera:
    """One fixed camera: its background, and then its frames in order.

    Pictures are uint8 [H, W, 3], or paths of files.

    Attributes:
        size: Height and width of the background, which its frames must have too.
        encoded: What is computed of the background once.
        known: What is known of its depth; None where nothing is.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        bg: Picture,
        smooth: float = 0.0,
        both_ways: bool = False,
        metres: np.ndarray | None = None,
    ):
        """Encodes the background.

        Args:
            segmenter: Holds the network.
            bg: The background.
            smooth: From 0 to below 1, how much of the last frame's mask is kept where nothing moved.
            both_ways: Average over the frame and its mirror image (test-time flip averaging); takes twice as long.
            metres: Depth of the background, float32 [H, W], 0 unknown; None where it is not known.
        """
        bg = load_picture(bg, "the background")
        self.size = bg.shape[:2]
        if metres is not None and metres.shape != self.size:
            raise ValueError(f"the depth of the background is {list(metres.shape)}, its picture {list(self.size)}.")
        self._segmenter = segmenter
        self._smooth = smooth
        self._both_ways = both_ways
        self._last: tuple[tf.Tensor, tf.Tensor] | None = None
        self._bg = resize_to_working_size(bg[None], segmenter.side)
        self.encoded = segmenter.encode_background(concat_flipped(self._bg) if both_ways else self._bg)
        self._filled = None if metres is None else fill_holes(metres).astype(np.float32)
        self.known: KnownBackground | None = None
        if metres is not None and self._filled is not None:
            filled, known = (tf.constant(plane[None, ..., None]) for plane in (self._filled, metres > 0))
            self.known = segmenter.placer.encode(self._bg, filled, known)

    def segment(self, fg_bg: Picture) -> Result:
        """Returns the mask, depth and similarity of a frame, at its own size.

        Raises:
            ValueError: The frame cannot be read, or is not of the background's size.
        """
        fg_bg = load_picture(fg_bg, "the frame")
        if fg_bg.shape[:2] != self.size:
            height, width = fg_bg.shape[:2]
            raise ValueError(f"the frame is {height} x {width} pixels, its background {self.size[0]} x {self.size[1]}.")
        small = resize_to_working_size(fg_bg[None], self._segmenter.side)
        frames = concat_flipped(small) if self._both_ways else small
        mask, code, similarity = self._segmenter.segment_compiled(self.encoded, frames)
        if self._both_ways:
            mask, code = average_flipped(mask), average_flipped(code)
        mask = self._smooth_mask(mask, small)
        full = upsampling.upsample_mask(mask, self.size)
        if self.known is None:
            depth = decode_depth(upsampling.upsample_depth(code, mask, full))
        else:
            depth = self._segmenter.place_compiled(self.known, small, mask, full)
        alpha, metres = (plane.numpy()[0, ..., 0] for plane in (full, depth))
        return Result(alpha, metres, float(similarity[0]), self._filled)

    def place_objects(self, fg_bg: Picture, mask: np.ndarray) -> np.ndarray:
        """Returns the depth of a frame whose mask is known from elsewhere, float32 [H, W], metres, 0 unknown.

        Args:
            fg_bg: The frame.
            mask: float32 [H, W], 0 background to 1 foreground.

        Raises:
            ValueError: The depth of the background is not known.
        """
        if self.known is None:
            raise ValueError("the depth of the background is not known; calibrate the camera.")
        small = resize_to_working_size(load_picture(fg_bg, "the frame")[None], self._segmenter.side)
        full = tf.constant(mask[None, ..., None], tf.float32)
        at_work = tf.image.resize(full, tf.shape(small)[1:3], "area")
        return self._segmenter.place_compiled(self.known, small, at_work, full).numpy()[0, ..., 0]

    def estimate_shift(self, fg_bg: np.ndarray) -> tuple[int, int] | None:
        """Returns by how many pixels (down, right) the frame is shifted against the background.

        None where a shift does not explain how they differ: it is another scene, or the camera turned.
        """
        small = resize_to_working_size(fg_bg[None], self._segmenter.side)
        shift = scene_match.estimate_shift(self._bg[0].numpy(), small[0].numpy())
        nobody = tf.zeros_like(small[..., :1])
        described = scene_match.describe_background(tf.roll(self._bg, shift, [1, 2]))
        if scene_match.measure_similarity(described, small, nobody)[0] < scene_match.SAME_SCENE:
            return None
        down, right = (round(pixels * self.size[0] / small.shape[1]) for pixels in shift)
        return down, right

    def _smooth_mask(self, mask: tf.Tensor, small: tf.Tensor) -> tf.Tensor:
        if not self._smooth:
            return mask
        if self._last is not None:
            last_mask, last_small = self._last
            motion = tf.reduce_max(tf.abs(small - last_small), -1, keepdims=True)
            # Also where something is near that moved: outlines lie between pixels.
            motion = tf.nn.max_pool2d(motion, 3, 1, "SAME")
            mask += self._smooth * tf.exp(-motion / MOTION) * (last_mask - mask)
        self._last = mask, small
        return mask


def resize_to_working_size(pictures: np.ndarray | tf.Tensor, side: int) -> tf.Tensor:
    """Returns pictures at their working size, as the network takes them.

    Args:
        pictures: [B, H, W, 3], uint8, or float from 0 to 1.
        side: Pixels of the longer side.

    Returns:
        float32 [B, h, w, 3], 0 to 1; see `working_size`.
    """
    white = 255.0 if pictures.dtype == tf.uint8 else 1.0
    size = tf.shape(pictures)[1:3]
    small = working_size(size, side)
    return (
        tf.cond(
            tf.reduce_all(size == small),
            lambda: tf.cast(pictures, tf.float32),
            lambda: tf.image.resize(pictures, small, "area"),
        )
        / white
    )


def working_size(size: tf.Tensor, side: int) -> tf.Tensor:
    """Returns the height and width, int32 [2], at which the network looks at pictures of a size.

    Both are multiples of MULTIPLE, the longer one about `side`, and never larger than they were, unless they were
    smaller than MULTIPLE.
    """
    size = tf.cast(size, tf.float64)
    scale = tf.minimum(side / tf.reduce_max(size), 1)
    steps = tf.minimum(tf.round(size * scale / MULTIPLE), size // MULTIPLE)
    return tf.cast(tf.maximum(steps, 1), tf.int32) * MULTIPLE
