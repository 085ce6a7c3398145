"""How far away the objects of a frame are, before a background whose depth is known: by the network for it.

    background, its depth  -> encode -> what is known of a background, once
    frame, mask, all that  -> place  -> depth of the frame

Outside objects a frame has the depth of its background. On objects it has what the network of `model.object_depth`
says, at a size of its own, upsampled within the mask; never farther than the background. What is computed here runs in
graphs as well.
"""

from typing import TypedDict

import keras
import tensorflow as tf

from fgseg_tf.inference.objects import FOREGROUND
from fgseg_tf.inference.upsampling import Resize, get_size, upsample_objects
from fgseg_tf.model.depth_code import decode_depth, encode_depth

SIDE = 128  # pixels of the longer side at which the network looks, as in its training
LEAST_SIDE = 32


class KnownBackground(TypedDict):
    """What is known of a background, the batch first.

    Keys:
        placing_bg: float32 [B, h, w, 3], the background as the network looks at it.
        placing_code: float32 [B, h, w, 1], the code of its depth, likewise.
        bg_metres: float32 [B, H, W, 1], its depth without holes, metres.
        bg_known: bool [B, H, W, 1], where there were none.
    """

    placing_bg: tf.Tensor
    placing_code: tf.Tensor
    bg_metres: tf.Tensor
    bg_known: tf.Tensor


KEYS = tuple(KnownBackground.__annotations__)


class ObjectPlacer:
    """Places the objects of frames by a network of `model.object_depth`."""

    def __init__(self, network: keras.Model, resize: Resize = tf.image.resize):
        """Takes the network.

        Args:
            network: of `model.object_depth`.
            resize: what resizes pictures.
        """
        self.network = network
        self._resize = resize

    def encode(self, bg: tf.Tensor, metres: tf.Tensor, known: tf.Tensor) -> KnownBackground:
        """Returns what is known of backgrounds.

        Args:
            bg: float32 [B, h, w, 3], 0 to 1, of any size.
            metres: float32 [B, H, W, 1], their depth without holes, at the frames' size.
            known: bool [B, H, W, 1], where there were none.
        """
        size = find_size(tf.shape(metres)[1:3])
        return {
            "placing_bg": self._resize(bg, size, "area"),
            "placing_code": encode_depth(tf.image.resize(metres, size, "nearest")),
            "bg_metres": metres,
            "bg_known": known,
        }

    def place(self, background: KnownBackground, fg_bg: tf.Tensor, mask: tf.Tensor, full: tf.Tensor) -> tf.Tensor:
        """Returns the depth of frames, float32 [B, H, W, 1], metres; 0, unknown, where the background's is.

        Args:
            background: of one background, or of one for each frame.
            fg_bg: frames, float32 [B, h, w, 3], 0 to 1, of any size.
            mask: their mask at that size, [B, h, w, 1].
            full: the mask at the frames' size, [B, H, W, 1].
        """
        size = get_size(background["placing_code"])
        small = self._resize(mask, size, "area")
        count = tf.shape(fg_bg)[0]
        given = {
            "bg": _repeat(background["placing_bg"], count),
            "bg_depth": _repeat(background["placing_code"], count),
            "fg_bg": self._resize(fg_bg, size, "area"),
            "mask": small,
        }
        code = self.network(given, training=False)["depth"]
        objects = decode_depth(upsample_objects(code, small, get_size(full), self._resize))
        behind = background["bg_metres"]
        outside = tf.where(background["bg_known"], behind, 0.0)
        return tf.where(full >= FOREGROUND, tf.minimum(objects, behind), outside)


def find_size(size: tf.Tensor) -> tf.Tensor:
    """Returns the height and width, int32 [2], at which the network looks at frames of a size."""
    size = tf.cast(size, tf.float32)
    sides = tf.round(size * (SIDE / tf.reduce_max(size)))
    return tf.maximum(tf.cast(sides, tf.int32), LEAST_SIDE)


def _repeat(pictures: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Returns a batch of one as one of `count`; a batch of so many as it is."""
    return tf.broadcast_to(pictures, tf.concat([[count], tf.shape(pictures)[1:]], 0))


def fill_unknown(metres: tf.Tensor) -> tf.Tensor:
    """Fills holes as `depth_pictures.fill_holes` does, in a graph.

    Args:
        metres: float32 [B, H, W, 1], 0 unknown.
    """
    across = tf.maximum(_carry(metres, 2), tf.reverse(_carry(tf.reverse(metres, [2]), 2), [2]))
    filled = tf.where(metres > 0, metres, across)
    above = _carry(filled, 1)
    below = tf.reverse(_carry(tf.reverse(filled, [1]), 1), [1])
    return tf.where(filled > 0, filled, tf.where(below > 0, below, above))


def _carry(metres: tf.Tensor, axis: int, longest: int = 16384) -> tf.Tensor:
    """Returns for each pixel the last known value of its line up to it; 0 where there is none."""
    step = 1
    # In steps of 1, 2, 4, ... pixels: what is that far before has been filled from as far already.
    while step < longest:
        padding = [[0, 0]] * 4
        padding[axis] = [step, 0]
        before = tf.pad(metres, padding)
        before = before[:, : tf.shape(metres)[1]] if axis == 1 else before[:, :, : tf.shape(metres)[2]]
        metres = tf.where(metres > 0, metres, before)
        step *= 2
    return metres
