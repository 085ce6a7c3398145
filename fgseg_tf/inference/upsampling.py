"""Masks and depth, from the working size to that of the frame.

Masks are upsampled as they are: their outline lies where the small mask is one half, between pixels. A guided filter,
which draws outlines to the edges of the frame, was tried on hand-made masks of real footage: it lowered every score,
because a frame has more edges than that of the object.
"""

from collections.abc import Callable
from typing import TypeAlias

import tensorflow as tf

Size: TypeAlias = tuple[int, int] | tf.Tensor  # height and width; a tensor is int32 [2]
# From pictures, a size, and "area" or "bilinear" to pictures, as tf.image.resize does.
Resize = Callable[[tf.Tensor, Size, str], tf.Tensor]
NEAR = 5  # pixels a side at the small size: how far depth is carried over an outline


def upsample_mask(mask: tf.Tensor, size: Size, resize: Resize = tf.image.resize) -> tf.Tensor:
    """Returns the mask, [B, h, w, C], bilinearly at another height and width: [B, H, W, C]."""
    return _unless_of_size(mask, size, lambda: resize(mask, size, "bilinear"))


def upsample_depth(code: tf.Tensor, mask: tf.Tensor, full: tf.Tensor, resize: Resize = tf.image.resize) -> tf.Tensor:
    """Returns depth at full size, with sharp steps at the outlines of objects.

    Object and background are upsampled each by itself and composed by the full mask; otherwise pixels at an outline
    would be at a distance where nothing is.

    Args:
        code: Codes of depth, [B, h, w, 1].
        mask: The mask at the same size, [B, h, w, 1].
        full: The same mask at full size, [B, H, W, 1].
        resize: What resizes.

    Returns:
        Codes of depth, [B, H, W, 1].
    """
    size = get_size(full)

    def compose():
        layers = _carry_over_outlines(code, tf.concat([mask, 1 - mask], -1))
        object_code, background_code = tf.split(upsample_mask(layers, size, resize), 2, -1)
        return background_code + full * (object_code - background_code)

    return _unless_of_size(code, size, compose)


def upsample_objects(code: tf.Tensor, mask: tf.Tensor, size: Size, resize: Resize = tf.image.resize) -> tf.Tensor:
    """Returns the depth of objects alone at full size: codes, [B, H, W, 1], which hold inside the mask.

    Args:
        code: Codes of depth, [B, h, w, 1], which hold inside the mask.
        mask: The mask at the same size, [B, h, w, 1].
        size: Height and width.
        resize: What resizes.
    """
    return upsample_mask(_carry_over_outlines(code, mask), size, resize)


def _carry_over_outlines(code: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Returns a layer of depth for each channel of weights, [B, h, w, layers].

    Each is as it is where it is all there is, and carried over from nearby where another one is.
    """
    layers = weights.shape[-1]
    sums = tf.nn.avg_pool2d(tf.concat([weights, weights * code], -1), NEAR, 1, "SAME")
    carried = tf.math.divide_no_nan(sums[..., layers:], sums[..., :layers])
    return tf.where(sums[..., :layers] > 1e-3, carried + weights * (code - carried), code)


def get_size(pictures: tf.Tensor) -> Size:
    """Returns the height and width of pictures, [B, H, W, C]: numbers where they are known before the graph runs."""
    height, width = pictures.shape[1:3]
    return tf.shape(pictures)[1:3] if height is None or width is None else (height, width)


def _unless_of_size(pictures: tf.Tensor, size: Size, resize: Callable[[], tf.Tensor]) -> tf.Tensor:
    """Returns pictures as they are where they have that size, else what `resize` returns."""
    own = get_size(pictures)
    # Decided now where it can be: other formats have no branches, or slow ones.
    if isinstance(own, tuple) and isinstance(size, tuple):
        return pictures if own == size else resize()
    return tf.cond(tf.reduce_all(tf.shape(pictures)[1:3] == size), lambda: pictures, resize)
