"""From what was seen small to what is answered at full size.

Masks are enlarged as they are: their outline lies where the small mask is one half, between pixels. A guided filter,
which draws outlines to the edges of the frame, was tried on hand-made masks of real footage: it lowered every score,
because a frame has more edges than that of the object.
"""

import tensorflow as tf

NEAR = 5  # pixels a side at the small size: how far depth is carried over an outline


def enlarged(mask: tf.Tensor, size: tuple[int, int] | tf.Tensor) -> tf.Tensor:
    """[B, h, w, C] -> [B, H, W, C]."""
    return tf.cond(_is_of(mask, size), lambda: mask, lambda: tf.image.resize(mask, size, "bilinear"))


def laid_apart(code: tf.Tensor, mask: tf.Tensor, full: tf.Tensor) -> tf.Tensor:
    """Depth codes [B, h, w, 1] -> [B, H, W, 1]. mask: at their size; full: the same mask at the other.

    Object and scenery are enlarged each by itself and laid over one another by the full mask, or pixels at an outline
    would be at a distance where nothing is.
    """
    size = tf.shape(full)[1:3]

    def apart():
        weights = tf.concat([mask, 1 - mask], -1)
        sums = tf.nn.avg_pool2d(tf.concat([weights, weights * code], -1), NEAR, 1, "SAME")
        carried = tf.math.divide_no_nan(sums[..., 2:], sums[..., :2])
        # Each as it is where it is all there is; carried over from nearby where the other one is.
        layers = tf.where(sums[..., :2] > 1e-3, carried + weights * (code - carried), code)
        object_code, scenery_code = tf.split(enlarged(layers, size), 2, -1)
        return scenery_code + full * (object_code - scenery_code)

    return tf.cond(_is_of(code, size), lambda: code, apart)


def _is_of(pictures, size):
    return tf.reduce_all(tf.shape(pictures)[1:3] == size)
