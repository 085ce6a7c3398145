"""Backgrounds of a data set behind its composites.

A composite is stored, and made, as a layer: what is seen of the objects, with depth 0 where the background's holds.
`Backgrounds.complete` makes a whole example of it.
"""

from dataclasses import dataclass
from typing import TypedDict

import tensorflow as tf


class Layer(TypedDict):
    """All that a composite holds itself, at full size; or a batch of them, with one more dimension in front.

    Keys:
        index: int64 [], the number of the composite.
        bg_index: int64 [], which background is behind it.
        bg_flipped: bool or int64 [], whether that background is mirrored.
        fg_bg: uint8 [height, width, 3].
        mask: uint8 [height, width, 1], 0 to 255.
        depth: uint16 [height, width, 1], codes; 0 where the depth is the background's.
    """

    index: tf.Tensor
    bg_index: tf.Tensor
    bg_flipped: tf.Tensor
    fg_bg: tf.Tensor
    mask: tf.Tensor
    depth: tf.Tensor


class Example(Layer):
    """A layer with its background; `depth` is known wherever the background's is.

    Keys:
        bg: uint8 [height, width, 3], mirrored where `bg_flipped` says so.
        bg_depth: uint16 [height, width, 1], codes, the depth of the background alone.
    """

    bg: tf.Tensor
    bg_depth: tf.Tensor


class JoinedExample(TypedDict, total=False):
    """An example whose three pictures are one, so that what warps or shrinks them does it once.

    Keys:
        index: int64 [], the number of the composite.
        pictures: uint8 [height, width, 7], the channels of `bg`, `fg_bg` and `mask`.
        depth: uint16 [height, width, 1], codes; 0 is unknown.
        bg_depth: like `depth`, of the background alone; only where examples are scored.
    """

    index: tf.Tensor
    pictures: tf.Tensor
    depth: tf.Tensor
    bg_depth: tf.Tensor


@dataclass(frozen=True)
class Backgrounds:
    """All backgrounds of a data set, and their depth.

    Attributes:
        pictures: uint8 [n, height, width, 3].
        depth_codes: uint16 [n, height, width, 1].
    """

    pictures: tf.Tensor
    depth_codes: tf.Tensor

    def complete(self, layer: Layer) -> Example:
        """Adds the background to a layer, or to a batch of them."""
        bg_depth = self.gather(layer, self.depth_codes)
        depth = tf.where(layer["depth"] > 0, layer["depth"], bg_depth)
        return {**layer, "bg": self.gather(layer, self.pictures), "depth": depth, "bg_depth": bg_depth}

    @staticmethod
    def gather(layer: Layer, maps: tf.Tensor) -> tf.Tensor:
        """Returns what is behind a layer, or behind each of a batch of them, mirrored as the layer says.

        Args:
            layer: its `bg_index` and `bg_flipped` are used.
            maps: [n, height, width, channels], one for each background, such as `pictures`.

        Returns:
            [height, width, channels], or the same with the batch in front.
        """
        chosen = tf.gather(maps, layer["bg_index"])
        flipped = tf.cast(layer["bg_flipped"], tf.bool)
        mirror = Backgrounds.mirror if flipped.shape.rank else lambda picture, _: tf.reverse(picture, [-2])
        # Mostly there is nothing to mirror.
        return tf.cond(tf.reduce_any(flipped), lambda: mirror(chosen, flipped), lambda: chosen)

    @staticmethod
    def mirror(pictures: tf.Tensor, which: tf.Tensor) -> tf.Tensor:
        """Mirrors left to right those of `pictures` [n, height, width, channels] where `which`, bool [n], is true."""
        _, height, width, channels = pictures.shape
        count = tf.shape(pictures)[0]
        # tf.reverse has a fast way for three dimensions.
        one_tall_picture = tf.reshape(pictures, [count * height, width, channels])
        mirrored = tf.reshape(tf.reverse(one_tall_picture, [1]), tf.shape(pictures))
        # Whole pictures are chosen: to choose pixel by pixel takes longer than to decode them.
        chosen = tf.range(count) + count * tf.cast(which, tf.int32)
        return tf.ensure_shape(tf.gather(tf.concat([pictures, mirrored], 0), chosen), pictures.shape)


def pad_to_frame(patch: tf.Tensor, box: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Puts a patch into a frame of zeros.

    Args:
        patch: [h, w, 1].
        box: int [4], its top, left, bottom and right in the frame.
        height: of the frame.
        width: of the frame.

    Returns:
        [height, width, 1].
    """
    begin_and_end = tf.reshape(tf.cast(box, tf.int32), [2, 2])
    around = tf.transpose(begin_and_end * [[1], [-1]] + [[0, 0], [height, width]])
    # Two dimensions: with the third, tf.pad takes several times as long. Of this shape only if the patch is the box's.
    full = tf.ensure_shape(tf.pad(patch[..., 0], around), [height, width])
    return full[..., None]
