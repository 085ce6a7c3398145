"""Masks and depth, from the working size to that of the frame.

Masks are upsampled as they are: their outline lies where the small mask is one half, between pixels. A guided filter,
which draws outlines to the edges of the frame, was tried on hand-made masks of real footage: it lowered every score,
because a frame has more edges than that of the object.
"""

import tensorflow as tf

NEAR = 5  # pixels a side at the small size: how far depth is carried over an outline


def upsample_mask(mask: tf.Tensor, size: tuple[int, int] | tf.Tensor) -> tf.Tensor:
    """Returns the mask, [B, h, w, C], bilinearly at another height and width: [B, H, W, C]."""
    return tf.cond(_has_size(mask, size), lambda: mask, lambda: tf.image.resize(mask, size, "bilinear"))


def upsample_depth(code: tf.Tensor, mask: tf.Tensor, full: tf.Tensor) -> tf.Tensor:
    """Returns depth at full size, with sharp steps at the outlines of objects.

    Object and background are upsampled each by itself and composed by the full mask; otherwise pixels at an outline
    would be at a distance where nothing is.

    Args:
        code: Codes of depth, [B, h, w, 1].
        mask: The mask at the same size, [B, h, w, 1].
        full: The same mask at full size, [B, H, W, 1].

    Returns:
        Codes of depth, [B, H, W, 1].
    """
    size = tf.shape(full)[1:3]

    def compose():
        layers = _carry_over_outlines(code, tf.concat([mask, 1 - mask], -1))
        object_code, background_code = tf.split(upsample_mask(layers, size), 2, -1)
        return background_code + full * (object_code - background_code)

    return tf.cond(_has_size(code, size), lambda: code, compose)


def upsample_objects(code: tf.Tensor, mask: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Returns the depth of objects alone at full size: codes, [B, H, W, 1], which hold inside the mask.

    Args:
        code: Codes of depth, [B, h, w, 1], which hold inside the mask.
        mask: The mask at the same size, [B, h, w, 1].
        size: Height and width, int32 [2].
    """
    return upsample_mask(_carry_over_outlines(code, mask), size)


def _carry_over_outlines(code: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Returns a layer of depth for each channel of weights, [B, h, w, layers].

    Each is as it is where it is all there is, and carried over from nearby where another one is.
    """
    layers = weights.shape[-1]
    sums = tf.nn.avg_pool2d(tf.concat([weights, weights * code], -1), NEAR, 1, "SAME")
    carried = tf.math.divide_no_nan(sums[..., layers:], sums[..., :layers])
    return tf.where(sums[..., :layers] > 1e-3, carried + weights * (code - carried), code)


def _has_size(pictures: tf.Tensor, size: tuple[int, int] | tf.Tensor) -> tf.Tensor:
    return tf.reduce_all(tf.shape(pictures)[1:3] == size)
